//! A chunk that the worker has taken. Its records are read where they are, until the last request with one
//! of them has its outcome.

use std::mem;
use std::ops::Deref;
use std::sync::Weak;

use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::Queue;

/// Gives everything back when it is dropped: the bytes that the chunk is charged with, and its memory.
#[derive(Debug)]
pub(crate) struct ChunkRef {
    chunk: Chunk,
    queue: Weak<Queue>,
}

impl ChunkRef {
    pub(crate) fn new(chunk: Chunk, queue: Weak<Queue>) -> Self {
        Self { chunk, queue }
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
        if let Some(queue) = self.queue.upgrade() {
            queue.budget.release(queue.cost(&self.chunk));
            queue.pool.recycle(mem::take(&mut self.chunk));
        }
    }
}
