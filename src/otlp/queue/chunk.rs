//! A part of a shard: encoded records or spans in a row, each with its header, and their scopes.
//!
//! Chunks are allocated with one size, so that they can be recycled and do not double. Only one
//! with a record that is larger than usual has more. With a spool, they are segments of it.

pub(crate) mod copy;

use std::ops::Range;

use crate::otlp::spool::segment::Segment;
use crate::record::Target;
use crate::wire::put::{tag, varint_len, LENGTH};
use crate::wire::segment::{ENTRY, RUN_HEADER};

/// The field number of `ScopeLogs.log_records` and of `ScopeSpans.spans`, which is in the header of
/// each record.
pub(crate) const RECORDS: u8 = 2;

/// The longest name of a record's scope, in bytes. Longer ones are truncated.
const MAX_NAME: usize = 1024;

/// The scope of a record: its name, or for spans the [encoded scope](crate::otlp::span::scope).
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScopeKey<'a> {
    /// Lives as long as the program.
    Static(&'static [u8]),
    /// Is copied to the chunk.
    Borrowed(&'a [u8]),
}

impl<'a> ScopeKey<'a> {
    pub(crate) fn key(self) -> &'a [u8] {
        match self {
            Self::Static(key) => key,
            Self::Borrowed(key) => key,
        }
    }
}

impl<'a> From<Target<'a>> for ScopeKey<'a> {
    #[inline]
    fn from(target: Target<'a>) -> Self {
        match target {
            Target::Static(name) => Self::Static(cut(name).as_bytes()),
            Target::Borrowed(name) => Self::Borrowed(cut(name).as_bytes()),
        }
    }
}

/// The bytes that a chunk is charged with for each run: a `Vec` that has just doubled has twice
/// what it needs.
pub(crate) const RUN_COST: usize = 2 * size_of::<Run>();

/// The longest header of a record: a tag and a length.
pub(crate) const MAX_HEADER: usize = 1 + 10;

/// An encoded `LogRecord` with its header, in the two pieces in which it was written. They are
/// joined where they are stored, which saves a copy.
#[derive(Debug)]
pub(crate) struct Encoded<'a> {
    /// The header, and the record up to its body.
    front: &'a [u8],
    rest: &'a [u8],
    /// The length of the header.
    header: usize,
}

impl<'a> Encoded<'a> {
    /// `front` has the record from `begin`, and space for the header before.
    #[inline]
    pub(crate) fn new(front: &'a mut [u8], begin: usize, rest: &'a [u8]) -> Self {
        let len = front.len() - begin + rest.len();
        let header = match len {
            0x80..0x4000 if begin >= 3 => {
                let header = [tag(RECORDS, LENGTH), len as u8 | 0x80, (len >> 7) as u8];
                front[begin - 3..begin].copy_from_slice(&header);
                3
            }
            _ => put_header_before(front, begin, len),
        };
        Self { front: &front[begin - header..], rest, header }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.front.len() + self.rest.len()
    }

    /// The record without its header.
    pub(crate) fn record(&self) -> Vec<u8> {
        [&self.front[self.header..], self.rest].concat()
    }
}

/// Writes the header of a record whose length does not take two bytes.
fn put_header_before(front: &mut [u8], begin: usize, len: usize) -> usize {
    let header = 1 + varint_len(len as u64);
    let place = &mut front[begin - header..begin];
    place[0] = tag(RECORDS, LENGTH);
    for (position, byte) in place[1..].iter_mut().enumerate() {
        let more = if position + 2 < header { 0x80 } else { 0 };
        *byte = (len >> (7 * position)) as u8 & 0x7f | more;
    }
    header
}

/// Records of one scope and job in a row, up to where the next run begins.
#[derive(Clone, Debug)]
struct Run {
    /// The id of the job's account; 0 if there is none.
    job: u64,
    /// The key of the scope. `None`: it is in the chunk, before the records.
    key: Option<&'static [u8]>,
    key_len: usize,
    /// The bytes of the chunk that the run itself takes, before its records.
    header: usize,
    /// The offset of the records in the chunk.
    at: usize,
    /// How many records the runs before have.
    before: usize,
}

/// Records in the order in which they were enqueued.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Chunks are numbered in the order in which they were begun.
    pub(crate) ticket: u64,
    pub(crate) records: usize,
    memory: Memory,
    runs: Vec<Run>,
}

/// Where the bytes of a chunk are.
#[derive(Debug)]
enum Memory {
    Own(Vec<u8>),
    /// In a file, too.
    Segment(Segment),
}

impl Default for Memory {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

/// One run, or a part of it.
#[derive(Clone, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) scope: &'a [u8],
    pub(crate) records: usize,
    /// The number of the first one in the chunk.
    pub(crate) first: usize,
    /// The id of the job's account; 0 if there is none.
    pub(crate) job: u64,
    /// The range of the chunk that has the records, each with its header.
    pub(crate) framed: Range<usize>,
}

impl Chunk {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { memory: Memory::Own(Vec::with_capacity(bytes)), ..Self::default() }
    }

    /// An empty chunk in an empty segment.
    pub(crate) fn in_segment(segment: Segment) -> Self {
        Self { memory: Memory::Segment(segment), ..Self::default() }
    }

    /// The segment that it is in.
    pub(crate) fn segment(&self) -> Option<&Segment> {
        match &self.memory {
            Memory::Own(_) => None,
            Memory::Segment(segment) => Some(segment),
        }
    }

    pub(crate) fn into_segment(self) -> Option<Segment> {
        match self.memory {
            Memory::Own(_) => None,
            Memory::Segment(segment) => Some(segment),
        }
    }

    /// The number of the entry that a record has in the segment: there, each run is an entry as well.
    pub(crate) fn entry_of(&self, record: usize) -> usize {
        record + self.runs.partition_point(|run| run.before <= record)
    }

    /// Begins to fill it.
    pub(crate) fn begin(&mut self, ticket: u64) {
        self.ticket = ticket;
        if let Memory::Segment(segment) = &mut self.memory {
            segment.begin(ticket);
        }
    }

    /// Empties it, and keeps its memory.
    pub(crate) fn clear(&mut self) {
        (self.ticket, self.records) = (0, 0);
        match &mut self.memory {
            Memory::Own(bytes) => bytes.clear(),
            Memory::Segment(segment) => segment.clear(),
        }
        self.runs.clear();
    }

    /// The bytes that the records of this chunk are charged with, see
    /// [`Budget`](super::budget::Budget).
    pub(crate) fn cost(&self) -> usize {
        let entries = match &self.memory {
            Memory::Own(_) => 0,
            Memory::Segment(_) => self.runs.len() + self.records,
        };
        self.len() + self.runs.len() * RUN_COST + entries * ENTRY
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.memory {
            Memory::Own(bytes) => bytes,
            Memory::Segment(segment) => segment.data(),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(crate) fn capacity(&self) -> usize {
        match &self.memory {
            Memory::Own(bytes) => bytes.capacity(),
            Memory::Segment(segment) => segment.capacity(),
        }
    }

    /// Whether such a record can be added. Memory of its own grows.
    #[inline]
    pub(crate) fn fits(&self, scope: ScopeKey<'_>, record: &Encoded<'_>) -> bool {
        match &self.memory {
            Memory::Own(_) => true,
            Memory::Segment(segment) => segment.fits(record.len(), scope.key().len()),
        }
    }

    /// The most bytes that a record of `framed` bytes is charged with when it is
    /// [added](Self::add).
    #[inline]
    pub(crate) fn max_cost(scope: ScopeKey<'_>, framed: usize) -> usize {
        framed + scope.key().len() + RUN_HEADER + RUN_COST + 2 * ENTRY
    }

    /// Appends a record of `job`, which [fits](Self::fits) and is charged with at most `max_cost` bytes, and
    /// returns the bytes that it is charged with.
    #[inline]
    pub(crate) fn add(
        &mut self,
        scope: ScopeKey<'_>,
        job: u64,
        record: &Encoded<'_>,
        max_cost: usize,
    ) -> usize {
        let run = if self.continues(scope, job) { 0 } else { self.begin_run(scope, job) };
        self.records += 1;
        match &mut self.memory {
            Memory::Own(bytes) => {
                if bytes.capacity() - bytes.len() < record.len() {
                    // Exactly, as a record that is larger than usual must not double the chunk.
                    bytes.reserve_exact(max_cost);
                }
                bytes.extend_from_slice(record.front);
                bytes.extend_from_slice(record.rest);
                run + record.len()
            }
            Memory::Segment(segment) => {
                segment.push(record.front, record.rest);
                run + record.len() + ENTRY
            }
        }
    }

    /// Whether a record of this scope and job continues the last run.
    #[inline]
    fn continues(&self, scope: ScopeKey<'_>, job: u64) -> bool {
        let Some(run) = self.runs.last().filter(|run| run.job == job) else { return false };
        match (run.key, scope) {
            // Two literals with the same text may make two runs; the batch joins them.
            (Some(key), ScopeKey::Static(scope)) => std::ptr::eq(key, scope),
            (None, ScopeKey::Borrowed(scope)) => self.bytes()[run.at - run.key_len..run.at] == *scope,
            _ => false,
        }
    }

    /// Begins a run, and returns the bytes that it is charged with.
    #[cold]
    fn begin_run(&mut self, scope: ScopeKey<'_>, job: u64) -> usize {
        let mut cost = RUN_COST;
        let begin = self.len();
        let (known, key) = match scope {
            ScopeKey::Static(key) => (Some(key), key),
            ScopeKey::Borrowed(key) => (None, key),
        };
        match &mut self.memory {
            Memory::Own(bytes) if known.is_none() => bytes.extend_from_slice(key),
            Memory::Own(_) => {}
            Memory::Segment(segment) => {
                segment.begin_run(job, key);
                cost += ENTRY;
            }
        }
        let (key_len, at) = (key.len(), self.len());
        let header = at - begin;
        self.runs.push(Run { job, key: known, key_len, header, at, before: self.records });
        header + cost
    }

    /// The runs, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let ends = self.runs.iter().skip(1).map(|next| (next.at - next.header, next.before));
        let ends = ends.chain([(self.len(), self.records)]);
        self.runs.iter().zip(ends).map(|(run, (end, records))| {
            let scope = run.key.unwrap_or_else(|| &self.bytes()[run.at - run.key_len..run.at]);
            let (first, job) = (run.before, run.job);
            Piece { scope, records: records - first, first, job, framed: run.at..end }
        })
    }
}

/// A scope's name, truncated on a character boundary.
#[inline]
fn cut(name: &str) -> &str {
    if name.len() <= MAX_NAME {
        name
    } else {
        &name[..name.floor_char_boundary(MAX_NAME)]
    }
}
