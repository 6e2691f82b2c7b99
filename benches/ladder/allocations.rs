//! The global allocator. It counts allocations while [`count`] runs.
#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]

#[path = "../../tests/support/counting.rs"]
mod counting;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use self::counting::{Counting, Observer};

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

struct WhileCounting;

impl Observer for WhileCounting {
    // When off, it costs a load and a branch: an arm that allocates more must not pay more for the
    // counting.
    fn allocated(_: usize) {
        if IS_COUNTING.load(Ordering::Relaxed) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[global_allocator]
static ALLOCATOR: Counting<WhileCounting> = Counting::new();

/// How many allocations and reallocations `work` makes, on all threads.
pub(crate) fn count(work: impl FnOnce()) -> u64 {
    let before = COUNT.load(Ordering::Relaxed);
    IS_COUNTING.store(true, Ordering::Relaxed);
    work();
    IS_COUNTING.store(false, Ordering::Relaxed);
    COUNT.load(Ordering::Relaxed) - before
}
