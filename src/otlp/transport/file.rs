//! JSON lines in a file: one request on each line, as a collector's `otlpjsonfile` receiver reads
//! them.
//!
//! The operating system has a line when its request is answered: nothing is buffered, and nothing
//! is synced to the disk.

#[cfg(test)]
mod tests;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io};

use crate::error::Error;
use crate::otlp::deliver::request::Request;
use crate::otlp::json::request_to_json;
use crate::otlp::signal::Signal;
use crate::otlp::transport::{Answer, Transport};

/// Appends to a file, and rotates it when it is full.
///
/// Other processes may read, move or delete the file. The lines of one that appends to it come
/// between ours and are rotated with them.
#[derive(Debug)]
pub(crate) struct FileTransport {
    path: PathBuf,
    signal: Signal,
    rotation: Option<Rotation>,
    /// `None` after an error.
    open: Option<OpenFile>,
}

#[derive(Clone, Copy, Debug)]
struct Rotation {
    /// No file grows beyond this, unless by a single line that is longer.
    max_bytes: u64,
    /// How many full files are kept beside the one that is written.
    keep: usize,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    /// The length of the file after our last write. With another one, somebody else has written.
    len: u64,
    /// The last line is incomplete, so that the next one must begin with a line break.
    is_torn: bool,
}

impl FileTransport {
    /// A transport that appends to the file at `path`, which is created with its directories if
    /// needed.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened for writing.
    pub(crate) fn new(path: impl Into<PathBuf>, signal: Signal) -> Result<Self, Error> {
        let path = path.into();
        let open = OpenFile::append(&path).map_err(|error| {
            let shown = path.display().to_string();
            Error::setting("the path of the JSON lines", &shown, "a file that can be written to")
                .with_source(error)
        })?;
        Ok(Self { path, signal, rotation: None, open: Some(open) })
    }

    /// Moves the file to `<path>.1` before it would have more than `max_bytes`, the one there to
    /// `<path>.2`, and so on up to `keep`; older ones are deleted. Default: the file grows on.
    #[must_use]
    pub(crate) fn with_rotation(self, max_bytes: u64, keep: usize) -> Self {
        Self { rotation: Some(Rotation { max_bytes, keep }), ..self }
    }

    /// Writes `line`, which ends in a line break. Returns a warning if the file could not be
    /// rotated.
    fn write(&mut self, line: &[u8]) -> io::Result<String> {
        let mut open = self.current()?;
        let mut warning = String::new();
        let found = open.file.metadata()?;
        if found.len() != open.len {
            open.is_torn = is_torn(&found, &self.path);
        }
        if let Some(rotation) = self.rotation.filter(|rotation| rotation.is_due(&found, line)) {
            // Windows does not move open files.
            drop(open);
            // A file that cannot be moved grows: a larger file is better than a lost line.
            if let Err(error) = rotation.make_room(&self.path) {
                warning = format!("{} could not be rotated: {error}", self.path.display());
            }
            open = OpenFile::append(&self.path)?;
        }
        // After an error the file stays closed, and the next request opens it again.
        open.write(line)?;
        self.open = Some(open);
        Ok(warning)
    }

    /// The file that is at the path at this moment.
    fn current(&mut self) -> io::Result<OpenFile> {
        if let Some(open) = self.open.take() {
            let is_there = match (open.file.metadata(), fs::metadata(&self.path)) {
                (Ok(ours), Ok(theirs)) => is_same(&ours, &theirs),
                _ => false,
            };
            if is_there {
                return Ok(open);
            }
        }
        OpenFile::append(&self.path)
    }
}

impl Transport for FileTransport {
    /// Ignores the deadline: writing to a file waits for nobody, and a late line is better than a
    /// lost one.
    fn send(&mut self, request: &mut Request, _deadline: Instant) -> Answer {
        let mut line = match request_to_json(self.signal, request.bytes()) {
            Ok(line) => line,
            Err(error) => return Answer::Refused { why: error.to_string() },
        };
        line.push('\n');
        match self.write(line.as_bytes()) {
            Ok(message) => Answer::Accepted { rejected: 0, message },
            Err(error) => {
                let why = format!("{} could not be written to: {error}", self.path.display());
                match is_permanent(error.kind()) {
                    true => Answer::Refused { why },
                    false => Answer::TryAgain { after: None, why },
                }
            }
        }
    }
}

impl Rotation {
    fn is_due(&self, found: &Metadata, line: &[u8]) -> bool {
        found.is_file() && found.len() > 0 && found.len().saturating_add(line.len() as u64) > self.max_bytes
    }

    /// Renames every file to the next number. The last one is overwritten by the one before it.
    fn make_room(&self, path: &Path) -> io::Result<()> {
        if self.keep == 0 {
            return fs::remove_file(path);
        }
        for place in (1..self.keep).rev() {
            match fs::rename(numbered(path, place), numbered(path, place + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(path, numbered(path, 1))
    }
}

fn numbered(path: &Path, place: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{place}"));
    PathBuf::from(name)
}

impl OpenFile {
    fn append(path: &Path) -> io::Result<Self> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let found = file.metadata()?;
        Ok(Self { file, len: found.len(), is_torn: is_torn(&found, path) })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.is_torn {
            return self.write_whole(line);
        }
        // One write, so that readers see the line break and this line together.
        self.write_whole(&[b"\n", line].concat())?;
        self.is_torn = false;
        Ok(())
    }

    /// Writes all of `bytes` or, if possible, none of them.
    fn write_whole(&mut self, bytes: &[u8]) -> io::Result<()> {
        let before = self.file.metadata()?;
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => return self.undo(&before, written, io::ErrorKind::WriteZero.into()),
                Ok(taken) => written += taken,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.undo(&before, written, error),
            }
        }
        self.len = before.len().saturating_add(bytes.len() as u64);
        self.file.flush()
    }

    /// Removes a part of a line that was written, as to a full disk, unless another process has
    /// appended since. In that case the next line begins with a line break, as after a crash.
    fn undo(&self, before: &Metadata, written: usize, error: io::Error) -> io::Result<()> {
        let ours = before.len().saturating_add(written as u64);
        if written > 0 && before.is_file() && self.file.metadata()?.len() == ours {
            // If this fails, the line still was not written for the first reason.
            let _ = self.file.set_len(before.len());
        }
        Err(error)
    }
}

/// Whether the last line is incomplete. If the end cannot be read, it is taken for that: readers skip an
/// empty line, but not a broken one.
fn is_torn(found: &Metadata, path: &Path) -> bool {
    found.is_file() && found.len() > 0 && last_byte(path).ok() != Some(b'\n')
}

fn last_byte(path: &Path) -> io::Result<u8> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Errors for which a retry is of no use. Others may pass: a disk is cleaned up, a share comes back, a
/// file system is no longer read-only.
fn is_permanent(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::*;
    matches!(kind, IsADirectory | NotADirectory | InvalidInput | InvalidFilename | Unsupported)
}

#[cfg(unix)]
fn is_same(ours: &Metadata, theirs: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())
}

/// Without inode numbers, any file at the path counts: an open file cannot be replaced here.
#[cfg(not(unix))]
fn is_same(_ours: &Metadata, _theirs: &Metadata) -> bool {
    true
}
