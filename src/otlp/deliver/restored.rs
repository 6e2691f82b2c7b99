//! Segments that are read back from the disk: this process's own, of which memory had no room, and those
//! that other processes left when they ended.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::SpanId;

use crate::diagnostics::report_once;
use crate::otlp::queue::chunk::copy::items_of;
use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::Queue;
use crate::otlp::signal::Signal;
use crate::otlp::span;
use crate::otlp::spool::directory::Directory;
use crate::otlp::spool::{DoneBits, SignalSpool};
use crate::otlp::sync::after;
use crate::wire::segment::read::{Entry, Segment};
use crate::wire::segment::MAX_ENTRIES;

/// How often the directories of other processes are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Where the records of a chunk are on the disk.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// Owned as long as there is something to read from it.
    _directory: Arc<Directory>,
    /// The number of the segment's use.
    pub(crate) number: u64,
    pub(crate) resource: Vec<u8>,
    /// For each record of the chunk, the number of its entry.
    pub(crate) entries: Vec<u16>,
    /// The entries that are done already.
    pub(crate) done: DoneBits,
    /// Entries that cannot be read.
    pub(crate) damaged: u64,
}

/// Reads a segment in `directory`. `None` if it is not there, or is none, which is reported. `is_own`: its jobs
/// are those of this process.
pub(crate) fn restore(directory: &Arc<Directory>, path: PathBuf, is_own: bool) -> Option<(Restored, Chunk)> {
    let read = fs::read(&path);
    let bytes = match &read {
        Ok(bytes) => bytes,
        Err(error) => {
            report_once(format_args!("a segment of the spool cannot be read: {}: {error}", path.display()));
            return None;
        }
    };
    let segment = match Segment::read(bytes) {
        Ok(segment) => segment,
        Err(error) => {
            directory.set_aside(&path);
            report_once(format_args!("a segment of the spool is set aside: {}: {error}", path.display()));
            return None;
        }
    };
    let mut chunk = Chunk::default();
    let mut restored = Restored {
        _directory: Arc::clone(directory),
        bytes: bytes.len() as u64,
        path: PathBuf::new(),
        number: segment.number,
        resource: segment.resource.to_vec(),
        entries: Vec::new(),
        done: [0; MAX_ENTRIES / 64],
        damaged: 0,
    };
    // Of records whose run is damaged, the scope is not known.
    let mut run: (u64, &[u8]) = (0, &[]);
    for (position, entry) in segment.entries().enumerate() {
        match entry {
            Entry::Run { job, scope } => run = (if is_own { job } else { 0 }, scope),
            Entry::Record { framed, is_done: false } => {
                chunk.add_framed(run.1, run.0, framed);
                restored.entries.push(position as u16);
            }
            Entry::Record { is_done: true, .. } => restored.done[position / 64] |= 1 << (position % 64),
            Entry::Damaged { is_run } => {
                if is_run {
                    run = (0, &[]);
                }
                restored.damaged += 1;
            }
        }
    }
    if restored.damaged > 0 {
        report_once(format_args!(
            "a segment of the spool is damaged, and read as far as possible: {}",
            path.display()
        ));
    }
    restored.path = path;
    Some((restored, chunk))
}

/// What other processes left, which is sent beside what is new.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    left: VecDeque<Left>,
    /// The spans of the current directory that have ended.
    ended: HashSet<SpanId>,
    next_look: Option<Instant>,
}

/// What is left in a directory of another process. Spans that had not ended come after the segments.
#[derive(Debug)]
enum Left {
    Segment(Arc<Directory>, u64),
    OpenSpan(Arc<Directory>, PathBuf),
    /// The directory has no more.
    End,
}

impl Leftovers {
    /// Takes over the directories of processes that have ended meanwhile.
    pub(crate) fn look(&mut self, queue: &Queue) {
        let Some(spool) = queue.pool.spool() else { return };
        let now = Instant::now();
        if self.next_look.is_some_and(|next| now < next) {
            return;
        }
        self.next_look = Some(after(LOOK_AGAIN));
        for (directory, segments, open) in spool.take_over() {
            self.left.extend(segments.into_iter().map(|file| Left::Segment(Arc::clone(&directory), file)));
            self.left.extend(open.into_iter().map(|path| Left::OpenSpan(Arc::clone(&directory), path)));
            self.left.push_back(Left::End);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The next segment with records, or span that had not ended. What has none is removed.
    pub(crate) fn next(&mut self, spool: &SignalSpool) -> Option<(Restored, Chunk)> {
        loop {
            let (restored, chunk) = match self.left.pop_front()? {
                Left::End => {
                    self.ended.clear();
                    continue;
                }
                Left::Segment(directory, file) => {
                    let path = directory.segment(spool.signal(), file);
                    let Some((restored, chunk)) = restore(&directory, path, false) else { continue };
                    if spool.signal() == Signal::Traces {
                        self.ended.extend(chunk.items().filter_map(span::id_of));
                    }
                    (restored, chunk)
                }
                Left::OpenSpan(directory, path) => {
                    let Some((restored, chunk)) = restore(&directory, path, false) else { continue };
                    (restored, self.interrupted(&chunk, directory.last_alive()))
                }
            };
            if chunk.records > 0 || restored.damaged > 0 {
                return Some((restored, chunk));
            }
            spool.remove(&restored.path, restored.bytes);
        }
    }

    /// The spans of a chunk that had not ended, as interrupted when their process was last alive.
    fn interrupted(&self, chunk: &Chunk, last_alive: Option<SystemTime>) -> Chunk {
        let mut ended = Chunk::default();
        for piece in chunk.pieces() {
            let spans = items_of(&chunk.bytes()[piece.framed.clone()]);
            for span in spans.filter(|span| span::id_of(span).is_some_and(|id| !self.ended.contains(&id))) {
                ended.add_framed(piece.scope, 0, &span::with_end(span, last_alive));
            }
        }
        ended
    }
}
