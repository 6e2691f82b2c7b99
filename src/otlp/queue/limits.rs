//! The sizes of a [`Queue`](super::Queue)'s parts, all derived from its limits.

use crate::otlp::counters::SHARDS;

/// How many bytes a chunk takes before the next one is begun: some hundred records.
const CHUNK: usize = 60 * 1024;

/// The smallest memory limit: below it a chunk would hold a handful of records.
pub(crate) const MIN_MEMORY: usize = 64 * 1024;

#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) memory: usize,
    /// The most bytes of one record, its frame and scope included.
    pub(crate) record: usize,
    /// So many records in one shard wake the worker.
    pub(crate) wake_records: usize,
    /// So many full chunks in one shard wake the worker.
    pub(crate) wake_chunks: usize,
    /// The bytes up to which chunks are filled. With a small memory limit they are small, as one is
    /// evicted at a time.
    pub(crate) chunk: usize,
    /// The bytes that a chunk has beyond that, for its last record. They are charged to the budget,
    /// too.
    pub(crate) slack: usize,
    /// What a chunk in a segment takes in addition: pages that are not full, and its index.
    pages: usize,
}

impl QueueLimits {
    pub(crate) fn new(memory: usize, record: usize, wake_records: usize) -> Self {
        let chunk = (memory / 128).min(CHUNK);
        Self { memory, record, wake_records, wake_chunks: usize::MAX, chunk, slack: chunk / 16, pages: 0 }
    }

    /// For chunks in segments.
    pub(crate) fn with_spool(self, has_spool: bool) -> Self {
        Self { pages: if has_spool { self.chunk / 8 } else { 0 }, ..self }
    }

    /// What each chunk is charged with, beside its records.
    #[inline]
    pub(crate) fn of_chunk(self) -> usize {
        self.slack + self.pages
    }

    /// Wakes the worker when a shard has so many bytes, too.
    pub(crate) fn with_wake_bytes(self, bytes: usize) -> Self {
        Self { wake_chunks: bytes / self.chunk, ..self }
    }

    /// How many bytes a shard leases at once. Idle leases are at most an eighth of the memory
    /// limit.
    pub(crate) fn lease(self) -> usize {
        (self.memory / (8 * SHARDS)).min(CHUNK)
    }
}
