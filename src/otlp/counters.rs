//! Counts of a pipeline's records: each has one outcome, which is counted once. Readable at any
//! time.
//!
//! # Why every reading adds up
//!
//! A record is counted as emitted before it is handed to the queue, and its one outcome is counted
//! after that, on the same thread or on one that received it through a lock. A reading loads all
//! outcomes first (acquire) and `emitted` last, so that each record whose outcome it includes is
//! included as emitted, too. The difference is what is pending. No count ever decreases.

use crate::otlp::sync::{AtomicU64, Ordering};
use crate::stats::{counters, Thread};

/// Threads that count on the same cache line wait for each other, so that each has one of some
/// lines.
pub(crate) const SHARDS: usize = if cfg!(loom) { 2 } else { 32 };

counters! {
    impl Counters;

    /// One reading of a [`Pipeline`](super::Pipeline)'s counters. It adds up at any instant:
    /// `emitted == delivered + rejected + dropped() + spooled + pending`.
    pub struct PipelineStats {
        [
            /// Records without an outcome yet: queued, in flight, or waiting to be sent again.
            pending
        ]
        /// Records that the receiver accepted.
        delivered,
        /// Records that the receiver rejected in a request that it accepted otherwise
        /// (`partial_success`).
        rejected,
        /// Records dropped because the queue was full.
        dropped_queue_full,
        /// Records evicted to make room for newer ones, with
        /// [`Overflow::DropOldest`](super::Overflow).
        dropped_oldest,
        /// Records that could not be truncated to the size of a request or of the queue.
        dropped_too_large,
        /// Records of requests that the receiver refused for good.
        dropped_refused,
        /// Records of requests that were retried for as long as retries are allowed.
        dropped_gave_up,
        /// Records that were emitted after shutdown, or not delivered by its deadline.
        dropped_shutdown,
        /// Events that never became a record: see [`Stats`](crate::Stats) of the layer for why.
        dropped_unmade,
        /// Records that could not be read back from the spool: damaged parts, or files that were removed.
        dropped_damaged,
        /// Records left in the spool by a shutdown: the next process sends them.
        spooled,
        /// Records that are, or were, in memory only, because the spool took no more.
        unspooled,
        /// Records that an earlier process had left in the spool. They count as emitted, too.
        recovered,
        /// Values truncated because their record was larger than a request may be.
        truncated_values,
        /// Records without ids, though their event is in a tracing span or names one.
        without_ids,
        /// Requests that got a final answer.
        batches,
        /// How often a request was sent again.
        retries,
        /// Bytes of the requests that the receiver accepted, before compression.
        sent_bytes,
        /// Events that reached this pipeline, those that overflowed included.
        emitted,
    }
}

/// The counters of one pipeline.
#[derive(Debug)]
pub(crate) struct Counters([Cells; SHARDS]);

impl Counters {
    /// The same as `emitted(1)` on this very thread.
    #[inline]
    pub(crate) fn one_emitted(&self, thread: Thread) {
        self.of(thread).emitted(1);
    }

    /// Reads all counters, `emitted` last.
    pub(crate) fn snapshot(&self) -> PipelineStats {
        let mut stats = PipelineStats::read(&self.0);
        stats.pending = stats.emitted.saturating_sub(stats.settled());
        stats
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Cells::default()))
    }
}

impl PipelineStats {
    /// Records that were lost, for any reason.
    pub fn dropped(&self) -> u64 {
        self.dropped_queue_full
            + self.dropped_oldest
            + self.dropped_too_large
            + self.dropped_refused
            + self.dropped_gave_up
            + self.dropped_shutdown
            + self.dropped_unmade
            + self.dropped_damaged
    }

    /// Records that no receiver has, for any reason.
    pub(crate) fn lost(&self) -> u64 {
        self.rejected + self.dropped()
    }

    fn settled(&self) -> u64 {
        self.delivered + self.spooled + self.lost()
    }
}
