//! Chunks that are only on the disk: when memory is short, the segments of full ones are unmapped.

use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::full::{jobs_of, Full, Unmapped};
use crate::otlp::queue::importance::Importance;
use crate::otlp::queue::{Queue, Shard};
use crate::otlp::spool::signal::SignalSpool;
use crate::otlp::sync::{lock_unless_forked, Ordering};

impl Queue {
    /// Unmaps all full chunks of one shard: of this one, if it has any. If no shard has any, the chunks that are
    /// being filled. False if there is none left in memory, or no spool that takes it.
    #[cold]
    pub(super) fn unmap_some(&self, first: &Shard) -> bool {
        let Some(spool) = self.pool.spool() else { return false };
        let shards = || [first].into_iter().chain(&*self.shards);
        shards().any(|shard| self.unmap(shard, spool, false))
            || shards().any(|shard| self.unmap(shard, spool, true))
    }

    /// Unmaps all full chunks of all shards.
    #[cfg(all(test, loom))]
    pub(crate) fn unmap_all(&self) {
        let spool = self.pool.spool().unwrap();
        self.shards.iter().for_each(|shard| _ = self.unmap(shard, spool, false));
    }

    fn unmap(&self, shard: &Shard, spool: &SignalSpool, with_open: bool) -> bool {
        let Some(mut inner) = lock_unless_forked(&shard.inner, self.process) else { return false };
        let inner = &mut *inner;
        if with_open {
            let open = inner.open.take_if(|open| open.records > 0);
            inner.full.extend(open.map(Full::from));
        }
        let mut released = 0;
        for full in &mut inner.full {
            let Full::InMemory(chunk) = full else { continue };
            let cost = self.cost(chunk);
            // One that is in memory only is copied to a segment: none could be made when it was begun, or
            // somebody has removed its file.
            let is_there = chunk.segment().is_some_and(|segment| spool.has(segment.file));
            let copy = if is_there { None } else { self.pool.copy_to_segment(chunk) };
            let stored = if is_there { Some(&**chunk) } else { copy.as_ref() };
            let Some(segment) = stored.and_then(Chunk::segment) else { continue };
            let unmapped = Unmapped {
                ticket: chunk.ticket,
                records: chunk.records,
                file: segment.file,
                importance: chunk
                    .items()
                    .map(|item| Importance::of_encoded(self.signal, item))
                    .max()
                    .unwrap_or(Importance::Low),
                jobs: jobs_of(chunk).into_boxed_slice(),
            };
            self.pool.set_full(unmapped.file);
            *full = Full::Unmapped(unmapped);
            released += cost;
        }
        self.budget.release(released);
        released > 0
    }

    /// Drops the oldest chunk that is on the disk only and has nothing that matters more. False if there is
    /// none.
    pub(super) fn evict_unmapped(&self, importance: Importance) -> bool {
        let Some(_leaving) = lock_unless_forked(&self.leaving, self.process) else { return false };
        let is_victim = |full: &Full| matches!(full, Full::Unmapped(it) if it.importance <= importance);
        let oldest = |shard: &Shard| {
            let inner = lock_unless_forked(&shard.inner, self.process)?;
            inner.full.iter().find(|full| is_victim(full)).map(Full::ticket)
        };
        let found = self.shards.iter().filter_map(|shard| Some((oldest(shard)?, shard)));
        let Some((ticket, shard)) = found.min_by_key(|(ticket, _)| *ticket) else { return false };
        let Some(mut inner) = lock_unless_forked(&shard.inner, self.process) else { return false };
        let Some(index) = inner.full.iter().position(|full| full.ticket() == ticket) else { return false };
        let Some(full) = inner.full.remove(index) else { return false };
        inner.records -= full.records();
        shard.front.store(inner.front(), Ordering::Release);
        drop(inner);
        self.count_emitted(&full);
        self.evict_whole(full);
        true
    }

    /// Counts a chunk that is not sent, and gives up its memory. Its records stay in its segment, or are
    /// lost without one.
    pub(super) fn leave(&self, full: Full) {
        let records = full.records() as u64;
        let is_there = |file: u64| self.pool.spool().is_some_and(|spool| spool.has(file));
        let is_spooled = full.file().is_some_and(is_there);
        match is_spooled {
            true => self.counters.spooled(records),
            false => self.counters.dropped_shutdown(records),
        }
        full.each_job(|job, records| match is_spooled {
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
