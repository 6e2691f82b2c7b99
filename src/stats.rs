//! What happened to every event: counted once, readable while running.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;

/// A handle to the counters of one [`LogLayer`](crate::LogLayer). Cheap to clone, and it outlives the layer.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<[Cells; SHARDS]>);

/// Threads that count on the same cache line wait for each other, so each has one of a few lines.
const SHARDS: usize = 16;

/// The number of a thread. Threads are numbered as they come, to spread them over what is sharded.
#[derive(Clone, Copy, Debug)]
pub struct Thread(usize);

impl Thread {
    /// This thread. Those that are too far gone to know their number have one that no other thread has.
    #[inline]
    pub(crate) fn current() -> Self {
        match NUMBER.try_with(Cell::get) {
            Ok(0) => Self(next_number()),
            Ok(known) => Self(known - 1),
            Err(_) => Self(usize::MAX),
        }
    }

    /// Which of `shards` is this thread's, which has it to itself if there are not more threads.
    #[inline]
    pub(crate) fn shard(self, shards: usize) -> usize {
        self.0 % shards
    }

    /// Which of `shards` lines this thread counts on, and whether nobody else does. The first threads of a
    /// process have half of the lines to themselves, the others share the rest.
    #[inline]
    pub(crate) fn own_line(self, shards: usize) -> (usize, bool) {
        // Loom's threads are all one.
        match shards / 2 {
            own if self.0 < own && !cfg!(loom) => (self.0, true),
            own => (own + self.0 % own, false),
        }
    }
}

/// Counts on a [`Thread::own_line`]. A line that nobody else writes to takes no locked instruction,
/// and that is most of what a count costs.
macro_rules! add {
    ($cell:expr, $is_own:expr, $count:expr) => {
        if $is_own {
            $cell.store($cell.load(Ordering::Relaxed).wrapping_add($count), Ordering::Release);
        } else {
            $cell.fetch_add($count, Ordering::AcqRel);
        }
    };
}
pub(crate) use add;

thread_local! {
    /// The number of this thread, plus one; 0 is not known yet.
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

#[cold]
fn next_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let own = NEXT.fetch_add(1, Ordering::Relaxed);
    let _ = NUMBER.try_with(|number| number.set(own.wrapping_add(1)));
    own
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        #[derive(Debug, Default)]
        #[repr(align(128))] // Two lines: processors fetch them in pairs.
        struct Cells {
            $($name: AtomicU64,)*
        }

        /// One reading of the [`Counters`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[expect(dead_code, reason = "what every event has is counted on a line")]
        impl Counters {
            /// Reads all counters, outcomes before intake: a reading never has more outcomes than events.
            pub fn snapshot(&self) -> Stats {
                let mut stats = Stats::default();
                $(stats.$name = self.0.iter().map(|cells| cells.$name.load(Ordering::Acquire)).sum();)*
                stats
            }

            $(#[inline]
            pub(crate) fn $name(&self, count: u64) {
                self.of(Thread::current()).$name(count);
            })*

            /// To count on, for one thread.
            #[inline]
            pub(crate) fn of(&self, thread: Thread) -> Line<'_> {
                let (line, is_own) = thread.own_line(SHARDS);
                Line { cells: &self.0[line], is_own }
            }
        }

        /// Where one thread counts.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Line<'a> {
            cells: &'a Cells,
            is_own: bool,
        }

        impl Line<'_> {
            $(#[inline]
            pub(crate) fn $name(self, count: u64) {
                add!(self.cells.$name, self.is_own, count);
            })*
        }
    };
}

counters! {
    /// Records handed to the logger provider.
    delivered,
    /// Events not handed over because telemetry is suppressed on their thread
    /// (`Context::enter_telemetry_suppressed_scope`): an exporter's own lines.
    dropped_suppressed,
    /// Events not handed over because they were logged while a record was being handed over on the
    /// same thread, by a log processor: each would make the next.
    dropped_reentrant,
    /// Events not handed over because their thread was too far gone: logged from a thread-local's
    /// destructor after OpenTelemetry's own thread-locals.
    dropped_thread_exit,
    /// Events for which the pipeline had no room.
    dropped_overflow,
    /// Events not handed over because something in or below the layer panicked.
    dropped_panicked,
    /// Events that the layer was enabled for.
    emitted,
    /// Values whose `Debug` or `Display` panicked. Their record was emitted with what they had written.
    panicked_values,
    /// Values whose `Debug` or `Display` returned `fmt::Error`. Their record was emitted with what they had written.
    failed_values,
    /// Values cut to the value length limit.
    truncated_values,
    /// Attributes cut by the attribute count limit.
    dropped_attributes,
    /// `otel.severity_number` fields outside 1..=24.
    invalid_severities,
    /// Spans that could not be asked for their ids because a sampler, id generator or processor panicked.
    panicked_spans,
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

    /// Events whose record is being made right now: what `emitted` has beyond `delivered` and [`dropped`](Self::dropped).
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
