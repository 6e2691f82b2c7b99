//! The accounts of jobs: what the queue knows of their records.

use crate::job_account::{self, Account, Tally};
use crate::otlp::queue::unmap::Full;
use crate::otlp::queue::Queue;
use crate::otlp::signal::Signal;
use crate::otlp::sync::{lock, MutexGuard};

impl Queue {
    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    /// Counts records of the job with this scope.
    pub(crate) fn count(&self, job: u64, change: impl FnOnce(&mut Tally)) {
        job_account::count(job, self.signal == Signal::Traces, change);
    }

    /// Counts one that was never enqueued.
    #[cold]
    pub(crate) fn count_dropped(&self, job: u64, change: impl FnOnce(&mut Tally)) {
        self.count(job, |tally| {
            tally.emitted += 1;
            change(tally);
        });
    }

    /// Keeps records from leaving the queue, for as long as it is held: they count as emitted when they do.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        lock(&self.leaving)
    }

    /// The records of the account's job that are in the queue.
    pub(crate) fn queued(&self, account: &Account) -> u64 {
        let mut queued = 0;
        let mut add = |job: u64, records: u64| {
            if account.has(job) {
                queued += records;
            }
        };
        for shard in self.shards.iter() {
            let inner = lock(&shard.inner);
            inner.full.iter().for_each(|full| full.each_job(&mut add));
            for piece in inner.open.iter().flat_map(|open| open.pieces()).filter(|piece| piece.job != 0) {
                add(piece.job, piece.records as u64);
            }
        }
        queued
    }

    pub(super) fn count_emitted(&self, full: &Full) {
        full.each_job(|job, records| self.count(job, |tally| tally.emitted += records));
    }
}
