//! A look at all jobs that costs little, for a view that looks ten times a second.

use std::sync::Arc;

use super::job::Job;
use super::jobs::Jobs;
use super::recorder::Recorder;
use crate::graph::call::Call;
use crate::graph::record::LogRecord;

/// What a view needs, in no order. Each with the arrival in which it came in.
#[derive(Debug)]
pub(in crate::graph) struct ViewSnapshot {
    pub(in crate::graph) calls: Vec<(u64, Arc<Call>)>,
    pub(in crate::graph) records: Vec<(u64, Arc<LogRecord>)>,
    /// The latest that is in it, or was before: what the next view_snapshot goes on from.
    pub(in crate::graph) arrival: u64,
}

impl Recorder {
    /// All spans, and the records after `since`.
    pub(in crate::graph) fn view_snapshot(&self, since: u64) -> ViewSnapshot {
        self.locked().view_snapshot(since)
    }

    /// The latest arrival in which a span started or ended.
    pub(in crate::graph) fn latest_span(&self) -> u64 {
        self.locked().latest_span
    }
}

impl Jobs {
    fn view_snapshot(&self, since: u64) -> ViewSnapshot {
        let jobs = || self.jobs.values().map(|(_, job)| job);
        ViewSnapshot {
            calls: jobs().flat_map(Job::calls).collect(),
            records: jobs().flat_map(|job| job.records_after(since)).collect(),
            arrival: self.arrival,
        }
    }
}
