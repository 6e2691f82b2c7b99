//! What became of every record of a pipeline: one outcome each, counted once, readable while running.
//!
//! # Why every reading adds up
//!
//! A record is counted as emitted before it is handed to the queue, and its one outcome is counted
//! after that, on the same thread or on one that got it through a lock. A reading takes all outcomes
//! first (acquire) and `emitted` last, so for each outcome that it saw, it sees the record emitted;
//! what `emitted` has more is what was on its way: pending. No count is ever taken back.

use crate::otlp::sync::{AtomicU64, Ordering};
use crate::stats::{add, Thread};

/// Threads that count on the same cache line wait for each other, so each has one of some lines.
pub(crate) const SHARDS: usize = if cfg!(loom) { 2 } else { 32 };

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Debug, Default)]
        #[repr(align(128))] // Two lines: processors fetch them in pairs.
        struct Cells {
            $($name: AtomicU64,)*
        }

        /// One reading of a [`Pipeline`](super::Pipeline)'s counters. It adds up at any instant:
        /// `emitted == delivered + rejected + dropped() + pending`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            /// Records that have no outcome yet: queued, on their way, or waiting to be sent again.
            pub pending: u64,
            $($(#[$doc])* pub $name: u64,)*
        }

        #[cfg_attr(not(any(loom, test)), expect(dead_code, reason = "records are emitted one by one"))]
        impl Counters {
            $(#[inline]
            pub(crate) fn $name(&self, count: u64) {
                let (line, is_own) = Thread::current().own_line(SHARDS);
                add!(self.0[line].$name, is_own, count);
            })*

            /// Reads all counters, in the order of their declaration: `emitted` last.
            pub(crate) fn snapshot(&self) -> Stats {
                let mut stats = Stats::default();
                $(stats.$name = self.0.iter().map(|cells| cells.$name.load(Ordering::Acquire)).sum();)*
                stats.pending = stats.emitted.saturating_sub(stats.settled());
                stats
            }
        }
    };
}

counters! {
    /// Records that the receiver took.
    delivered,
    /// Records that the receiver refused one by one, in a request that it took (`partial_success`).
    rejected,
    /// Records for which there was no room.
    dropped_queue_full,
    /// Records that made room for newer ones, with [`Overflow::DropOldest`](super::Overflow).
    dropped_oldest,
    /// Records that could not be cut to what a request or the queue can take.
    dropped_too_large,
    /// Records of requests that the receiver will never take.
    dropped_refused,
    /// Records of requests that were tried again until the time for that was over.
    dropped_gave_up,
    /// Records that came after shutdown, or were not delivered by its deadline.
    dropped_shutdown,
    /// Events that never became a record: see [`Stats`](crate::Stats) of the layer for why.
    dropped_unmade,
    /// Values cut because their record was larger than a request may be.
    truncated_values,
    /// Requests that got an answer that settled them.
    batches,
    /// Times a request was sent again.
    retries,
    /// Bytes of the requests that the receiver took, before compression.
    sent_bytes,
    /// Events that came to this pipeline, overflow included.
    emitted,
}

/// The counters of one pipeline.
#[derive(Debug)]
pub(crate) struct Counters([Cells; SHARDS]);

impl Counters {
    /// The same as `emitted(1)` on this very thread.
    #[inline]
    pub(crate) fn one_emitted(&self, thread: Thread) {
        let (line, is_own) = thread.own_line(SHARDS);
        add!(self.0[line].emitted, is_own, 1);
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Cells::default()))
    }
}

impl Stats {
    /// Records that were lost, whatever the reason.
    pub fn dropped(&self) -> u64 {
        self.dropped_queue_full
            + self.dropped_oldest
            + self.dropped_too_large
            + self.dropped_refused
            + self.dropped_gave_up
            + self.dropped_shutdown
            + self.dropped_unmade
    }

    /// Records that were sent and not taken.
    pub(crate) fn undelivered(&self) -> u64 {
        self.rejected + self.dropped_refused + self.dropped_gave_up + self.dropped_shutdown
    }

    fn settled(&self) -> u64 {
        self.delivered + self.rejected + self.dropped()
    }
}
