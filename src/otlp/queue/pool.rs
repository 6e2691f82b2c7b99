//! Chunks that are empty, for the next ones to be begun.

use crate::otlp::queue::chunk::{Chunk, RUN_COST};
use crate::otlp::queue::limits::QueueLimits;
use crate::otlp::sync::{lock, Mutex};

/// How many are kept at most. With the chunk that each shard may have begun, this is the memory beyond
/// the limit: (32 + 32) times 64 KiB.
const POOLED: usize = 32;

#[derive(Debug)]
pub(crate) struct Pool {
    chunks: Mutex<Vec<Chunk>>,
    /// What a chunk of the usual size has room for.
    usual: usize,
}

impl Pool {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { chunks: Mutex::new(Vec::new()), usual: limits.chunk + limits.slack }
    }

    pub(crate) fn take(&self) -> Chunk {
        let pooled = lock(&self.chunks).pop();
        pooled.unwrap_or_else(|| Chunk::with_capacity(self.usual))
    }

    /// Keeps a chunk's memory for later.
    pub(crate) fn recycle(&self, mut chunk: Chunk) {
        // One that grew for a large record is given back, and so is one that was made to fit.
        if !(self.usual..=self.usual + RUN_COST).contains(&chunk.capacity()) {
            return;
        }
        chunk.clear();
        let mut chunks = lock(&self.chunks);
        if chunks.len() < POOLED {
            chunks.push(chunk);
        }
    }

    /// A chunk that is to lie for a while: one that is mostly empty must not keep its room for so long.
    pub(crate) fn compact(&self, chunk: Chunk) -> Chunk {
        if chunk.len() >= self.usual / 2 {
            return chunk;
        }
        let fitting = chunk.compact();
        self.recycle(chunk);
        fitting
    }
}
