//! The queue between the threads that emit records and the worker.
//!
//! Each thread appends to a shard, which it has to itself as long as there are no more threads than
//! shards: a record costs an uncontended lock and a copy. The size of a shard is bounded by a lease
//! from one [`Budget`] in bytes. A thread keeps its shard for life, and one worker takes the chunks
//! of a shard from the front, so the records of a thread stay in order.

pub(crate) mod budget;
pub(crate) mod chunk;
pub(crate) mod control;
pub(crate) mod limits;
pub(crate) mod pool;
pub(crate) mod truncate;
mod dequeue;

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::otlp::counters::{Counters, SHARDS};
use crate::otlp::queue::budget::{Budget, Memory};
use crate::otlp::queue::chunk::{Chunk, Encoded, ScopeKey, MAX_HEADER};
use crate::otlp::queue::control::Control;
use crate::otlp::queue::limits::QueueLimits;
use crate::otlp::queue::pool::Pool;
use crate::otlp::queue::truncate::truncate;
use crate::otlp::signal::Signal;
use crate::otlp::sync::{after, lock, AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering};
use crate::stats::Thread;

/// Requests are not limited further than this, whatever a receiver answers.
const MIN_REQUEST: usize = 16 * 1024;

/// How many times a thread evicts a chunk for one record before it drops that record instead.
const MAX_EVICTIONS: usize = 64;

/// What happens to a record for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// It is dropped, and not even encoded if the queue is known to be full.
    #[default]
    DropNewest,
    /// The oldest records are dropped, a chunk of them at a time, and it is kept.
    DropOldest,
    /// Its thread waits for room up to this time, after which it is dropped.
    Block {
        /// The longest wait of one event.
        at_most: Duration,
    },
}

#[derive(Debug)]
pub(crate) struct Queue {
    shards: Box<[Shard; SHARDS]>,
    pub(crate) budget: Budget,
    pub(crate) control: Control,
    pub(crate) counters: Counters,
    pub(crate) limits: QueueLimits,
    overflow: Overflow,
    signal: Signal,
    /// The most bytes of a request that the receiver is known to take.
    max_request: AtomicUsize,
    closed: AtomicBool,
    next_ticket: AtomicU64,
    pub(crate) pool: Pool,
}

/// The right to enqueue one record, whose outcome it counts: dropped unused, it counts the record
/// as lost. It does not hold memory, because the size of the record is not known yet, so the queue
/// may still drop the record when it is enqueued.
#[derive(Debug)]
pub struct Permit<'a> {
    queue: &'a Queue,
    /// The thread that the record is written on.
    thread: Thread,
}

impl Permit<'_> {
    /// Enqueues an encoded `LogRecord` or `Span`, or counts why not.
    #[inline]
    pub(crate) fn enqueue(self, scope: ScopeKey<'_>, record: &Encoded<'_>) {
        let Self { queue, thread } = self;
        mem::forget(self);
        queue.push_to(thread.shard(SHARDS), scope, record);
    }
}

impl Drop for Permit<'_> {
    #[cold]
    fn drop(&mut self) {
        self.queue.counters.dropped_unmade(1);
    }
}

#[derive(Debug)]
#[repr(align(128))] // Two lines: processors fetch them in pairs.
struct Shard {
    inner: Mutex<Inner>,
    /// The ticket of the first chunk, `u64::MAX` if there is none. Written under the lock.
    front: AtomicU64,
    /// The last record found no room, or the queue is closed.
    refuses: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    /// Chunks that are full.
    full: VecDeque<Chunk>,
    /// The chunk that records are added to. It is newer than all full ones.
    open: Option<Chunk>,
    /// Bytes of the budget that the shard has reserved and not used.
    leased: usize,
    records: usize,
    /// Set by shutdown, under the lock, so that no record is added after the worker's last look.
    closed: bool,
}

impl Inner {
    fn front(&self) -> u64 {
        self.full.front().or(self.open.as_ref()).map_or(u64::MAX, |chunk| chunk.ticket)
    }
}

impl Queue {
    /// A queue of log records with memory of its own.
    #[cfg(test)]
    pub(crate) fn new(limits: QueueLimits, overflow: Overflow) -> Self {
        Self::in_memory(limits, overflow, Signal::Logs, Memory::new(limits.memory))
    }

    pub(crate) fn in_memory(
        limits: QueueLimits,
        overflow: Overflow,
        signal: Signal,
        memory: Arc<Memory>,
    ) -> Self {
        let shard = |_| Shard {
            inner: Mutex::new(Inner::default()),
            front: AtomicU64::new(u64::MAX),
            refuses: AtomicBool::new(false),
        };
        Self {
            shards: Box::new(std::array::from_fn(shard)),
            budget: Budget::new(memory, limits.lease()),
            control: Control::default(),
            counters: Counters::default(),
            limits,
            overflow,
            signal,
            max_request: AtomicUsize::new(usize::MAX),
            closed: AtomicBool::new(false),
            next_ticket: AtomicU64::new(0),
            pool: Pool::new(limits),
        }
    }

    /// Counts an event as emitted and admits its record. `None` if the record would be dropped,
    /// which is counted too.
    #[inline]
    pub(crate) fn reserve(&self, thread: Thread) -> Option<Permit<'_>> {
        self.counters.one_emitted(thread);
        let has_room = !self.shards[thread.shard(SHARDS)].refuses.load(Ordering::Relaxed) || self.admits();
        has_room.then(|| Permit { queue: self, thread })
    }

    /// Whether a shard that refused its last record takes one now. If not, that is counted.
    #[cold]
    fn admits(&self) -> bool {
        if self.closed.load(Ordering::Relaxed) {
            self.counters.dropped_shutdown(1);
        } else if self.is_full() {
            self.counters.dropped_queue_full(1);
        } else {
            return true;
        }
        false
    }

    /// Whether there is no room for a record of this thread, and none can be made. An estimate:
    /// true from the first record that is dropped until there is room for a whole lease.
    pub(crate) fn is_full(&self) -> bool {
        let refuses = &self.shards[Thread::current().shard(SHARDS)].refuses;
        self.overflow == Overflow::DropNewest && refuses.load(Ordering::Relaxed) && self.budget.is_short()
    }

    /// Enqueues an encoded record, or counts why not.
    #[inline]
    pub(crate) fn push_to(&self, shard: usize, scope: ScopeKey<'_>, record: &Encoded<'_>) {
        let max_cost = Chunk::max_cost(scope, record.len());
        if max_cost > self.limits.record {
            return self.push_large(shard, scope, record);
        }
        let shard = &self.shards[shard % SHARDS];
        let mut inner = lock(&shard.inner);
        // A closed shard has no lease.
        if inner.leased < max_cost + self.limits.slack {
            drop(inner);
            return self.push_slow(shard, scope, record, max_cost);
        }
        let is_due = self.append(shard, &mut inner, scope, record, max_cost);
        drop(inner);
        if is_due {
            self.control.wake();
        }
    }

    #[cold]
    fn push_large(&self, shard: usize, scope: ScopeKey<'_>, record: &Encoded<'_>) {
        let frame = Chunk::max_cost(scope, MAX_HEADER);
        match truncate(self.signal, &record.record(), self.limits.record.saturating_sub(frame)) {
            Some(mut truncated) => {
                self.counters.truncated_values(truncated.values);
                truncated.record.splice(0..0, [0; MAX_HEADER]);
                self.push_to(shard, scope, &Encoded::new(&mut truncated.record, MAX_HEADER, &[]));
            }
            None => self.counters.dropped_too_large(1),
        }
    }

    /// Enqueues a record for which the lease does not suffice.
    #[cold]
    fn push_slow(&self, shard: &Shard, scope: ScopeKey<'_>, record: &Encoded<'_>, max_cost: usize) {
        let wanted = max_cost + self.limits.slack;
        let mut until = None;
        let mut attempts = 0;
        loop {
            let mut inner = lock(&shard.inner);
            if inner.closed {
                drop(inner);
                self.counters.dropped_shutdown(1);
                return;
            }
            if inner.leased >= wanted || self.budget.extend_lease(&mut inner.leased, wanted) {
                let is_due = self.append(shard, &mut inner, scope, record, max_cost);
                drop(inner);
                if is_due {
                    self.control.wake();
                }
                return;
            }
            let missing = wanted - inner.leased;
            drop(inner);
            self.control.wake();
            attempts += 1;
            if !self.make_room(missing, attempts, &mut until) {
                break;
            }
        }
        shard.refuses.store(true, Ordering::Relaxed);
        self.counters.dropped_queue_full(1);
    }

    /// Makes room, or waits for it. True if there may be room now. The caller holds no lock.
    #[cold]
    fn make_room(&self, missing: usize, attempts: usize, until: &mut Option<Instant>) -> bool {
        match self.overflow {
            Overflow::DropNewest => false,
            Overflow::DropOldest if attempts > MAX_EVICTIONS => false,
            Overflow::DropOldest => match self.pop_oldest(u64::MAX) {
                Some(chunk) => {
                    self.counters.dropped_oldest(chunk.records as u64);
                    self.budget.release(self.cost(&chunk));
                    self.pool.recycle(chunk);
                    true
                }
                // All chunks are with the worker.
                None => false,
            },
            Overflow::Block { at_most } => {
                let until = *until.get_or_insert_with(|| after(at_most));
                self.budget.wait(missing, until, || self.closed.load(Ordering::SeqCst))
            }
        }
    }

    /// Stores a record for which there is room. True if the worker should be woken.
    #[inline]
    fn append(
        &self,
        shard: &Shard,
        inner: &mut Inner,
        scope: ScopeKey<'_>,
        record: &Encoded<'_>,
        max_cost: usize,
    ) -> bool {
        let begins = inner.open.as_ref().is_none_or(|open| open.len() >= self.limits.chunk);
        if begins {
            self.begin_chunk(shard, inner);
        }
        if let Some(open) = &mut inner.open {
            inner.leased -= open.add(scope, record, max_cost);
        }
        inner.records += 1;
        inner.records >= self.limits.wake_records || (begins && self.budget.is_half_used())
    }

    #[cold]
    fn begin_chunk(&self, shard: &Shard, inner: &mut Inner) {
        let slack = self.limits.slack;
        let mut chunk = self.pool.take();
        chunk.ticket = self.next_ticket.fetch_add(1, Ordering::AcqRel);
        inner.leased -= slack;
        inner.full.extend(inner.open.replace(chunk));
        shard.front.store(inner.front(), Ordering::Release);
        shard.refuses.store(false, Ordering::Relaxed);
    }

    /// Records that the receiver takes no larger requests.
    pub(crate) fn limit_requests(&self, bytes: usize) {
        self.max_request.fetch_min(bytes.max(MIN_REQUEST), Ordering::AcqRel);
    }

    /// The most bytes of a request: the configured limit, unless the receiver takes less.
    pub(crate) fn max_request(&self, configured: usize) -> usize {
        configured.min(self.max_request.load(Ordering::Acquire))
    }

    /// The bytes that a chunk is charged with, with the slack that its last record may use.
    pub(crate) fn cost(&self, chunk: &Chunk) -> usize {
        chunk.cost() + self.limits.slack
    }
}
