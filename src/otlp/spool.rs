//! The spool: records and spans that outlive their process.
//!
//! With a spool, the queue's chunks are memory-mapped files (`segment`), so that what was enqueued is
//! there when the process has died. A pipeline has a directory of its own (`directory`), and takes over
//! those whose processes have ended. `signal` is what the queue of one signal uses of it, and
//! `open_spans` has the spans that have not ended. `stock` makes segments ahead. `sync` writes segments to the disk, for the case that the machine
//! fails. `map` has what needs `unsafe`.
//!
//! A segment is used again once all of its records have an outcome. What a shutdown leaves stays in its
//! file. When memory is short, segments are unmapped, and read again when their turn comes.

pub(crate) mod directory;
pub(crate) mod done;
pub(crate) mod map;
mod open_spans;
pub(crate) mod segment;
pub(crate) mod signal;
pub(crate) mod stock;
pub(crate) mod sync;
#[cfg(all(test, not(loom)))]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::error::Error;
use crate::otlp::signal::Signal;
use crate::otlp::spool::directory::Directory;
use crate::otlp::spool::open_spans::OpenSpans;
use crate::otlp::spool::sync::{SpoolSync, Syncer};

/// The bytes on the disk, unless the program says otherwise.
pub(crate) const DEFAULT_LIMIT: u64 = 1 << 30;

/// Below that, it would have room for a few segments.
const LEAST_LIMIT: u64 = 256 << 10;

/// The spool of a pipeline, for both signals.
#[derive(Debug)]
pub(crate) struct Spool {
    root: PathBuf,
    own: Arc<Directory>,
    limit: u64,
    used: AtomicU64,
    next_file: AtomicU64,
    syncer: Syncer,
    /// The number of forks that had led to its process.
    forks: u32,
    /// Its directory may be another process's now.
    is_released: AtomicBool,
    /// The last segment could not be made for want of room.
    is_full: AtomicBool,
    /// Why the spool took no more, until that is reported.
    failure: Mutex<Option<String>>,
    open_spans: Mutex<OpenSpans>,
    /// The directories of processes that have ended, as long as they are needed.
    taken_over: Mutex<HashMap<PathBuf, TakenOver>>,
}

#[derive(Debug, Default)]
struct TakenOver {
    directory: Weak<Directory>,
    /// By log records and by spans.
    is_taken: [bool; 2],
}

/// The settings of a [`Spool`].
#[derive(Clone, Debug)]
pub(crate) struct SpoolSettings {
    pub(crate) root: PathBuf,
    pub(crate) limit: u64,
    pub(crate) sync: SpoolSync,
}

impl Spool {
    /// Makes a directory for this pipeline.
    ///
    /// # Errors
    ///
    /// If that is not possible, or files cannot be written to it.
    pub(crate) fn open(settings: &SpoolSettings) -> Result<Arc<Self>, Error> {
        let failed = |error: io::Error| {
            let text = format!("the spool {} cannot be used", settings.root.display());
            Error::delivery(text).with_source(error)
        };
        if settings.limit < LEAST_LIMIT {
            let wanted = format_args!("at least {LEAST_LIMIT}");
            return Err(Error::setting(
                "the limit of the spool in bytes",
                &settings.limit.to_string(),
                wanted,
            ));
        }
        map::watch_forks();
        // The program may change its directory.
        let root = std::path::absolute(&settings.root).map_err(failed)?;
        let own = Arc::new(Directory::create(&root).map_err(failed)?);
        let syncer = Syncer::start(settings.sync, Arc::clone(&own))?;
        Ok(Arc::new(Self {
            root,
            own,
            limit: settings.limit,
            used: AtomicU64::new(0),
            next_file: AtomicU64::new(0),
            syncer,
            forks: map::forks(),
            is_released: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            failure: Mutex::default(),
            open_spans: Mutex::default(),
            taken_over: Mutex::default(),
        }))
    }

    /// Gives up the directory, so that others send what is left in it. Nothing of it is used any more.
    pub(crate) fn release(&self) {
        if self.is_of_parent() {
            return;
        }
        // No span that starts makes a file from here on.
        let open_spans = self.open_spans.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_released.swap(true, Ordering::AcqRel) {
            return;
        }
        drop(open_spans);
        self.syncer.finish();
        self.own.release();
    }

    #[inline]
    fn is_of_parent(&self) -> bool {
        self.forks != map::forks()
    }

    /// Whether files of it may be made and removed: it is this process's, and was not given up.
    fn is_usable(&self) -> bool {
        !self.is_of_parent() && !self.is_released.load(Ordering::Acquire)
    }

    /// Keeps why it took no more. Threads that emit do not report, as they hold a lock.
    fn fail(&self, text: String) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    /// Whether there may be spans that another process left.
    pub(crate) fn may_have_spans(&self) -> bool {
        Directory::all(&self.root).iter().any(|path| Directory::has_segments(path, Signal::Traces))
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        let reserve = |used: u64| Some(used + bytes).filter(|used| *used <= self.limit);
        match self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, reserve) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!("the limit of {} bytes is reached", self.limit),
            )),
        }
    }
}
