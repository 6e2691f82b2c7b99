//! A chunk that the worker has dequeued. Requests refer to its records in place, until the last of
//! those requests has an outcome.

use std::mem;
use std::ops::{Deref, Range};
use std::sync::Weak;

use crate::otlp::deliver::restored::Restored;
use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::Queue;
use crate::otlp::spool::done::DoneBits;
use crate::otlp::sync::{lock, Mutex};

/// Releases the chunk when it is dropped: its bytes to the budget, and its memory to the pool. A chunk of a
/// spool stays there if some of its records have no outcome.
#[derive(Debug)]
pub(crate) struct ChunkRef {
    chunk: Box<Chunk>,
    queue: Weak<Queue>,
    /// The segment that it was read from, which is not charged to the budget.
    restored: Option<Restored>,
    done: Mutex<Done>,
}

/// The records that have an outcome.
#[derive(Debug, Default)]
struct Done {
    records: usize,
    /// By their entries in the segment.
    bits: DoneBits,
}

impl ChunkRef {
    pub(crate) fn new(chunk: Box<Chunk>, queue: Weak<Queue>) -> Self {
        Self { chunk, queue, restored: None, done: Mutex::default() }
    }

    pub(crate) fn restored(restored: Restored, chunk: Box<Chunk>, queue: Weak<Queue>) -> Self {
        let done = Done { records: 0, bits: restored.done };
        Self { chunk, queue, restored: Some(restored), done: Mutex::new(done) }
    }

    /// Whether another process sends the records that have no outcome here.
    pub(crate) fn is_spooled(&self) -> bool {
        self.restored.is_some() || self.chunk.segment().is_some()
    }

    /// These records of a chunk in the spool have an outcome, and need not be sent again.
    pub(crate) fn set_done(&self, records: Range<usize>) {
        let mut done = lock(&self.done);
        done.records += records.len();
        for record in records {
            let entry = match &self.restored {
                Some(restored) => {
                    restored.entries.get(record).map_or(usize::MAX, |entry| usize::from(*entry))
                }
                None => self.chunk.entry_of(record),
            };
            if let Some(word) = done.bits.get_mut(entry / 64) {
                *word |= 1 << (entry % 64);
            }
        }
    }

    /// Stores which records are done, if others are not. A segment that is done as a whole is about to be
    /// emptied.
    pub(crate) fn store_done(&self) {
        let done = lock(&self.done);
        if done.records == self.chunk.records {
            return;
        }
        let Some(queue) = self.queue.upgrade() else { return };
        let Some(spool) = queue.pool.spool() else { return };
        match (&self.restored, self.chunk.segment()) {
            (Some(restored), _) => {
                let Restored { path, number, resource, .. } = restored;
                spool.set_done(path, *number, resource.len(), &done.bits);
            }
            (None, Some(segment)) => {
                let path = spool.own().segment(spool.signal(), segment.file);
                spool.set_done(&path, segment.number(), spool.resource().len(), &done.bits);
            }
            (None, None) => {}
        }
    }
}

impl Deref for ChunkRef {
    type Target = Chunk;

    fn deref(&self) -> &Chunk {
        &self.chunk
    }
}

impl Drop for ChunkRef {
    fn drop(&mut self) {
        let Some(queue) = self.queue.upgrade() else { return };
        let is_done = lock(&self.done).records == self.chunk.records;
        let chunk = mem::take(&mut self.chunk);
        match (&self.restored, queue.pool.spool()) {
            (Some(restored), Some(spool)) => {
                if is_done {
                    spool.remove(&restored.path, restored.bytes);
                }
            }
            _ => {
                queue.budget.release(queue.cost(&chunk));
                if is_done || chunk.segment().is_none() {
                    queue.pool.recycle(chunk);
                }
            }
        }
    }
}
