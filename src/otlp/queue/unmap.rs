//! Chunks that are only on the disk: when memory is short, the segments of full ones are unmapped.

use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::full::{jobs_of, Full, Unmapped};
use crate::otlp::queue::{Queue, Shard};
use crate::otlp::sync::{lock_unless_forked, Ordering};

impl Queue {
    /// Unmaps all full chunks of one shard: of this one, if it has any. False if there is none left in
    /// memory, or no spool that takes it.
    #[cold]
    pub(super) fn unmap_some(&self, first: &Shard) -> bool {
        self.pool.spool().is_some() && [first].into_iter().chain(&*self.shards).any(|shard| self.unmap(shard))
    }

    /// Unmaps all full chunks of all shards.
    #[cfg(all(test, loom))]
    pub(crate) fn unmap_all(&self) {
        self.shards.iter().for_each(|shard| _ = self.unmap(shard));
    }

    fn unmap(&self, shard: &Shard) -> bool {
        let Some(mut inner) = lock_unless_forked(&shard.inner, self.process) else { return false };
        let mut released = 0;
        for full in &mut inner.full {
            let Full::InMemory(chunk) = full else { continue };
            let cost = self.cost(chunk);
            let (ticket, records) = (chunk.ticket, chunk.records);
            // One that is in memory only, as no segment could be made then, is copied to one now.
            let copy = if chunk.segment().is_none() { self.pool.copy_to_segment(chunk) } else { None };
            let Some(segment) = copy.as_ref().or(Some(&**chunk)).and_then(Chunk::segment) else { break };
            let jobs = jobs_of(chunk).into_boxed_slice();
            let unmapped = Unmapped { ticket, records, file: segment.file, jobs };
            self.pool.is_full(unmapped.file);
            *full = Full::Unmapped(unmapped);
            released += cost;
        }
        drop(inner);
        self.budget.release(released);
        released > 0
    }

    /// Counts a chunk that is not sent, and gives up its memory. Its records stay in its segment, or are
    /// lost without one.
    pub(super) fn leave(&self, full: Full) {
        let records = full.records() as u64;
        match full.is_spooled() {
            true => self.counters.spooled(records),
            false => self.counters.dropped_shutdown(records),
        }
        full.each_job(|job, records| match full.is_spooled() {
            true => self.count(job, |tally| tally.spooled += records),
            false => self.count(job, |tally| tally.dropped_shutdown += records),
        });
        if let Full::InMemory(chunk) = full {
            self.budget.release(self.cost(&chunk));
        }
    }

    /// Drops a chunk, and counts its records as evicted.
    pub(super) fn evict_whole(&self, full: Full) {
        self.counters.dropped_oldest(full.records() as u64);
        full.each_job(|job, records| self.count(job, |tally| tally.dropped_oldest += records));
        match full {
            Full::InMemory(chunk) => {
                self.budget.release(self.cost(&chunk));
                self.pool.recycle(chunk);
            }
            Full::Unmapped(unmapped) => self.pool.remove(unmapped.file),
        }
    }

    /// The severity numbers that are refused are those of a queue without room, which now has some.
    pub(super) fn has_room_again(&self, shard: &Shard) {
        shard.refuses_below.store(0, Ordering::Relaxed);
    }
}
