//! One limit in bytes for all threads, which they rarely meet on: each shard takes from it in leases.
//!
//! Invariant: what is left here, what shards have on lease, and what records and chunks are charged
//! with is the limit, always. Bytes are taken before a record is stored and given back after it is
//! settled, so what is stored never exceeds the limit.

use std::time::Instant;

use crate::otlp::sync::{lock, wait_until, AtomicUsize, Condvar, Mutex, Ordering};

#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicUsize,
    limit: usize,
    /// How much a shard takes at once.
    lease: usize,
    /// Threads that wait for room.
    waiting: AtomicUsize,
    room: (Mutex<()>, Condvar),
}

impl Budget {
    pub(crate) fn new(limit: usize, lease: usize) -> Self {
        Self {
            left: AtomicUsize::new(limit),
            limit,
            lease,
            waiting: AtomicUsize::new(0),
            room: (Mutex::new(()), Condvar::new()),
        }
    }

    /// Grows what is on lease to at least `wanted`, if there is as much. Takes a whole lease where it
    /// can, so that this is rare.
    pub(crate) fn extend_lease(&self, leased: &mut usize, wanted: usize) -> bool {
        let missing = wanted.saturating_sub(*leased);
        let mut taken = 0;
        let took = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
            taken = missing.max(self.lease).min(left);
            (taken >= missing).then(|| left - taken)
        });
        if took.is_ok() {
            *leased += taken;
        }
        took.is_ok()
    }

    /// Gives bytes back, and wakes those who wait for them.
    pub(crate) fn release(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.left.fetch_add(bytes, Ordering::AcqRel);
        // A thread that waits says so before it looks. Both sides write `waiting`, so one comes after
        // the other: the waiting thread is seen here, or it sees these bytes. A plain load could miss it.
        if self.waiting.fetch_add(0, Ordering::AcqRel) > 0 {
            self.wake_all();
        }
    }

    pub(crate) fn wake_all(&self) {
        let _room = lock(&self.room.0);
        self.room.1.notify_all();
    }

    /// Waits until there might be room for `wanted` bytes, `over` says so, or the time is over. False
    /// if it is.
    pub(crate) fn wait(&self, wanted: usize, until: Instant, over: impl Fn() -> bool) -> bool {
        let mut room = lock(&self.room.0);
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let mut in_time = true;
        while self.available() < wanted && !over() {
            if Instant::now() >= until {
                in_time = false;
                break;
            }
            room = wait_until(&self.room.1, room, until);
        }
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        in_time
    }

    /// Bytes that nobody has.
    #[inline]
    pub(crate) fn available(&self) -> usize {
        self.left.load(Ordering::Acquire)
    }

    /// Less than a lease is left.
    #[inline]
    pub(crate) fn is_short(&self) -> bool {
        self.left.load(Ordering::Relaxed) < self.lease
    }

    /// More than half is taken: time to deliver, however few records that is.
    pub(crate) fn is_half_used(&self) -> bool {
        self.available() < self.limit / 2
    }
}
