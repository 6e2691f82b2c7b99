//! How large the parts of a [`Queue`](super::queue::Queue) are, all following from its limits.

use crate::otlp::counters::SHARDS;

/// How many bytes a chunk takes before the next one is begun: some hundred records.
const CHUNK: usize = 60 * 1024;

/// The smallest memory limit: below it a chunk would hold a handful of records.
pub(crate) const MIN_MEMORY: usize = 64 * 1024;

#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) memory: usize,
    /// What one record may take, its frame and scope included.
    pub(crate) record: usize,
    /// As many records in one shard wake the worker.
    pub(crate) wake_records: usize,
    /// What chunks are filled to. Small limits have small chunks: what is dropped to make room is one.
    pub(crate) chunk: usize,
    /// What a chunk has beyond that, for its last record. It is charged, so that no memory is free.
    pub(crate) slack: usize,
}

impl QueueLimits {
    pub(crate) fn new(memory: usize, record: usize, wake_records: usize) -> Self {
        let chunk = (memory / 128).min(CHUNK);
        Self { memory, record, wake_records, chunk, slack: chunk / 16 }
    }

    /// What a shard takes of the limit at once. Leases that lie idle are at most an eighth of it.
    pub(crate) fn lease(self) -> usize {
        (self.memory / (8 * SHARDS)).min(CHUNK)
    }
}
