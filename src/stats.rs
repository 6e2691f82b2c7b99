//! Counts of what happened to every event, readable at any time.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;

/// A handle to the counters of one [`LogLayer`](crate::LogLayer). Cheap to clone, and it outlives
/// the layer.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<[Cells; SHARDS]>);

/// Threads that count on the same cache line wait for each other, so that each has one of a few
/// lines.
const SHARDS: usize = 16;

/// The number of a thread, which spreads threads over shards. They are numbered as they first ask
/// for it.
#[derive(Clone, Copy, Debug)]
pub struct Thread(usize);

impl Thread {
    /// This thread. Its number is `usize::MAX` if its thread-locals are destroyed already.
    #[inline]
    pub(crate) fn current() -> Self {
        match NUMBER.try_with(Cell::get) {
            Ok(0) => Self(next_number()),
            Ok(known) => Self(known - 1),
            Err(_) => Self(usize::MAX),
        }
    }

    /// This thread's shard. No other thread uses it as long as there are not more threads than
    /// shards.
    #[inline]
    pub(crate) fn shard(self, shards: usize) -> usize {
        self.0 % shards
    }

    /// Which of `shards` lines this thread counts on, and whether no other thread does. The first
    /// threads of a process have half of the lines to themselves, the others share the rest.
    #[inline]
    pub(crate) fn own_line(self, shards: usize) -> (usize, bool) {
        // Under loom, all threads are one.
        match shards / 2 {
            own if self.0 < own && !cfg!(loom) => (self.0, true),
            own => (own + self.0 % own, false),
        }
    }
}

thread_local! {
    /// The number of this thread plus one; 0 if it has none yet.
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

#[cold]
fn next_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let own = NEXT.fetch_add(1, Ordering::Relaxed);
    let _ = NUMBER.try_with(|number| number.set(own.wrapping_add(1)));
    own
}

/// Declares a struct of counts, one reading of counters, and how `Counters`, a list of [`SHARDS`] `Cells`,
/// counts.
///
/// A field in brackets is derived from the others. `SHARDS`, `AtomicU64` and `Ordering` are those
/// of the module that uses the macro: std's, or loom's.
macro_rules! counters {
    (
        $(#[$lint:meta])*
        impl Counters;
        $(#[$stats_doc:meta])*
        pub struct $stats:ident {
            $([$(#[$derived_doc:meta])* $derived:ident])?
            $($(#[$doc:meta])* $name:ident,)*
        }
    ) => {
        #[derive(Debug, Default)]
        #[repr(align(128))] // Two lines: processors fetch them in pairs.
        struct Cells {
            $($name: AtomicU64,)*
        }

        $(#[$stats_doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $stats {
            $($(#[$derived_doc])* pub $derived: u64,)?
            $($(#[$doc])* pub $name: u64,)*
        }

        impl $stats {
            /// Reads all counters, in the order of their declaration.
            fn read(cells: &[Cells; SHARDS]) -> Self {
                let mut stats = Self::default();
                $(stats.$name = cells.iter().map(|cells| cells.$name.load(Ordering::Acquire)).sum();)*
                stats
            }
        }

        $(#[$lint])*
        impl Counters {
            /// The line on which `thread` counts.
            #[inline]
            pub(crate) fn of(&self, thread: Thread) -> Line<'_> {
                let (line, is_own) = thread.own_line(SHARDS);
                Line { cells: &self.0[line], is_own }
            }

            $(#[inline]
            pub(crate) fn $name(&self, count: u64) {
                self.of(Thread::current()).$name(count);
            })*
        }

        /// The counters of one thread, or of a few that share them.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Line<'a> {
            cells: &'a Cells,
            /// No other thread writes here.
            is_own: bool,
        }

        impl Line<'_> {
            $(#[inline]
            pub(crate) fn $name(self, count: u64) {
                self.add(&self.cells.$name, count);
            })*

            /// Without a locked instruction where no other thread writes: that is most of what a
            /// count costs.
            #[inline]
            fn add(self, cell: &AtomicU64, count: u64) {
                if self.is_own {
                    cell.store(cell.load(Ordering::Relaxed).wrapping_add(count), Ordering::Release);
                } else {
                    cell.fetch_add(count, Ordering::AcqRel);
                }
            }
        }
    };
}
pub(crate) use counters;

counters! {
    #[expect(dead_code, reason = "what every event has is counted on a line")]
    impl Counters;

    /// One reading of the [`Counters`].
    pub struct Stats {
        /// Records handed to the logger provider, or to the queue of a
        /// [`Pipeline`](crate::otlp::Pipeline), which counts what happens to them then.
        delivered,
        /// Events not handed over because telemetry is suppressed on their thread
        /// (`Context::enter_telemetry_suppressed_scope`): an exporter's own events.
        dropped_suppressed,
        /// Events not handed over because they were logged by a log processor while it was given a
        /// record on the same thread: each would cause the next.
        dropped_reentrant,
        /// Events not handed over because they were logged from a thread-local's destructor, after
        /// OpenTelemetry's own thread-locals were destroyed.
        dropped_thread_exit,
        /// Events for which the pipeline had no capacity.
        dropped_overflow,
        /// Events not handed over because something in or below the layer panicked.
        dropped_panicked,
        /// Events that the layer was enabled for.
        emitted,
        /// Values whose `Debug` or `Display` panicked. Their record was emitted with what they had
        /// written.
        panicked_values,
        /// Values whose `Debug` or `Display` returned `fmt::Error`. Their record was emitted with
        /// what they had written.
        failed_values,
        /// Values truncated to the value length limit.
        truncated_values,
        /// Attributes dropped by the attribute count limit.
        dropped_attributes,
        /// `otel.severity_number` fields outside 1..=24.
        invalid_severities,
        /// `otel.event_name` fields that are empty or not strings, or, on records of the SDK, beyond
        /// the first 512 different names made at run time.
        ignored_event_names,
        /// Records without ids, though their event is in a tracing span or names one. The reason is
        /// reported once through the [diagnostics](crate::set_diagnostics).
        without_ids,
        /// Spans whose ids are unknown because a sampler, id generator or processor panicked.
        panicked_spans,
    }
}

impl Counters {
    /// Reads all counters, outcomes before intake: a reading never has more outcomes than events.
    pub fn snapshot(&self) -> Stats {
        Stats::read(&self.0)
    }
}

impl Stats {
    /// Events that made no record, whatever the reason.
    pub fn dropped(&self) -> u64 {
        self.dropped_suppressed
            + self.dropped_reentrant
            + self.dropped_thread_exit
            + self.dropped_overflow
            + self.dropped_panicked
    }

    /// Events whose record is being made right now: what `emitted` has beyond `delivered` and
    /// [`dropped`](Self::dropped).
    pub fn pending(&self) -> u64 {
        self.emitted.saturating_sub(self.delivered + self.dropped())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: more threads than shards count, while somebody reads.
    ///
    /// Guarantees: nothing is lost, and no reading has more outcomes than events.
    #[test]
    fn counts_of_all_threads_add_up() {
        let counters = Counters::default();
        let threads = SHARDS as u64 + 3;
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        counters.emitted(1);
                        counters.delivered(1);
                    }
                });
            }
            for _ in 0..100 {
                let stats = counters.snapshot();
                assert!(stats.delivered <= stats.emitted, "{stats:?}");
            }
        });
        let stats = counters.snapshot();
        assert_eq!((stats.emitted, stats.delivered), (threads * 1_000, threads * 1_000));
    }
}
