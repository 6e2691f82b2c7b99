//! Segments that are read back from the disk: this process's own, of which memory had no room, and those
//! that other processes left when they ended.

use std::collections::VecDeque;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::diagnostics::report_once;
use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::Queue;
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
    pub(crate) directory: Arc<Directory>,
    pub(crate) file: u64,
    pub(crate) bytes: u64,
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

/// Reads a segment. `None` if it is not there, or is none, which is reported. `is_own`: its jobs are those of
/// this process.
pub(crate) fn restore(
    spool: &SignalSpool,
    directory: &Arc<Directory>,
    file: u64,
    is_own: bool,
) -> Option<(Restored, Chunk)> {
    let path = directory.segment(spool.signal(), file);
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
            directory.set_aside(spool.signal(), file);
            report_once(format_args!("a segment of the spool is set aside: {}: {error}", path.display()));
            return None;
        }
    };
    let mut chunk = Chunk::default();
    let mut restored = Restored {
        directory: Arc::clone(directory),
        file,
        bytes: bytes.len() as u64,
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
    Some((restored, chunk))
}

/// What other processes left, which is sent beside what is new.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    segments: VecDeque<(Arc<Directory>, u64)>,
    next_look: Option<Instant>,
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
        for (directory, segments) in spool.take_over() {
            self.segments.extend(segments.into_iter().map(|file| (Arc::clone(&directory), file)));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The next segment with records, and its directory. What has none is removed.
    pub(crate) fn next(&mut self, spool: &SignalSpool) -> Option<(Restored, Chunk)> {
        while let Some((directory, file)) = self.segments.pop_front() {
            let Some((restored, chunk)) = restore(spool, &directory, file, false) else { continue };
            if chunk.records > 0 || restored.damaged > 0 {
                return Some((restored, chunk));
            }
            spool.remove(&directory, file, restored.bytes);
        }
        None
    }
}
