//! A look at all jobs that costs little, for a view that looks ten times a second.

use std::sync::Arc;

use super::job::Job;
use super::jobs::Jobs;
use super::recorder::Recorder;
use crate::graph::call::Call;
use crate::graph::record::LogRecord;

/// What a view needs, in no order. Each with the turn in which it came in.
#[derive(Debug)]
pub(in crate::graph) struct Glimpse {
    pub(in crate::graph) calls: Vec<(u64, Arc<Call>)>,
    pub(in crate::graph) records: Vec<(u64, Arc<LogRecord>)>,
    /// The latest that is in it, or was before: what the next glimpse goes on from.
    pub(in crate::graph) turn: u64,
}

impl Recorder {
    /// All spans, and the records after `since`.
    pub(in crate::graph) fn glimpse(&self, since: u64) -> Glimpse {
        self.kept().glimpse(since)
    }

    /// The latest turn in which a span started or ended.
    pub(in crate::graph) fn span_turn(&self) -> u64 {
        self.kept().span_turn
    }
}

impl Jobs {
    fn glimpse(&self, since: u64) -> Glimpse {
        let jobs = || self.jobs.values().map(|(_, job)| job);
        Glimpse {
            calls: jobs().flat_map(Job::calls).collect(),
            records: jobs().flat_map(|job| job.records_after(since)).collect(),
            turn: self.turn,
        }
    }
}
