//! Segments that are read back from the disk: this process's own, of which memory had no room, and those
//! that other processes left when they ended.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::SpanId;

use crate::diagnostics::report_once;
use crate::otlp::queue::chunk;
use crate::otlp::queue::chunk::copy::items_of;
use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::Queue;
use crate::otlp::span;
use crate::otlp::spool::directory::{Directory, Found};
use crate::otlp::spool::done::DoneBits;
use crate::otlp::spool::signal::SignalSpool;
use crate::otlp::sync::after;
use crate::wire::read::{Fields, Raw};
use crate::wire::segment::read::{Entry, Segment};
use crate::wire::segment::MAX_ENTRIES;

/// As [`Fields`] has it.
const RECORDS: u64 = chunk::RECORDS as u64;

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

/// Why a segment was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is not there.
    Gone,
    /// It is no segment, or its label is damaged. It was set aside, which is reported.
    Damaged,
    /// It could not be read now, which is reported. It stays.
    Failed,
}

/// Reads a segment in `directory`, and calls `each` with all of its records, also with those that are done.
/// `is_own`: its jobs are those of this process.
pub(crate) fn restore(
    directory: &Arc<Directory>,
    path: PathBuf,
    is_own: bool,
    mut each: impl FnMut(&[u8]),
) -> Result<(Restored, Chunk), Unread> {
    let read = fs::read(&path);
    let bytes = match &read {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unread::Gone),
        Err(error) => {
            report_once(format_args!("a segment of the spool cannot be read: {}: {error}", path.display()));
            return Err(Unread::Failed);
        }
    };
    let segment = match Segment::read(bytes) {
        Ok(segment) => segment,
        Err(error) => {
            directory.set_aside(&path);
            report_once(format_args!("a segment of the spool is set aside: {}: {error}", path.display()));
            return Err(Unread::Damaged);
        }
    };
    let mut chunk = Chunk::default();
    let mut restored = Restored {
        bytes: bytes.len() as u64,
        number: segment.number,
        resource: segment.resource.to_vec(),
        ..Restored::new(directory)
    };
    // Of records whose run is damaged, the scope is not known.
    let mut run: (u64, &[u8]) = (0, &[]);
    for (position, entry) in segment.entries().enumerate() {
        match entry {
            Entry::Run { job, scope } => run = (if is_own { job } else { 0 }, scope),
            Entry::Record { framed, is_done } => {
                // A request is made of these bytes.
                let Some(item) = only_item(framed) else {
                    restored.damaged += 1;
                    continue;
                };
                each(item);
                if is_done {
                    restored.done[position / 64] |= 1 << (position % 64);
                } else {
                    chunk.add_framed(run.1, run.0, framed);
                    restored.entries.push(position as u16);
                }
            }
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
    Ok((restored, chunk))
}

/// What other processes left, which is sent beside what is new.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    left: VecDeque<Left>,
    /// The segments of open spans of the current directory.
    open: Vec<Restored>,
    /// Where those spans are: which segment, and which entry.
    places: HashMap<SpanId, (usize, u16)>,
    next_look: Option<Instant>,
}

/// What is left in a directory of another process, in this order.
#[derive(Debug)]
enum Left {
    /// Its segments of open spans.
    Directory(Arc<Directory>, Vec<Found>),
    Segment(Arc<Directory>, Found),
    OpenSpans(Arc<Directory>, Found),
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
            self.left.push_back(Left::Directory(Arc::clone(&directory), open.clone()));
            self.left.extend(segments.into_iter().map(|path| Left::Segment(Arc::clone(&directory), path)));
            self.left.extend(open.into_iter().map(|path| Left::OpenSpans(Arc::clone(&directory), path)));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The next segment with records, or with spans that had not ended. Empty segments are removed. One that
    /// is damaged as a whole is an empty chunk, with one damaged entry.
    pub(crate) fn next(&mut self, spool: &SignalSpool) -> Option<(Restored, Chunk)> {
        loop {
            let (directory, bytes, read) = match self.left.pop_front()? {
                Left::Directory(directory, open) => {
                    self.find_open(&directory, open);
                    continue;
                }
                Left::Segment(directory, Found { path, bytes }) => {
                    let read = restore(&directory, path, false, |item| self.end(spool, item));
                    (directory, bytes, read)
                }
                Left::OpenSpans(directory, Found { path, bytes }) => {
                    // Which of them have ended is in their files.
                    self.forget_open();
                    let read = restore(&directory, path, false, |_| {});
                    let last_alive = directory.last_alive();
                    let read = read.map(|(restored, chunk)| (restored, interrupted(&chunk, last_alive)));
                    (directory, bytes, read)
                }
            };
            let (restored, chunk) = match read {
                Ok(read) => read,
                Err(why) => {
                    spool.forget_taken_over(bytes);
                    if why != Unread::Damaged {
                        continue;
                    }
                    (Restored { damaged: 1, ..Restored::new(&directory) }, Chunk::default())
                }
            };
            if chunk.records > 0 || restored.damaged > 0 {
                return Some((restored, chunk));
            }
            spool.remove(&restored.path, restored.bytes);
        }
    }

    /// Reads which spans of a directory had not ended, as far as their segments know.
    fn find_open(&mut self, directory: &Arc<Directory>, open: Vec<Found>) {
        self.forget_open();
        for Found { path, .. } in open {
            let Ok((restored, chunk)) = restore(directory, path, false, |_| {}) else { continue };
            for (item, entry) in chunk.items().zip(&restored.entries) {
                self.places.extend(span::id_of(item).map(|id| (id, (self.open.len(), *entry))));
            }
            self.open.push(restored);
        }
    }

    fn forget_open(&mut self) {
        self.open.clear();
        self.places.clear();
    }

    /// A span that has ended is not open, however soon the process was killed after that.
    fn end(&mut self, spool: &SignalSpool, span: &[u8]) {
        if self.places.is_empty() {
            return;
        }
        let Some((segment, entry)) = span::id_of(span).and_then(|id| self.places.remove(&id)) else { return };
        if let Some(Restored { path, number, resource, done, .. }) = self.open.get_mut(segment) {
            done[usize::from(entry) / 64] |= 1 << (entry % 64);
            spool.set_done(path, *number, resource.len(), done);
        }
    }
}

/// Spans that had not ended, as interrupted when their process was last alive.
fn interrupted(chunk: &Chunk, last_alive: Option<SystemTime>) -> Chunk {
    let mut ended = Chunk::default();
    for piece in chunk.pieces() {
        for span in items_of(&chunk.bytes()[piece.framed.clone()]) {
            ended.add_framed(piece.scope, 0, &span::interrupted(span, last_alive));
        }
    }
    ended
}

/// The record in `framed`, if that is one record with its header and nothing else.
fn only_item(framed: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields::of(framed);
    match fields.next() {
        Ok(Some((RECORDS, Raw::Bytes(item)))) if fields.rest().is_empty() => Some(item),
        _ => None,
    }
}

impl Restored {
    /// A segment of which nothing was read.
    fn new(directory: &Arc<Directory>) -> Self {
        Self {
            path: PathBuf::new(),
            bytes: 0,
            _directory: Arc::clone(directory),
            number: 0,
            resource: Vec::new(),
            entries: Vec::new(),
            done: [0; MAX_ENTRIES / 64],
            damaged: 0,
        }
    }
}
