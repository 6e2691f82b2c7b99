//! [`Segment`]: memory for encoded records that is a part of a file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use memmap2::MmapMut;

use crate::otlp::spool::directory::unfinished;
use crate::otlp::spool::map::map;
use crate::wire::segment::write::Writer;
use crate::wire::segment::{label, DATA_AT};

/// A mapped segment, in the [format](crate::wire::segment) of its file. What was
/// [pushed](Self::push) is there when the process has died.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The number of its file.
    pub(crate) file: u64,
    map: MmapMut,
    writer: Writer,
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
        // Under another name, so that nobody reads a file that the process has not finished.
        let unfinished = unfinished(path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut created = options.open(&unfinished)?;
        let label = label(signal, resource, data_len);
        let mapped = DATA_AT + data_len;
        let made = created
            .write_all(&label)
            .and_then(|()| write_zeros(&mut created, mapped))
            .and_then(|()| map(&created, label.len() as u64, mapped))
            .and_then(|map| fs::rename(&unfinished, path).map(|()| map));
        match made {
            Ok(map) => Ok(Self { file, map, writer: Writer::default() }),
            Err(error) => {
                // What was written of it takes room on a disk that may be full.
                let _ = fs::remove_file(&unfinished);
                Err(error)
            }
        }
    }

    /// Begins a use with this number, which no other use of the file has. It is empty.
    pub(crate) fn begin(&mut self, number: u64) {
        self.writer.begin(&mut self.map, number);
    }

    /// The number of this use.
    pub(crate) fn number(&self) -> u64 {
        self.writer.number
    }

    /// Empties it. Nothing of it will be sent again.
    pub(crate) fn clear(&mut self) {
        self.writer.clear(&mut self.map);
    }

    /// Whether a record of so many bytes fits, with a run before it whose key has `key` bytes.
    #[inline]
    pub(crate) fn fits(&self, record: usize, key: usize) -> bool {
        self.writer.fits(self.capacity(), record, key)
    }

    /// Begins a run, which fits. It counts with its first record.
    pub(crate) fn begin_run(&mut self, job: u64, key: &[u8]) {
        self.writer.begin_run(&mut self.map, job, key);
    }

    /// Appends a record, which fits, in two pieces.
    #[inline]
    pub(crate) fn push(&mut self, front: &[u8], rest: &[u8]) {
        self.writer.push(&mut self.map, front, rest);
    }

    #[inline]
    pub(crate) fn data(&self) -> &[u8] {
        &self.map[DATA_AT..DATA_AT + self.writer.len]
    }

    /// The bytes of data that it has room for.
    #[inline]
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
