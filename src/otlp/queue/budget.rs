//! The memory limit of all threads. Shards lease parts of it, so that threads rarely contend for
//! it.
//!
//! Invariant: what is available here, what shards have leased, and what records and chunks are
//! charged with add up to the limit. Bytes are charged before a record is stored and released after
//! it has its outcome, so that what is stored never exceeds the limit.

use std::time::Instant;

use crate::otlp::sync::{lock, wait_until, AtomicUsize, Condvar, Mutex, Ordering};

#[derive(Debug)]
pub(crate) struct Budget {
    available: AtomicUsize,
    limit: usize,
    /// How much a shard leases at once.
    lease: usize,
    /// How many threads wait for capacity.
    waiting: AtomicUsize,
    released: (Mutex<()>, Condvar),
}

impl Budget {
    pub(crate) fn new(limit: usize, lease: usize) -> Self {
        Self {
            available: AtomicUsize::new(limit),
            limit,
            lease,
            waiting: AtomicUsize::new(0),
            released: (Mutex::new(()), Condvar::new()),
        }
    }

    /// Extends a lease to at least `wanted` bytes, if they are available. Takes a whole lease
    /// where it can, so that this is rare.
    pub(crate) fn extend_lease(&self, leased: &mut usize, wanted: usize) -> bool {
        let missing = wanted.saturating_sub(*leased);
        let mut taken = 0;
        let took = self.available.fetch_update(Ordering::AcqRel, Ordering::Acquire, |available| {
            taken = missing.max(self.lease).min(available);
            (taken >= missing).then(|| available - taken)
        });
        if took.is_ok() {
            *leased += taken;
        }
        took.is_ok()
    }

    /// Makes bytes available again, and wakes the threads that wait for them.
    pub(crate) fn release(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.available.fetch_add(bytes, Ordering::AcqRel);
        // A waiting thread counts itself before it looks. Both sides write `waiting`, so that one
        // comes after the other: either it is seen here, or it sees these bytes. A plain load could
        // miss it.
        if self.waiting.fetch_add(0, Ordering::AcqRel) > 0 {
            self.wake_all();
        }
    }

    pub(crate) fn wake_all(&self) {
        let _guard = lock(&self.released.0);
        self.released.1.notify_all();
    }

    /// Waits until `wanted` bytes might be available, or `is_closed`. False if it is `until`
    /// before.
    pub(crate) fn wait(&self, wanted: usize, until: Instant, is_closed: impl Fn() -> bool) -> bool {
        let mut guard = lock(&self.released.0);
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let mut in_time = true;
        while self.available() < wanted && !is_closed() {
            if Instant::now() >= until {
                in_time = false;
                break;
            }
            guard = wait_until(&self.released.1, guard, until);
        }
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        in_time
    }

    /// Bytes that are neither leased nor charged.
    #[inline]
    pub(crate) fn available(&self) -> usize {
        self.available.load(Ordering::Acquire)
    }

    /// Less than a lease is available.
    #[inline]
    pub(crate) fn is_short(&self) -> bool {
        self.available.load(Ordering::Relaxed) < self.lease
    }

    /// Less than half is available: time to deliver, however few records that is.
    pub(crate) fn is_half_used(&self) -> bool {
        self.available() < self.limit / 2
    }
}
