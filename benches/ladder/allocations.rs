//! An allocator that counts, when it is told to.
#![expect(unsafe_code, reason = "an allocator cannot be wrapped without")]

#[path = "../../tests/support/counting.rs"]
mod counting;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use self::counting::{Counting, Note};

static COUNTS: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

struct WhenTold;

impl Note for WhenTold {
    // Off, it costs a load and a branch: the arm with more allocations must not pay for being counted.
    fn allocated(_: usize) {
        if COUNTS.load(Ordering::Relaxed) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[global_allocator]
static ALLOCATOR: Counting<WhenTold> = Counting::new();

/// How many allocations and reallocations `work` makes, on all threads.
pub(crate) fn count(work: impl FnOnce()) -> u64 {
    let before = COUNT.load(Ordering::Relaxed);
    COUNTS.store(true, Ordering::Relaxed);
    work();
    COUNTS.store(false, Ordering::Relaxed);
    COUNT.load(Ordering::Relaxed) - before
}
