//! How chunks leave the queue: to the worker, the oldest first, or dropped after shutdown.

use std::mem;

use crate::otlp::queue::full::Full;
use crate::otlp::queue::Queue;
use crate::otlp::sync::{lock, lock_unless_forked, Ordering};

impl Queue {
    /// The ticket of the next chunk: those begun up to now have smaller ones.
    pub(crate) fn next_ticket(&self) -> u64 {
        // A write, not a load: a thread that begins a chunk after it sees that the worker cleared
        // its wake flag before, and sets it again. After a load it might not, and the worker would
        // sleep.
        self.next_ticket.fetch_add(0, Ordering::AcqRel)
    }

    /// The oldest chunk of all shards, if it was begun before `before`.
    pub(crate) fn pop_oldest(&self, before: u64) -> Option<Full> {
        let _leaving = lock_unless_forked(&self.leaving, self.process)?;
        let full = self.pop(before)?;
        self.count_emitted(&full);
        Some(full)
    }

    fn pop(&self, before: u64) -> Option<Full> {
        loop {
            let fronts = self.shards.iter().map(|shard| (shard.front.load(Ordering::Acquire), shard));
            let (ticket, shard) = fronts.min_by_key(|(ticket, _)| *ticket)?;
            if ticket >= before {
                return None;
            }
            let mut inner = lock_unless_forked(&shard.inner, self.process)?;
            // Another thread may have changed it since.
            if inner.front() == ticket {
                let chunk = inner.full.pop_front().or_else(|| inner.open.take().map(Full::from));
                inner.records -= chunk.as_ref().map_or(0, Full::records);
                shard.front.store(inner.front(), Ordering::Release);
                return chunk;
            }
        }
    }

    /// Releases the leases of empty shards. True if there is still a chunk begun before `before`:
    /// as that is read under the locks, the worker can sleep if not.
    pub(crate) fn reclaim_leases(&self, before: u64) -> bool {
        let mut found = false;
        for shard in self.shards.iter() {
            let mut inner = lock(&shard.inner);
            found |= inner.front() < before;
            if inner.front() == u64::MAX {
                let leased = mem::take(&mut inner.leased);
                drop(inner);
                self.budget.release(leased);
            }
        }
        found
    }

    /// Drops records that come from now on. Those in the queue stay.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for shard in self.shards.iter() {
            let mut inner = lock(&shard.inner);
            inner.closed = true;
            let leased = mem::take(&mut inner.leased);
            shard.refuses_below.store(u8::MAX, Ordering::Relaxed);
            drop(inner);
            self.budget.release(leased);
        }
        self.budget.wake_all();
    }

    /// The same in a forked child, without a lock.
    pub(crate) fn close_in_child(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for shard in self.shards.iter() {
            shard.refuses_below.store(u8::MAX, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Drops the records in the queue, or leaves them in the spool, after [`close`](Self::close).
    pub(crate) fn drop_all(&self) {
        loop {
            while let Some(full) = self.pop_oldest(u64::MAX) {
                self.leave(full);
            }
            if !self.reclaim_leases(u64::MAX) {
                return;
            }
        }
    }
}
