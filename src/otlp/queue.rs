//! The queue between the threads that emit records and the worker.
//!
//! Each thread appends to a shard, which it has to itself as long as there are no more threads than
//! shards: a record costs an uncontended lock and a copy. The size of a shard is bounded by a lease
//! from one [`Budget`] in bytes. A thread keeps its shard for life, and one worker takes the chunks
//! of a shard from the front, so the records of a thread stay in order.

pub(crate) mod budget;
pub(crate) mod chunk;
pub(crate) mod control;
pub(crate) mod full;
pub(crate) mod importance;
pub(crate) mod limits;
pub(crate) mod pool;
pub(crate) mod truncate;
mod unmap;
mod accounts;
mod dequeue;
mod evict;

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::otlp::counters::{Counters, SHARDS};
use crate::otlp::queue::budget::{Budget, Memory};
use crate::otlp::queue::chunk::{Chunk, Encoded, ScopeKey, MAX_HEADER};
use crate::otlp::queue::control::Control;
use crate::otlp::queue::full::Full;
use crate::otlp::queue::importance::{Importance, JobUsage};
use crate::otlp::queue::limits::QueueLimits;
use crate::otlp::queue::pool::Pool;
use crate::otlp::queue::truncate::truncate;
use crate::otlp::signal::Signal;
use crate::otlp::spool::signal::SignalSpool;
use crate::otlp::sync::{
    after, lock_unless_forked, AtomicBool, AtomicU64, AtomicU8, AtomicUsize, Mutex, Ordering,
};
use crate::stats::Thread;

/// Requests are not limited further than this, whatever a receiver answers.
const MIN_REQUEST: usize = 16 * 1024;

/// How many times a thread evicts a chunk for one record before it drops that record instead.
const MAX_EVICTIONS: usize = 64;

/// What happens to a record for which there is no room.
///
/// What matters least loses first, with each of them. TRACE and DEBUG leave a quarter of the memory to
/// the others, INFO and most spans an eighth: that is for WARN and above, and for the spans of ops,
/// steps and jobs. A job that uses more than half of what is used leaves a sixteenth more to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// It is dropped, and not even encoded if the queue is known to be full.
    #[default]
    DropNewest,
    /// Older records are dropped, some hundred at a time, and it is kept: of the least importance first,
    /// of the job that uses most first, the oldest first.
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
    usage: JobUsage,
    pub(crate) limits: QueueLimits,
    overflow: Overflow,
    signal: Signal,
    /// The process that has the worker: a forked child has none.
    pub(crate) process: u32,
    /// The most bytes of a request that the receiver is known to take.
    max_request: AtomicUsize,
    closed: AtomicBool,
    /// It was reported that records come after the shutdown.
    reported_shutdown: AtomicBool,
    next_ticket: AtomicU64,
    pub(crate) pool: Pool,
    /// Held while records leave the shards.
    leaving: Mutex<()>,
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
    /// Enqueues an encoded `LogRecord` or `Span`. False if it is dropped, which is counted.
    #[inline]
    pub(crate) fn enqueue(self, item: Item<'_>, record: &Encoded<'_>) -> bool {
        let Self { queue, thread } = self;
        mem::forget(self);
        queue.push_to(thread.shard(SHARDS), item, record)
    }
}

/// What a record is, beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) scope: ScopeKey<'a>,
    /// The id of its job's account; 0 if there is none.
    pub(crate) job: u64,
    /// Its severity number, which says how much it matters when memory is short.
    pub(crate) severity: u8,
}

/// A record of no job, at INFO.
#[cfg(test)]
impl<'a> From<crate::record::Target<'a>> for Item<'a> {
    fn from(target: crate::record::Target<'a>) -> Self {
        Self { scope: target.into(), job: 0, severity: 9 }
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
    /// Records with a lower severity number than this are refused: one of them found no room. Above
    /// all of them once the queue is closed.
    refuses_below: AtomicU8,
}

#[derive(Debug, Default)]
struct Inner {
    /// Chunks that are full.
    full: VecDeque<Full>,
    /// The chunk that records are added to. It is newer than all full ones.
    open: Option<Box<Chunk>>,
    /// Bytes of the budget that the shard has reserved and not used.
    leased: usize,
    records: usize,
    /// Set by shutdown, under the lock, so that no record is added after the worker's last look.
    closed: bool,
}

impl Inner {
    fn front(&self) -> u64 {
        let open = || self.open.as_ref().map_or(u64::MAX, |chunk| chunk.ticket);
        self.full.front().map_or_else(open, Full::ticket)
    }
}

impl Queue {
    /// A queue of log records with memory of its own.
    #[cfg(test)]
    pub(crate) fn new(limits: QueueLimits, overflow: Overflow) -> Self {
        Self::in_memory(limits, overflow, Signal::Logs, Memory::new(limits.memory), None)
    }

    pub(crate) fn in_memory(
        limits: QueueLimits,
        overflow: Overflow,
        signal: Signal,
        memory: Arc<Memory>,
        spool: Option<SignalSpool>,
    ) -> Self {
        let shard = |_| Shard {
            inner: Mutex::new(Inner::default()),
            front: AtomicU64::new(u64::MAX),
            refuses_below: AtomicU8::new(0),
        };
        Self {
            shards: Box::new(std::array::from_fn(shard)),
            budget: Budget::new(memory, limits.lease()),
            control: Control::default(),
            counters: Counters::default(),
            usage: JobUsage::default(),
            limits,
            overflow,
            signal,
            process: std::process::id(),
            max_request: AtomicUsize::new(usize::MAX),
            closed: AtomicBool::new(false),
            reported_shutdown: AtomicBool::new(false),
            next_ticket: AtomicU64::new(0),
            pool: Pool::new(limits, spool),
            leaving: Mutex::new(()),
        }
    }

    /// Counts an event as emitted and admits its record. `None` if the record would be dropped,
    /// which is counted too.
    #[inline]
    pub(crate) fn reserve(&self, thread: Thread, severity: u8) -> Option<Permit<'_>> {
        self.counters.one_emitted(thread);
        let refuses_below = &self.shards[thread.shard(SHARDS)].refuses_below;
        let has_room = severity >= refuses_below.load(Ordering::Relaxed) || self.admits(severity);
        has_room.then(|| Permit { queue: self, thread })
    }

    /// Whether a shard that refused its last record takes one now. If not, that is counted.
    #[cold]
    fn admits(&self, severity: u8) -> bool {
        if self.is_closed() {
            self.count_after_shutdown();
        } else if self.is_full(severity) {
            self.counters.dropped_queue_full(1);
        } else {
            return true;
        }
        false
    }

    /// Whether there is no room for a record of this thread, and none can be made. An estimate:
    /// true from the first record that is dropped until there is room for a whole lease.
    pub(crate) fn is_full(&self, severity: u8) -> bool {
        let refuses_below = &self.shards[Thread::current().shard(SHARDS)].refuses_below;
        self.overflow == Overflow::DropNewest
            && severity < refuses_below.load(Ordering::Relaxed)
            && self.budget.is_short(Importance::of(severity).reserve(self.budget.limit(), false))
    }

    /// Enqueues an encoded record. False if it is dropped, which is counted.
    #[inline]
    pub(crate) fn push_to(&self, shard: usize, item: Item<'_>, record: &Encoded<'_>) -> bool {
        let max_cost = Chunk::max_cost(item.scope, record.len());
        if max_cost > self.limits.record {
            return self.push_large(shard, item, record);
        }
        let shard = &self.shards[shard % SHARDS];
        let Some(mut inner) = lock_unless_forked(&shard.inner, self.process) else {
            return self.drop_in_child();
        };
        if self.pool.is_of_parent() {
            return self.drop_in_child();
        }
        // A closed shard has no lease.
        if inner.leased < max_cost + self.limits.of_chunk() {
            drop(inner);
            return self.push_slow(shard, item, record, max_cost);
        }
        let is_due = self.append(shard, &mut inner, item, record, max_cost);
        drop(inner);
        if is_due {
            self.control.wake(self.process);
        }
        true
    }

    #[cold]
    fn push_large(&self, shard: usize, item: Item<'_>, record: &Encoded<'_>) -> bool {
        let frame = Chunk::max_cost(item.scope, MAX_HEADER);
        match truncate(self.signal, &record.record(), self.limits.record.saturating_sub(frame)) {
            Some(mut truncated) => {
                self.counters.truncated_values(truncated.values);
                truncated.record.splice(0..0, [0; MAX_HEADER]);
                self.push_to(shard, item, &Encoded::new(&mut truncated.record, MAX_HEADER, &[]))
            }
            None => {
                self.counters.dropped_too_large(1);
                self.count_dropped(item.job, |tally| tally.dropped_too_large += 1);
                false
            }
        }
    }

    /// Enqueues a record for which the lease does not suffice.
    #[cold]
    fn push_slow(&self, shard: &Shard, item: Item<'_>, record: &Encoded<'_>, max_cost: usize) -> bool {
        let wanted = max_cost + self.limits.of_chunk();
        let importance = Importance::of(item.severity);
        let mut until = None;
        let mut attempts = 0;
        loop {
            let is_noisy = item.job != 0 && self.usage.noisy() == Some(item.job);
            let limit = self.budget.limit();
            let reserve = importance.reserve(limit, is_noisy);
            // Where INFO of a noisy job is refused, a lease must not serve it.
            let ample = Importance::Normal.reserve(limit, true) + self.limits.lease();
            let Some(mut inner) = lock_unless_forked(&shard.inner, self.process) else {
                return self.drop_in_child();
            };
            if inner.closed {
                drop(inner);
                self.count_after_shutdown();
                self.count_dropped(item.job, |tally| tally.dropped_shutdown += 1);
                return false;
            }
            let before = inner.leased;
            if before >= wanted || self.budget.extend_lease(&mut inner.leased, wanted, reserve, ample) {
                let leased = inner.leased - before;
                let is_due = self.append(shard, &mut inner, item, record, max_cost);
                drop(inner);
                if item.job != 0 {
                    self.usage.leased(item.job, leased, self.budget.is_half_used(), self.process);
                }
                if is_due {
                    self.control.wake(self.process);
                }
                return true;
            }
            let missing = wanted - inner.leased + reserve;
            drop(inner);
            self.control.wake(self.process);
            if self.unmap_some(shard) {
                self.has_room_again(shard);
                continue;
            }
            attempts += 1;
            if !self.make_room(importance, missing, attempts, &mut until) {
                break;
            }
        }
        shard.refuses_below.fetch_max(importance.next_severity(), Ordering::Relaxed);
        self.counters.dropped_queue_full(1);
        self.count_dropped(item.job, |tally| tally.dropped_queue_full += 1);
        false
    }

    /// Makes room, or waits for it. True if there may be room now. The caller holds no lock.
    #[cold]
    fn make_room(
        &self,
        importance: Importance,
        missing: usize,
        attempts: usize,
        until: &mut Option<Instant>,
    ) -> bool {
        match self.overflow {
            Overflow::DropNewest => false,
            Overflow::DropOldest if attempts > MAX_EVICTIONS => false,
            Overflow::DropOldest => self.evict(importance),
            // In a forked child, nobody makes room.
            Overflow::Block { .. } if std::process::id() != self.process => false,
            Overflow::Block { at_most } => {
                let until = *until.get_or_insert_with(|| after(at_most));
                self.budget.wait(missing, until, || self.is_closed())
            }
        }
    }

    /// Stores a record for which there is room. True if the worker should be woken.
    #[inline]
    fn append(
        &self,
        shard: &Shard,
        inner: &mut Inner,
        item: Item<'_>,
        record: &Encoded<'_>,
        max_cost: usize,
    ) -> bool {
        let has_room = |open: &Chunk| open.len() < self.limits.chunk && open.fits(item.scope, record);
        let begins = !inner.open.as_deref().is_some_and(has_room);
        if begins {
            self.begin_chunk(shard, inner, max_cost);
        }
        if let Some(open) = &mut inner.open {
            inner.leased -= open.add(item.scope, item.job, record, max_cost);
        }
        inner.records += 1;
        inner.records >= self.limits.wake_records
            || (begins && (inner.full.len() >= self.limits.wake_chunks || self.budget.is_half_used()))
    }

    /// `wanted`: the bytes that the first record of the chunk needs at most.
    #[cold]
    fn begin_chunk(&self, shard: &Shard, inner: &mut Inner, wanted: usize) {
        let mut chunk = self.pool.take(self.process, wanted);
        chunk.begin(self.next_ticket.fetch_add(1, Ordering::AcqRel));
        inner.leased -= self.limits.of_chunk();
        let full = inner.open.replace(chunk);
        if let Some(segment) = full.as_deref().and_then(Chunk::segment) {
            self.pool.set_full(segment.file);
        }
        inner.full.extend(full.map(Full::from));
        shard.front.store(inner.front(), Ordering::Release);
        shard.refuses_below.store(0, Ordering::Relaxed);
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
        chunk.cost() + self.limits.of_chunk()
    }
}
