//! [`Segment`]: memory for encoded records that is a part of a file.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{compiler_fence, Ordering};

use memmap2::MmapMut;

use crate::otlp::spool::map::map;
use crate::wire::segment::{
    checksum, committed, entry, label, seed, COMMITTED_AT, DATA_AT, INDEX_AT, MAX_ENTRIES, RUN_HEADER,
    USE_AGAIN_AT, USE_AT,
};

/// A mapped segment, in the [format](crate::wire::segment) of its file. What was
/// [pushed](Self::push) is there when the process has died.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The number of its file.
    pub(crate) file: u64,
    map: MmapMut,
    /// The number of this use.
    pub(crate) number: u64,
    len: usize,
    entries: usize,
}

impl Segment {
    /// Creates the file, with all of its blocks: a full disk is an error here.
    pub(super) fn create(
        path: &Path,
        file: u64,
        signal: u8,
        resource: &[u8],
        data_len: usize,
    ) -> io::Result<Self> {
        let mut created = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        let label = label(signal, resource, data_len);
        let mapped = DATA_AT + data_len;
        let made = created
            .write_all(&label)
            .and_then(|()| write_zeros(&mut created, mapped))
            .and_then(|()| map(&created, label.len() as u64, mapped));
        match made {
            Ok(map) => Ok(Self { file, map, number: 0, len: 0, entries: 0 }),
            Err(error) => {
                // What was written of it takes room on a disk that may be full.
                let _ = std::fs::remove_file(path);
                Err(error)
            }
        }
    }

    /// Begins a use with this number, which no other use of the directory has. It is empty.
    pub(crate) fn begin(&mut self, number: u64) {
        self.number = number;
        for at in [USE_AT, USE_AGAIN_AT] {
            self.map[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
    }

    /// Empties it. Nothing of it will be sent again.
    pub(crate) fn clear(&mut self) {
        (self.len, self.entries) = (0, 0);
        self.commit();
    }

    /// Whether a record of so many bytes fits, with a run before it whose key has `key` bytes.
    #[inline]
    pub(crate) fn fits(&self, record: usize, key: usize) -> bool {
        self.len + record + key + RUN_HEADER <= self.capacity() && self.entries + 2 <= MAX_ENTRIES
    }

    /// Begins a run, which fits. It counts with its first record.
    pub(crate) fn begin_run(&mut self, job: u64, key: &[u8]) {
        self.add(true, &job.to_le_bytes(), key);
    }

    /// Appends a record, which fits, in two pieces.
    #[inline]
    pub(crate) fn push(&mut self, front: &[u8], rest: &[u8]) {
        self.add(false, front, rest);
        self.commit();
    }

    #[inline]
    fn add(&mut self, is_run: bool, front: &[u8], rest: &[u8]) {
        let (begin, end) = (self.len, self.len + front.len() + rest.len());
        let (head, data) = self.map.split_at_mut(DATA_AT);
        let place = &mut data[begin..end];
        let (first, second) = place.split_at_mut(front.len());
        first.copy_from_slice(front);
        second.copy_from_slice(rest);
        let sum = checksum(seed(self.number, self.entries), place);
        let at = INDEX_AT + 8 * self.entries;
        head[at..at + 8].copy_from_slice(&entry(sum, is_run, end));
        (self.len, self.entries) = (end, self.entries + 1);
    }

    /// All entries count from now on. If the process is ended in between, the processor has still stored
    /// everything that comes before in the program, if the compiler has left it there.
    #[inline]
    fn commit(&mut self) {
        compiler_fence(Ordering::Release);
        self.map[COMMITTED_AT..COMMITTED_AT + 8].copy_from_slice(&committed(self.entries));
        compiler_fence(Ordering::Release);
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.map[DATA_AT..DATA_AT + self.len]
    }

    /// The bytes of data that it has room for.
    pub(crate) fn capacity(&self) -> usize {
        self.map.len() - DATA_AT
    }
}

fn write_zeros(file: &mut impl Write, mut len: usize) -> io::Result<()> {
    const ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];
    while len > 0 {
        let part = len.min(ZEROS.len());
        file.write_all(&ZEROS[..part])?;
        len -= part;
    }
    Ok(())
}
