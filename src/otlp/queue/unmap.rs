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
#[derive(Debug)]
pub(crate) struct Unmapped {
    ticket: u64,
    pub(crate) records: usize,
    /// The number of its segment.
    pub(crate) file: u64,
    /// The ids of the job scopes, and how many records each has.
    pub(crate) jobs: Box<[(u64, usize)]>,
}

/// The job scopes of a chunk's records, with the number of records of each. 0, no job, is left out.
pub(crate) fn jobs_of(chunk: &Chunk) -> Vec<(u64, usize)> {
    let mut jobs: Vec<(u64, usize)> = Vec::new();
    for piece in chunk.pieces().filter(|piece| piece.job != 0) {
        match jobs.iter_mut().find(|(job, _)| *job == piece.job) {
            Some((_, records)) => *records += piece.records,
            None => jobs.push((piece.job, piece.records)),
        }
    }
    jobs
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

    /// Calls `each` with each job scope of its records, and their number.
    pub(crate) fn each_job(&self, mut each: impl FnMut(u64, u64)) {
        match self {
            Self::InMemory(chunk) => {
                for piece in chunk.pieces().filter(|piece| piece.job != 0) {
                    each(piece.job, piece.records as u64);
                }
            }
            Self::Unmapped(unmapped) => {
                unmapped.jobs.iter().for_each(|(job, records)| each(*job, *records as u64))
            }
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
