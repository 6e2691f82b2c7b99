//! Which entries of a segment are done: they need not be sent again.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::wire::segment::{done_at, done_bytes, MAX_ENTRIES};

/// A bit for each entry.
pub(crate) type DoneBits = [u64; MAX_ENTRIES / 64];

/// Opens a segment to write them.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

/// Writes them to the label of a segment, for the use with this number. `resource`: the length of the resource in
/// the label.
pub(crate) fn write(file: &File, number: u64, resource: usize, bits: &DoneBits) -> io::Result<()> {
    write_at(file, &done_bytes(number, bits), done_at(resource) as u64)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}
