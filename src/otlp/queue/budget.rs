//! The memory limit of all threads. Shards lease parts of it, so that threads rarely contend for
//! it.
//!
//! Invariant: what is available here, what shards have leased, and what records and chunks are
//! charged with add up to the limit. Bytes are charged before a record is stored and released after
//! it has its outcome, so that what is stored never exceeds the limit.

use std::sync::Arc;
use std::time::Instant;

use crate::otlp::sync::{lock_unless_forked, wait_until, AtomicUsize, Condvar, Mutex, Ordering};

/// The memory of a pipeline, which the queues of its signals share.
#[derive(Debug)]
pub(crate) struct Memory {
    available: AtomicUsize,
    limit: usize,
    /// What one queue must leave for the other. Zero until there are two.
    reserved: AtomicUsize,
    /// How many threads wait for capacity.
    waiting: AtomicUsize,
    released: (Mutex<()>, Condvar),
    /// The process that made it.
    process: u32,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            available: AtomicUsize::new(limit),
            limit,
            reserved: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            released: (Mutex::new(()), Condvar::new()),
            process: std::process::id(),
        })
    }

    /// Reserves a quarter for each of two queues, so that neither can take all of it.
    pub(crate) fn share(&self) {
        self.reserved.store(self.limit / 4, Ordering::Release);
    }
}

/// One queue's use of the memory.
#[derive(Debug)]
pub(crate) struct Budget {
    memory: Arc<Memory>,
    used: AtomicUsize,
    /// How much a shard leases at once.
    lease: usize,
}

impl Budget {
    pub(crate) fn new(memory: Arc<Memory>, lease: usize) -> Self {
        Self { memory, used: AtomicUsize::new(0), lease }
    }

    /// The most bytes that this queue may use.
    pub(crate) fn limit(&self) -> usize {
        self.memory.limit - self.memory.reserved.load(Ordering::Acquire)
    }

    /// Extends a lease to at least `wanted` bytes, if they are available and leave `reserve` bytes.
    /// Takes a whole lease where it can, so that this is rare; but no more than is missing where less
    /// than `ample` bytes are available, as others use the rest of a lease.
    pub(crate) fn extend_lease(
        &self,
        leased: &mut usize,
        wanted: usize,
        reserve: usize,
        ample: usize,
    ) -> bool {
        let missing = wanted.saturating_sub(*leased);
        let limit = self.limit().saturating_sub(reserve);
        loop {
            let mut taken = 0;
            let took = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                let available = self.memory.available.load(Ordering::Acquire).saturating_sub(reserve);
                let available = available.min(limit.saturating_sub(used));
                let lease = if available + reserve < ample { 0 } else { self.lease };
                taken = missing.max(lease).min(available);
                (taken >= missing).then(|| used + taken)
            });
            if took.is_err() {
                return false;
            }
            let take = |available: usize| available.checked_sub(taken);
            if self.memory.available.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok() {
                *leased += taken;
                return true;
            }
            // The other queue took some of it meanwhile.
            self.used.fetch_sub(taken, Ordering::AcqRel);
        }
    }

    /// Makes bytes available again, and wakes the threads that wait for them.
    pub(crate) fn release(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.used.fetch_sub(bytes, Ordering::AcqRel);
        self.memory.available.fetch_add(bytes, Ordering::AcqRel);
        // A waiting thread counts itself before it looks. Both sides write `waiting`, so that one
        // comes after the other: either it is seen here, or it sees these bytes. A plain load could
        // miss it.
        if self.memory.waiting.fetch_add(0, Ordering::AcqRel) > 0 {
            self.wake_all();
        }
    }

    pub(crate) fn wake_all(&self) {
        let Some(_guard) = lock_unless_forked(&self.memory.released.0, self.memory.process) else { return };
        self.memory.released.1.notify_all();
    }

    /// Waits until `wanted` bytes might be available, or `is_closed`. False if it is `until`
    /// before.
    pub(crate) fn wait(&self, wanted: usize, until: Instant, is_closed: impl Fn() -> bool) -> bool {
        let locked = lock_unless_forked(&self.memory.released.0, self.memory.process);
        let Some(mut guard) = locked else { return false };
        self.memory.waiting.fetch_add(1, Ordering::AcqRel);
        let mut in_time = true;
        while self.available() < wanted && !is_closed() {
            if Instant::now() >= until {
                in_time = false;
                break;
            }
            guard = wait_until(&self.memory.released.1, guard, until);
        }
        self.memory.waiting.fetch_sub(1, Ordering::AcqRel);
        in_time
    }

    /// Bytes that this queue could lease.
    #[inline]
    pub(crate) fn available(&self) -> usize {
        let own = self.limit().saturating_sub(self.used.load(Ordering::Acquire));
        self.memory.available.load(Ordering::Acquire).min(own)
    }

    /// Less than a lease is available beyond `reserve` bytes.
    #[inline]
    pub(crate) fn is_short(&self, reserve: usize) -> bool {
        self.available() < self.lease + reserve
    }

    /// Less than half is available: time to deliver, however few records that is.
    pub(crate) fn is_half_used(&self) -> bool {
        self.available() < self.limit() / 2
    }
}
