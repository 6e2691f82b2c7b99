//! How long to wait before a retry.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// Exponential backoff: each wait is twice as long as the one before, up to a limit. Each is
/// shortened at random by up to half, so that the clients of a restarted collector do not all
/// return at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
    /// The state of a xorshift generator.
    random: u64,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        // The keys of a `RandomState` are the one source of randomness in std.
        let random = RandomState::new().build_hasher().finish() | 1;
        Self { next: first.min(longest), longest, random }
    }

    /// The next wait, which is not shorter than the receiver asked for.
    pub(crate) fn next(&mut self, retry_after: Option<Duration>) -> Duration {
        let full = self.next;
        self.next = full.saturating_mul(2).min(self.longest);
        // Only has to differ between processes.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let part = (self.random >> 11) as f64 / (1u64 << 53) as f64;
        full.mul_f64(0.5 + part / 2.0).max(retry_after.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: waits grow to their limit, stay above half of it, and are never shorter than
    /// asked for.
    #[test]
    fn waits_double_within_bounds() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(400));
        for full in [100, 200, 400, 400] {
            let wait = backoff.next(None);
            assert!(wait >= Duration::from_millis(full / 2) && wait <= Duration::from_millis(full));
        }
        assert_eq!(backoff.next(Some(Duration::from_secs(9))), Duration::from_secs(9));
    }
}
