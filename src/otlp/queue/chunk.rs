//! A piece of a shard: encoded records, each with its header, one behind the other, and which scope they are of.
//!
//! Chunks are of one size, so that they can be recycled whole, and so that no buffer ever doubles.

use std::ops::Range;

use crate::record::Target;
use crate::wire::put::{tag, varint_len, LENGTH};

/// The field number of `ScopeLogs.log_records`, which the header in front of each record says.
const LOG_RECORDS: u8 = 2;

/// Names of scopes are cut to this length: they are written once for each request.
const MAX_NAME: usize = 1024;

/// What a chunk is charged with for each run: a `Vec` that has just doubled has twice what it needs.
pub(crate) const RUN_COST: usize = 2 * size_of::<Run>();

/// The longest header of a record: a tag, and a length that is in memory.
pub(crate) const MOST_HEADER: usize = 1 + 10;

/// An encoded `LogRecord` with its header, in the two pieces in which it was written. They are put
/// together where they are stored, not before: that would be one more copy.
#[derive(Debug)]
pub(crate) struct Encoded<'a> {
    /// The header, and the record up to its body.
    front: &'a [u8],
    rest: &'a [u8],
    header: usize,
}

impl<'a> Encoded<'a> {
    /// `front` has room for the header, and then the record from `begin`.
    #[inline]
    pub(crate) fn new(front: &'a mut [u8], begin: usize, rest: &'a [u8]) -> Self {
        let len = front.len() - begin + rest.len();
        let header = match len {
            0x80..0x4000 if begin >= 3 => {
                let header = [tag(LOG_RECORDS, LENGTH), len as u8 | 0x80, (len >> 7) as u8];
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

/// The header of a record that is shorter or longer than most.
fn put_header_before(front: &mut [u8], begin: usize, len: usize) -> usize {
    let header = 1 + varint_len(len as u64);
    let place = &mut front[begin - header..begin];
    place[0] = tag(LOG_RECORDS, LENGTH);
    for (position, byte) in place[1..].iter_mut().enumerate() {
        let more = if position + 2 < header { 0x80 } else { 0 };
        *byte = (len >> (7 * position)) as u8 & 0x7f | more;
    }
    header
}

/// Records of one scope that lie behind each other, up to where the next run begins.
#[derive(Clone, Debug)]
struct Run {
    /// `None`: the name stands in front of the records.
    name: Option<&'static str>,
    name_len: usize,
    /// Where the records begin.
    at: usize,
    /// How many records of other runs are in front.
    before: usize,
}

/// Records in the order in which their threads handed them over.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Chunks are numbered in the order in which they were begun.
    pub(crate) ticket: u64,
    pub(crate) records: usize,
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

/// One run, or a part of it.
#[derive(Clone, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) scope: &'a str,
    pub(crate) records: usize,
    /// Where in the chunk the records are, each with its header.
    pub(crate) framed: Range<usize>,
}

impl Chunk {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// The same, in as little memory as it takes.
    pub(crate) fn compact(&self) -> Self {
        Self { bytes: self.bytes.clone(), runs: self.runs.clone(), ..*self }
    }

    /// As new, with the memory that it has.
    pub(crate) fn clear(&mut self) {
        (self.ticket, self.records) = (0, 0);
        self.bytes.clear();
        self.runs.clear();
    }

    /// What the records of this chunk are charged with, see [`Budget`](super::budget::Budget).
    pub(crate) fn cost(&self) -> usize {
        self.bytes.len() + self.runs.len() * RUN_COST
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The most that [`add`](Self::add) takes for this record.
    #[inline]
    pub(crate) fn most(target: Target<'_>, framed: usize) -> usize {
        let name = match target {
            Target::Static(_) => 0,
            Target::Short(name) => name.len().min(MAX_NAME),
        };
        framed + name + RUN_COST
    }

    /// Appends a record, which takes at most `most`, and returns what it takes.
    #[inline]
    pub(crate) fn add(&mut self, target: Target<'_>, record: &Encoded<'_>, most: usize) -> usize {
        if self.bytes.capacity() - self.bytes.len() < most {
            // Exactly: a record that is larger than usual must not double the chunk.
            self.bytes.reserve_exact(most);
        }
        let run = if self.continues(target) { 0 } else { self.begin_run(target) };
        self.bytes.extend_from_slice(record.front);
        self.bytes.extend_from_slice(record.rest);
        self.records += 1;
        run + record.len()
    }

    /// Whether the last run is of this scope.
    #[inline]
    fn continues(&self, target: Target<'_>) -> bool {
        let Some(run) = self.runs.last() else { return false };
        match (run.name, target) {
            // Two literals of one text may be two runs; they meet again in the batch.
            (Some(name), Target::Static(target)) => std::ptr::eq(name, cut(target)),
            (None, Target::Short(target)) => {
                self.bytes[run.at - run.name_len..run.at] == *cut(target).as_bytes()
            }
            _ => false,
        }
    }

    /// Begins a run, and returns what that takes.
    #[cold]
    fn begin_run(&mut self, target: Target<'_>) -> usize {
        let (name, name_len) = match target {
            Target::Static(name) => (Some(cut(name)), 0),
            Target::Short(name) => {
                let name = cut(name);
                self.bytes.extend_from_slice(name.as_bytes());
                (None, name.len())
            }
        };
        self.runs.push(Run { name, name_len, at: self.bytes.len(), before: self.records });
        name_len + RUN_COST
    }

    /// The runs, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let ends = self.runs.iter().skip(1).map(|next| (next.at - next.name_len, next.before));
        let ends = ends.chain([(self.bytes.len(), self.records)]);
        self.runs.iter().zip(ends).map(|(run, (end, records))| {
            let name = &self.bytes[run.at - run.name_len..run.at];
            let scope = run.name.unwrap_or_else(|| std::str::from_utf8(name).unwrap_or_default());
            Piece { scope, records: records - run.before, framed: run.at..end }
        })
    }
}

/// A scope's name, cut on a character boundary.
#[inline]
fn cut(name: &str) -> &str {
    if name.len() <= MAX_NAME {
        name
    } else {
        &name[..name.floor_char_boundary(MAX_NAME)]
    }
}
