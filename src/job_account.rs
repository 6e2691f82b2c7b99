//! The account of a job: how many of its records and spans were emitted, and with which outcomes. For its
//! receipt.
//!
//! Records are counted where their number is known anyway: by the run when the worker takes a chunk, by the
//! request when it has an outcome, and one by one where they are dropped. The path of an event has no part
//! in it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use crate::forked::ForkedMutex;

/// The outcomes of a job's records, or of its spans. They add up:
/// `emitted == delivered + rejected + dropped() + spooled + pending`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Emitted so far.
    pub emitted: u64,
    /// Accepted by the receiver.
    pub delivered: u64,
    /// Rejected by the receiver in a request that it accepted otherwise. It does not say which they are:
    /// in a request with records of several jobs, those that come first count as rejected.
    pub rejected: u64,
    /// Dropped because the queue was full.
    pub dropped_queue_full: u64,
    /// Evicted for newer ones.
    pub dropped_oldest: u64,
    /// Too large, and not to be truncated.
    pub dropped_too_large: u64,
    /// Of requests that the receiver refused for good.
    pub dropped_refused: u64,
    /// Of requests that were retried for as long as retries are allowed.
    pub dropped_gave_up: u64,
    /// Emitted after the pipeline's shutdown, or not delivered by its deadline.
    pub dropped_shutdown: u64,
    /// Not to be read back from the spool.
    pub dropped_damaged: u64,
    /// Left in the spool by a shutdown: the next process sends them.
    pub spooled: u64,
    /// Without an outcome so far.
    pub pending: u64,
}

impl Tally {
    /// Lost, for whatever reason but the receiver's rejection.
    pub fn dropped(&self) -> u64 {
        self.reasons().iter().map(|(_, count)| count).sum()
    }

    /// Lost, for whatever reason.
    pub fn lost(&self) -> u64 {
        self.rejected + self.dropped()
    }

    /// The names of the fields of what was dropped, with their counts.
    pub(crate) fn reasons(&self) -> [(&'static str, u64); 7] {
        [
            ("dropped_queue_full", self.dropped_queue_full),
            ("dropped_oldest", self.dropped_oldest),
            ("dropped_too_large", self.dropped_too_large),
            ("dropped_refused", self.dropped_refused),
            ("dropped_gave_up", self.dropped_gave_up),
            ("dropped_shutdown", self.dropped_shutdown),
            ("dropped_damaged", self.dropped_damaged),
        ]
    }

    pub(crate) fn settled(&self) -> u64 {
        self.delivered + self.lost() + self.spooled
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { emitted, delivered, rejected, spooled, pending, .. } = self;
        let dropped = self.dropped();
        write!(f, "{emitted} emitted, {delivered} delivered, {rejected} rejected, {dropped} dropped, ")?;
        write!(f, "{spooled} left in the spool, {pending} pending")
    }
}

/// The account of one job, which its scopes share: that of the execution, and those of its steps.
#[derive(Debug)]
pub(crate) struct Account {
    /// Never zero, as 0 means no job, and never reused.
    pub(crate) id: u64,
    /// Of log records, and of spans.
    tallies: ForkedMutex<[Tally; 2]>,
}

/// The accounts of the jobs that may still want a receipt, by their ids.
type Accounts = HashMap<u64, Weak<Account>>;

fn accounts() -> &'static ForkedMutex<Accounts> {
    static ACCOUNTS: OnceLock<ForkedMutex<Accounts>> = OnceLock::new();
    ACCOUNTS.get_or_init(ForkedMutex::default)
}

impl Account {
    pub(crate) fn new() -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let account = Arc::new(Self { id, tallies: ForkedMutex::default() });
        if let Some(mut accounts) = accounts().lock() {
            accounts.insert(id, Arc::downgrade(&account));
        }
        account
    }

    /// Of log records, and of spans, without what the queues still have.
    pub(crate) fn tallies(&self) -> [Tally; 2] {
        self.tallies.lock().map(|tallies| *tallies).unwrap_or_default()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if let Some(mut accounts) = accounts().lock() {
            accounts.remove(&self.id);
        }
    }
}

/// Counts records, or spans, of the job with this account. 0 is no job.
pub(crate) fn count(job: u64, is_spans: bool, change: impl FnOnce(&mut Tally)) {
    if job == 0 {
        return;
    }
    // Without the lock of the registry, which is taken when an account is dropped.
    let account = accounts().lock().and_then(|accounts| accounts.get(&job)?.upgrade());
    let Some(account) = account else { return };
    if let Some(mut tallies) = account.tallies.lock() {
        change(&mut tallies[usize::from(is_spans)]);
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: a job that nobody closes leaves nothing behind.
    #[test]
    fn an_account_that_is_dropped_leaves_nothing() {
        let account = Account::new();
        let id = account.id;
        count(id, false, |tally| tally.delivered += 1);
        assert_eq!(account.tallies()[0].delivered, 1);
        drop(account);
        count(id, false, |_| panic!("it is gone"));
        assert!(!accounts().lock().expect("nothing was forked").contains_key(&id));
    }
}
