//! A chunk that the worker has dequeued. Requests refer to its records in place, until the last of
//! those requests has an outcome.

use std::mem;
use std::ops::Deref;
use std::sync::Weak;

use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::Queue;

/// Releases the chunk when it is dropped: its bytes to the budget, and its memory to the pool.
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
