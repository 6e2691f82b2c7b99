//! Empty chunks, to be reused.

use crate::otlp::queue::chunk::{Chunk, RUN_COST};
use crate::otlp::queue::limits::QueueLimits;
use crate::otlp::sync::{lock_unless_forked, Mutex};

/// How many are kept. With the open chunk of each shard, this is the memory beyond the memory
/// limit: (32 + 32) times 64 KiB.
const POOLED: usize = 32;

#[derive(Debug)]
pub(crate) struct Pool {
    chunks: Mutex<Vec<Chunk>>,
    /// The capacity of a new chunk.
    capacity: usize,
}

impl Pool {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { chunks: Mutex::new(Vec::new()), capacity: limits.chunk + limits.slack }
    }

    /// `process`: the one that has the worker.
    pub(crate) fn take(&self, process: u32) -> Chunk {
        let pooled = lock_unless_forked(&self.chunks, process).and_then(|mut chunks| chunks.pop());
        pooled.unwrap_or_else(|| Chunk::with_capacity(self.capacity))
    }

    /// Keeps a chunk's memory for reuse.
    pub(crate) fn recycle(&self, mut chunk: Chunk) {
        // Chunks that grew for a large record, and compacted ones, are freed.
        if !(self.capacity..=self.capacity + RUN_COST).contains(&chunk.capacity()) {
            return;
        }
        chunk.clear();
        // While another thread has the lock, which in a forked child may be for ever, it is freed.
        let Ok(mut chunks) = self.chunks.try_lock() else { return };
        if chunks.len() < POOLED {
            chunks.push(chunk);
        }
    }

    /// The chunk, which may wait long for its requests, without capacity that it does not use.
    pub(crate) fn compact(&self, chunk: Chunk) -> Chunk {
        if chunk.len() >= self.capacity / 2 {
            return chunk;
        }
        let compact = chunk.compact();
        self.recycle(chunk);
        compact
    }
}
