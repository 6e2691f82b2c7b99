//! Chunks that are full: in memory, or on the disk only.

use crate::otlp::queue::chunk::Chunk;
use crate::otlp::queue::importance::Importance;

/// A chunk to which nothing is added any more.
#[derive(Debug)]
pub(crate) enum Full {
    InMemory(Box<Chunk>),
    Unmapped(Unmapped),
}

/// A chunk whose segment is not mapped.
#[derive(Debug)]
pub(crate) struct Unmapped {
    pub(crate) ticket: u64,
    pub(crate) records: usize,
    /// The number of its segment.
    pub(crate) file: u64,
    /// That of the record that matters most.
    pub(crate) importance: Importance,
    /// The ids of the jobs' accounts, and how many records each has.
    pub(crate) jobs: Box<[(u64, usize)]>,
}

/// The jobs of a chunk's runs, with the number of records of each. 0, no job, is left out.
pub(crate) fn job_runs(chunk: &Chunk) -> impl Iterator<Item = (u64, usize)> + '_ {
    chunk.pieces().filter(|piece| piece.job != 0).map(|piece| (piece.job, piece.records))
}

/// The same, each job once.
pub(crate) fn jobs_of(chunk: &Chunk) -> Vec<(u64, usize)> {
    let mut jobs: Vec<(u64, usize)> = Vec::new();
    for (job, records) in job_runs(chunk) {
        match jobs.iter_mut().find(|(known, _)| *known == job) {
            Some((_, all)) => *all += records,
            None => jobs.push((job, records)),
        }
    }
    jobs
}

impl From<Box<Chunk>> for Full {
    fn from(chunk: Box<Chunk>) -> Self {
        Self::InMemory(chunk)
    }
}

impl Full {
    pub(crate) fn ticket(&self) -> u64 {
        match self {
            Self::InMemory(chunk) => chunk.ticket,
            Self::Unmapped(unmapped) => unmapped.ticket,
        }
    }

    pub(crate) fn records(&self) -> usize {
        match self {
            Self::InMemory(chunk) => chunk.records,
            Self::Unmapped(unmapped) => unmapped.records,
        }
    }

    /// Calls `each` with each job of its records, and their number.
    pub(crate) fn each_job(&self, mut each: impl FnMut(u64, u64)) {
        match self {
            Self::InMemory(chunk) => {
                job_runs(chunk).for_each(|(job, records)| each(job, records as u64));
            }
            Self::Unmapped(unmapped) => {
                unmapped.jobs.iter().for_each(|(job, records)| each(*job, *records as u64))
            }
        }
    }

    /// The number of its segment, if it has one.
    pub(crate) fn file(&self) -> Option<u64> {
        match self {
            Self::InMemory(chunk) => chunk.segment().map(|segment| segment.file),
            Self::Unmapped(unmapped) => Some(unmapped.file),
        }
    }
}
