//! Chunks that are only on the disk: when memory is short, the segments of full ones are unmapped.

use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::{Queue, Shard};
use crate::otlp::sync::{lock_unless_forked, Ordering};

/// A chunk to which nothing is added any more.
#[derive(Debug)]
pub(crate) enum Full {
    InMemory(Box<Chunk>),
    Unmapped(Unmapped),
}

/// A chunk whose segment is not mapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unmapped {
    ticket: u64,
    pub(crate) records: usize,
    /// The number of its segment.
    pub(crate) file: u64,
}

impl From<Chunk> for Full {
    fn from(chunk: Chunk) -> Self {
        Self::InMemory(Box::new(chunk))
    }
}

impl Full {
    pub(crate) fn ticket(&self) -> u64 {
        match self {
            Self::InMemory(chunk) => chunk.ticket,
            Self::Unmapped(unmapped) => unmapped.ticket,
        }
    }

    pub(crate) fn records(&self) -> usize {
        match self {
            Self::InMemory(chunk) => chunk.records,
            Self::Unmapped(unmapped) => unmapped.records,
        }
    }

    /// Whether another process sends it, should this one not.
    pub(crate) fn is_spooled(&self) -> bool {
        match self {
            Self::InMemory(chunk) => chunk.segment().is_some(),
            Self::Unmapped(_) => true,
        }
    }
}

impl Queue {
    /// Unmaps all full chunks of one shard: of this one, if it has any. False if there is none left in
    /// memory, or no spool that takes it.
    #[cold]
    pub(super) fn unmap_some(&self, first: &Shard) -> bool {
        self.pool.spool().is_some() && [first].into_iter().chain(&*self.shards).any(|shard| self.unmap(shard))
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
            let unmapped = Unmapped { ticket, records, file: segment.file };
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
        if let Full::InMemory(chunk) = full {
            self.budget.release(self.cost(&chunk));
        }
    }

    /// Drops a chunk, and counts its records as evicted.
    pub(super) fn evict_whole(&self, full: Full) {
        self.counters.dropped_oldest(full.records() as u64);
        match full {
            Full::InMemory(chunk) => {
                self.budget.release(self.cost(&chunk));
                self.pool.recycle(*chunk);
            }
            Full::Unmapped(unmapped) => self.pool.remove(unmapped.file),
        }
    }

    /// The severity numbers that are refused are those of a queue without room, which now has some.
    pub(super) fn has_room_again(&self, shard: &Shard) {
        shard.refuses_below.store(0, Ordering::Relaxed);
    }
}
