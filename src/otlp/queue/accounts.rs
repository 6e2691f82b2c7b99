//! Counting records that were never enqueued, and the accounts of jobs.

use crate::diagnostics::report_once;
use crate::job_account::{self, Account, Tally};
use crate::otlp::queue::full::{job_runs, Full};
use crate::otlp::queue::Queue;
use crate::otlp::signal::Signal;
use crate::otlp::sync::{lock, MutexGuard, Ordering};

impl Queue {
    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    /// Counts records of the job with this account; 0 is none.
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

    /// Counts one of this job that [`reserve`](Self::reserve) has refused.
    #[cold]
    pub(crate) fn count_refused(&self, job: u64) {
        self.count_dropped(job, |tally| match self.is_closed() {
            true => tally.dropped_shutdown += 1,
            false => tally.dropped_queue_full += 1,
        });
    }

    /// A record came after the shutdown. That is reported once: a guard may have been dropped too
    /// early, or never kept.
    #[cold]
    pub(super) fn count_after_shutdown(&self) {
        self.counters.dropped_shutdown(1);
        if !self.reported_shutdown.swap(true, Ordering::Relaxed) {
            report_once(format_args!(
                "{} are dropped, because telemetry was shut down before: keep its guard to the end of `main`",
                self.signal.items()
            ));
        }
    }

    /// This process was forked. A lock is held by a thread of its parent, or the chunks are files of it.
    #[cold]
    pub(super) fn drop_in_child(&self) -> bool {
        self.counters.dropped_shutdown(1);
        false
    }

    /// Keeps records from leaving the queue, for as long as it is held: they count as emitted when they do.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        lock(&self.leaving)
    }

    /// The records of the account's job that are in the queue.
    pub(crate) fn queued(&self, account: &Account) -> u64 {
        let mut queued = 0;
        let mut add = |job: u64, records: u64| {
            if account.id == job {
                queued += records;
            }
        };
        for shard in self.shards.iter() {
            let inner = lock(&shard.inner);
            inner.full.iter().for_each(|full| full.each_job(&mut add));
            let open = inner.open.iter().flat_map(|open| job_runs(open));
            open.for_each(|(job, records)| add(job, records as u64));
        }
        queued
    }

    pub(super) fn count_emitted(&self, full: &Full) {
        full.each_job(|job, records| self.count(job, |tally| tally.emitted += records));
    }
}
