//! Empty chunks, to be reused, and new ones: with a spool, in segments of it.

use std::sync::Arc;

use crate::otlp::queue::chunk::{Chunk, RUN_COST};
use crate::otlp::queue::limits::QueueLimits;
use crate::otlp::spool::signal::SignalSpool;
use crate::otlp::spool::stock::Stock;
use crate::otlp::sync::{lock, lock_unless_forked, Mutex};

/// How many are kept. With the open chunk of each shard, this is the memory beyond the memory
/// limit: (32 + 32) times 64 KiB.
const POOLED: usize = 32;

#[derive(Debug)]
pub(crate) struct Pool {
    /// In boxes, so that a thread that begins a chunk allocates nothing.
    #[expect(clippy::vec_box, reason = "a box goes from the pool to the shard, to the worker and back")]
    chunks: Mutex<Vec<Box<Chunk>>>,
    /// The capacity of a new chunk.
    capacity: usize,
    stock: Option<Arc<Stock>>,
}

impl Pool {
    pub(crate) fn new(limits: QueueLimits, spool: Option<SignalSpool>) -> Self {
        let capacity = limits.chunk + limits.slack;
        Self {
            chunks: Mutex::new(Vec::new()),
            capacity,
            stock: spool.map(|spool| Stock::new(spool, capacity)),
        }
    }

    pub(crate) fn spool(&self) -> Option<&SignalSpool> {
        self.stock.as_deref().map(Stock::spool)
    }

    /// Whether the chunks are files of the process that this one was forked from.
    #[inline]
    pub(crate) fn is_of_parent(&self) -> bool {
        self.spool().is_some_and(SignalSpool::is_of_parent)
    }

    /// A chunk whose first record needs at most `wanted` bytes. `process`: the one that has the worker.
    pub(crate) fn take(&self, process: u32, wanted: usize) -> Box<Chunk> {
        // Memory of its own grows, a segment does not.
        let is_usual = self.stock.is_none() || wanted <= self.capacity;
        let pooled = lock_unless_forked(&self.chunks, process)
            .filter(|_| is_usual)
            .and_then(|mut chunks| chunks.pop());
        let in_segment = || Some(Box::new(Chunk::in_segment(self.stock.as_ref()?.take(wanted)?)));
        let chunk =
            pooled.or_else(in_segment).unwrap_or_else(|| Box::new(Chunk::with_capacity(self.capacity)));
        self.begun(&chunk);
        chunk
    }

    /// Keeps a chunk's memory for reuse. Nothing of it will be sent again.
    pub(crate) fn recycle(&self, mut chunk: Box<Chunk>) {
        if self.is_of_parent() {
            return;
        }
        chunk.clear();
        // Chunks that grew for a large record, and compacted ones, are freed; and so is one that is in
        // memory only, as no segment could be made.
        let is_usual = (self.capacity..=self.capacity + RUN_COST).contains(&chunk.capacity());
        let is_reusable = is_usual && chunk.segment().is_some() == self.stock.is_some();
        if let (Some(spool), Some(segment)) = (self.spool(), chunk.segment()) {
            spool.forget(segment.file);
        }
        if is_reusable {
            // While another thread has the lock, which in a forked child may be for ever, it is freed.
            if let Ok(mut chunks) = self.chunks.try_lock() {
                if chunks.len() < POOLED {
                    chunks.push(chunk);
                    return;
                }
            }
        }
        self.discard(*chunk);
    }

    fn discard(&self, chunk: Chunk) {
        if let (Some(spool), Some(segment)) = (self.spool(), chunk.into_segment()) {
            spool.discard(segment);
        }
    }

    /// The chunk, which may wait long for its requests, without capacity that it does not use.
    pub(crate) fn compact(&self, chunk: Box<Chunk>) -> Box<Chunk> {
        if chunk.len() >= self.capacity / 2 || chunk.segment().is_some() {
            return chunk;
        }
        let compact = Box::new(chunk.compact());
        self.recycle(chunk);
        compact
    }

    /// A copy of the chunk in a segment. `None` if none can be made.
    pub(crate) fn copy_to_segment(&self, chunk: &Chunk) -> Option<Chunk> {
        let stock = self.stock.as_ref()?;
        let copy = chunk.in_new_segment(|len| stock.take(len))?;
        self.begun(&copy);
        Some(copy)
    }

    /// A chunk is about to be filled.
    fn begun(&self, chunk: &Chunk) {
        if let (Some(spool), Some(segment)) = (self.spool(), chunk.segment()) {
            spool.begun(segment);
        }
    }

    /// Nothing is added to a segment any more.
    pub(crate) fn set_full(&self, file: u64) {
        if let Some(spool) = self.spool() {
            spool.set_full(file);
        }
    }

    /// Removes a segment that is not mapped.
    pub(crate) fn remove(&self, file: u64) {
        if let Some(spool) = self.spool() {
            spool.remove_own(file);
        }
    }

    /// Removes the segments that are kept for reuse.
    pub(crate) fn close(&self) {
        if let Some(spool) = self.spool() {
            spool.close_open_spans();
        }
        if !self.is_of_parent() {
            let chunks = std::mem::take(&mut *lock(&self.chunks));
            chunks.into_iter().for_each(|chunk| self.discard(*chunk));
            self.stock.iter().for_each(|stock| stock.close());
        }
    }
}
