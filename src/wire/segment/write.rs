//! Writing the mapped part of a segment.

use std::sync::atomic::{compiler_fence, Ordering};

use crate::wire::segment::{
    checksum, committed, entry, seed, COMMITTED_AT, DATA_AT, ENTRY, INDEX_AT, MAX_ENTRIES, RUN_HEADER,
    USE_AGAIN_AT, USE_AT,
};

/// How far the mapped part of a segment is written, which each method is given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Writer {
    /// The number of this use.
    pub(crate) number: u64,
    /// The bytes of data.
    pub(crate) len: usize,
    entries: usize,
}

impl Writer {
    /// Begins a use with this number, which no use before had. The segment is empty.
    pub(crate) fn begin(&mut self, mapped: &mut [u8], number: u64) {
        self.number = number;
        for at in [USE_AT, USE_AGAIN_AT] {
            mapped[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
    }

    /// Empties it.
    pub(crate) fn clear(&mut self, mapped: &mut [u8]) {
        (self.len, self.entries) = (0, 0);
        self.commit(mapped);
    }

    /// Whether a record of so many bytes fits into `capacity` bytes of data, with a run before it whose key
    /// has `key` bytes.
    #[inline]
    pub(crate) fn fits(&self, capacity: usize, record: usize, key: usize) -> bool {
        self.len + record + key + RUN_HEADER <= capacity && self.entries + 2 <= MAX_ENTRIES
    }

    /// Begins a run, which fits. It counts with its first record.
    pub(crate) fn begin_run(&mut self, mapped: &mut [u8], job: u64, key: &[u8]) {
        self.add(mapped, true, &job.to_le_bytes(), key);
    }

    /// Appends a record, which fits, in two pieces.
    #[inline]
    pub(crate) fn push(&mut self, mapped: &mut [u8], front: &[u8], rest: &[u8]) {
        self.add(mapped, false, front, rest);
        self.commit(mapped);
    }

    #[inline]
    fn add(&mut self, mapped: &mut [u8], is_run: bool, front: &[u8], rest: &[u8]) {
        let (begin, end) = (self.len, self.len + front.len() + rest.len());
        let (head, data) = mapped.split_at_mut(DATA_AT);
        let place = &mut data[begin..end];
        let (first, second) = place.split_at_mut(front.len());
        first.copy_from_slice(front);
        second.copy_from_slice(rest);
        let sum = checksum(seed(self.number, self.entries), place);
        let at = INDEX_AT + ENTRY * self.entries;
        head[at..at + ENTRY].copy_from_slice(&entry(sum, is_run, end));
        (self.len, self.entries) = (end, self.entries + 1);
    }

    /// All entries count from now on. If the process is ended in between, the processor has still stored
    /// everything that comes before in the program, if the compiler has left it there.
    #[inline]
    fn commit(&mut self, mapped: &mut [u8]) {
        compiler_fence(Ordering::Release);
        mapped[COMMITTED_AT..COMMITTED_AT + 8].copy_from_slice(&committed(self.entries));
        compiler_fence(Ordering::Release);
    }
}
