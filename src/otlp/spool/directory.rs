//! Directories of segments, each of which has one owner: the process that holds the lock of its file
//! `lock`. The lock ends with the process, however that ends, and with all children that it has forked
//! and that run no other program.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, DirEntry, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::otlp::signal::Signal;
use crate::sorted::sort;
use crate::wire::segment::{label_len, resource_len, LABEL_HEAD};

const LOCK: &str = "lock";

/// The end of a segment's name.
const SEGMENT: &str = ".seg";

/// The end of the name of a file that its process has not finished.
const UNFINISHED: &str = ".new";

/// The beginning of the name of a segment of spans that have started.
const OPEN: &str = "open-";

/// The end of the name of a segment whose label is damaged: nobody reads it.
const DAMAGED: &str = ".damaged";

/// Longer than it takes to make a directory and its lock.
const MAKING: Duration = Duration::from_secs(60);

/// How often another name is tried for a directory that somebody else has taken.
const ATTEMPTS: usize = 16;

/// A directory that this process owns.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Locked until it is dropped.
    lock: Mutex<Option<File>>,
    process: u32,
}

/// A segment that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl Found {
    fn new(entry: &DirEntry) -> Self {
        Self { path: entry.path(), bytes: entry.metadata().map_or(0, |metadata| metadata.len()) }
    }
}

impl Directory {
    /// Makes a new one below `root`, which is made if it is not there.
    pub(crate) fn create(root: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        make_dir(root, true)?;
        let process = std::process::id();
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..ATTEMPTS {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = root.join(format!("{:014}-{process}-{number}", since.as_millis()));
            // Until it is locked, another process may take it for one of the dead, and remove it.
            match make_dir(&path, false).and_then(|()| Self::lock(path, true)) {
                Ok(Some(own)) => return Ok(own),
                Ok(None) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The places of all directories below `root`, the oldest first.
    pub(crate) fn all(root: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        sort(&mut paths);
        paths
    }

    /// Takes over the directory if its owner has ended. Files that it has not finished are removed.
    pub(crate) fn take_over(path: PathBuf) -> Option<Self> {
        let taken = match Self::lock(path.clone(), false) {
            Ok(taken) => taken?,
            Err(_) => {
                // A process that ended while it made or removed the directory has left it without a lock. One
                // that has just been made is not touched.
                let made = fs::metadata(&path).and_then(|found| found.modified()).ok()?;
                if made.elapsed().is_ok_and(|age| age < MAKING) || fs::remove_dir(&path).is_ok() {
                    return None;
                }
                // A thread may have made a file in it while it was given up.
                Self::lock(path, true).ok()??
            }
        };
        for entry in fs::read_dir(&taken.path).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.ends_with(UNFINISHED)) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Some(taken)
    }

    /// `None` if another process owns it.
    fn lock(path: PathBuf, create: bool) -> io::Result<Option<Self>> {
        let lock =
            File::options().read(true).write(true).create(create).truncate(false).open(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {
                let lock = Mutex::new(Some(lock));
                Ok(Some(Self { path, lock, process: std::process::id() }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The place of a segment of spans that have started.
    pub(crate) fn open_spans_segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("{OPEN}{number:08}{SEGMENT}"))
    }

    /// The segments with spans that may not have ended, in the order in which they were made.
    pub(crate) fn open_spans(&self) -> Vec<Found> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        let mut found: Vec<_> =
            entries.flatten().filter(is_of_open_spans).map(|entry| Found::new(&entry)).collect();
        sort(&mut found);
        found
    }

    /// The owner is alive.
    pub(crate) fn set_alive(&self) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = &*lock {
            // If that fails, the last time is an earlier one.
            let _ = lock.set_modified(SystemTime::now());
        }
    }

    /// When the owner was last known to be alive.
    pub(crate) fn last_alive(&self) -> Option<SystemTime> {
        fs::metadata(self.path.join(LOCK)).and_then(|metadata| metadata.modified()).ok()
    }

    /// The place of a signal's segment.
    pub(crate) fn segment(&self, signal: Signal, number: u64) -> PathBuf {
        self.path.join(format!("{}-{number:08}{SEGMENT}", signal.name()))
    }

    /// Whether the directory at `path`, which may be another process's, has segments of this signal.
    pub(crate) fn has_segments(path: &Path, signal: Signal) -> bool {
        let Ok(mut entries) = fs::read_dir(path) else { return false };
        entries.any(|entry| {
            let is_segment = |entry: &DirEntry| number_of(&entry.file_name(), signal).is_some();
            entry.is_ok_and(|entry| {
                is_segment(&entry) || (signal == Signal::Traces && is_of_open_spans(&entry))
            })
        })
    }

    /// A signal's segments, in the order in which they were begun.
    pub(crate) fn segments(&self, signal: Signal) -> Vec<Found> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        let mut found = Vec::new();
        for entry in entries.flatten().filter(|entry| number_of(&entry.file_name(), signal).is_some()) {
            found.push((use_number(&entry.path()).unwrap_or_default(), Found::new(&entry)));
        }
        sort(&mut found);
        found.into_iter().map(|(_, found)| found).collect()
    }

    /// Keeps a segment that cannot be read for whoever wants to look into it.
    pub(crate) fn set_aside(&self, path: &Path) {
        // If that fails, the next process finds it again.
        let _ = fs::rename(path, path.with_extension(&DAMAGED[1..]));
    }

    /// Gives the directory up, and removes it if it has no segments.
    pub(crate) fn release(&self) {
        // A forked child's copy is its parent's directory.
        if std::process::id() != self.process {
            return;
        }
        let Some(lock) = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let mut entries = fs::read_dir(&self.path).into_iter().flatten();
        if entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == LOCK)) {
            // The file first: as long as it is locked, nobody takes the directory.
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
        // A forked child has the same open file, which keeps the lock if it is only closed.
        let _ = lock.unlock();
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.release();
    }
}

/// Makes a directory that only this user can enter: what is logged may be secret.
fn make_dir(path: &Path, with_parents: bool) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(with_parents);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The place of a file that is not finished.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    path.with_extension(&UNFINISHED[1..])
}

fn is_of_open_spans(entry: &DirEntry) -> bool {
    entry.file_name().to_str().is_some_and(|name| name.starts_with(OPEN) && name.ends_with(SEGMENT))
}

/// The number of a segment, by its name.
fn number_of(name: &OsStr, signal: Signal) -> Option<u64> {
    name.to_str()?.strip_suffix(SEGMENT)?.strip_prefix(signal.name())?.strip_prefix('-')?.parse().ok()
}

/// The number of a segment's last use, by which they are in order.
fn use_number(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut head = [0; LABEL_HEAD];
    file.read_exact(&mut head)?;
    file.seek(SeekFrom::Start(label_len(resource_len(&head)) as u64))?;
    let mut number = [0; 8];
    file.read_exact(&mut number)?;
    Ok(u64::from_le_bytes(number))
}
