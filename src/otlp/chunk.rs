//! A piece of a shard: encoded records, each with its header, one behind the other, and which scope they are of.
//!
//! Chunks are of one size, so that they can be recycled whole, and so that no buffer ever doubles.

use super::wire::{field_len, put_header};
use crate::record::Target;

/// The field number of `ScopeLogs.log_records`, which the header in front of each record says.
const LOG_RECORDS: u8 = 2;

/// Names of scopes are cut to this length: they are written once for each request.
const MAX_NAME: usize = 1024;

/// What a chunk is charged with for each run: a `Vec` that has just doubled has twice what it needs.
pub(crate) const RUN_COST: usize = 2 * size_of::<Run>();

/// An encoded `LogRecord` in pieces. They are put together where they are stored, not before: that
/// would be one more copy.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    parts: [&'a [u8]; 4],
    len: usize,
}

impl<'a> Parts<'a> {
    #[inline]
    pub(crate) fn new(parts: [&'a [u8]; 4]) -> Self {
        Self { parts, len: parts.iter().map(|part| part.len()).sum() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn append_to(&self, out: &mut Vec<u8>) {
        self.parts.iter().for_each(|part| out.extend_from_slice(part));
    }

    pub(crate) fn concat(&self) -> Vec<u8> {
        self.parts.concat()
    }
}

impl<'a> From<&'a [u8]> for Parts<'a> {
    fn from(whole: &'a [u8]) -> Self {
        Self::new([whole, &[], &[], &[]])
    }
}

/// Records of one scope that lie behind each other.
#[derive(Debug)]
struct Run {
    /// `None`: the name stands in front of the records.
    name: Option<&'static str>,
    name_len: usize,
    records: usize,
    bytes: usize,
}

/// Records in the order in which their threads handed them over.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Chunks are numbered in the order in which they were begun.
    pub(crate) ticket: u64,
    pub(crate) records: usize,
    /// What this chunk is charged with, see [`Budget`](super::budget::Budget).
    pub(crate) cost: usize,
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

/// One run, to be read.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) scope: &'a str,
    pub(crate) records: usize,
    /// The records, each with its header.
    pub(crate) framed: &'a [u8],
}

impl Chunk {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// As new, with the memory that it has.
    pub(crate) fn clear(&mut self) {
        (self.ticket, self.records, self.cost) = (0, 0, 0);
        self.bytes.clear();
        self.runs.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The most that [`add`](Self::add) takes for this record.
    #[inline]
    pub(crate) fn most(target: Target<'_>, record: usize) -> usize {
        let name = match target {
            Target::Static(_) => 0,
            Target::Short(name) => name.len().min(MAX_NAME),
        };
        field_len(record) + name + RUN_COST
    }

    /// Appends a record, and returns what that takes.
    #[inline]
    pub(crate) fn add(&mut self, target: Target<'_>, record: &Parts<'_>) -> usize {
        let before = self.bytes.len();
        let most = Self::most(target, record.len());
        if self.bytes.capacity() - before < most {
            // Exactly: a record that is larger than usual must not double the chunk.
            self.bytes.reserve_exact(most);
        }
        let is_new = !self.continues(target);
        if is_new {
            self.begin_run(target);
        }
        put_header(&mut self.bytes, LOG_RECORDS, record.len());
        record.append_to(&mut self.bytes);
        if let Some(run) = self.runs.last_mut() {
            run.records += 1;
            run.bytes += field_len(record.len());
        }
        self.records += 1;
        self.bytes.len() - before + if is_new { RUN_COST } else { 0 }
    }

    /// Whether the last run is of this scope.
    #[inline]
    fn continues(&self, target: Target<'_>) -> bool {
        let Some(run) = self.runs.last() else { return false };
        match (run.name, target) {
            // Two literals of one text may be two runs; they meet again in the batch.
            (Some(name), Target::Static(target)) => std::ptr::eq(name, cut(target)),
            (None, Target::Short(target)) => {
                let start = self.bytes.len() - run.bytes - run.name_len;
                self.bytes[start..start + run.name_len] == *cut(target).as_bytes()
            }
            _ => false,
        }
    }

    fn begin_run(&mut self, target: Target<'_>) {
        let (name, name_len) = match target {
            Target::Static(name) => (Some(cut(name)), 0),
            Target::Short(name) => {
                let name = cut(name);
                self.bytes.extend_from_slice(name.as_bytes());
                (None, name.len())
            }
        };
        self.runs.push(Run { name, name_len, records: 0, bytes: 0 });
    }

    /// The runs, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut rest = self.bytes.as_slice();
        self.runs.iter().map(move |run| {
            let (name, behind) = rest.split_at(run.name_len);
            let (framed, behind) = behind.split_at(run.bytes);
            rest = behind;
            let scope = run.name.unwrap_or_else(|| std::str::from_utf8(name).unwrap_or_default());
            Piece { scope, records: run.records, framed }
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
