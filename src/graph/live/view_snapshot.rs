//! A cheap snapshot of all jobs, for a view that takes one ten times a second.

use std::sync::Arc;

use super::job::Job;
use super::recorder::Recorder;
use crate::graph::call::Call;
use crate::graph::record::LogRecord;

/// What a view needs of a recorder, unordered, each with its arrival.
pub(in crate::graph) struct ViewSnapshot {
    pub(in crate::graph) calls: Vec<(u64, Arc<Call>)>,
    pub(in crate::graph) records: Vec<(u64, Arc<LogRecord>)>,
    /// The latest arrival so far: the `since` of the next snapshot.
    pub(in crate::graph) arrival: u64,
}

impl Recorder {
    /// All spans, and the records that arrived after `since`.
    pub(in crate::graph) fn view_snapshot(&self, since: u64) -> ViewSnapshot {
        let jobs = self.locked();
        let each = || jobs.jobs.values().map(|(_, job)| job);
        ViewSnapshot {
            calls: each().flat_map(Job::calls).collect(),
            records: each().flat_map(|job| job.records_after(since)).collect(),
            arrival: jobs.arrival,
        }
    }

    /// The latest arrival of a span's start or end.
    pub(in crate::graph) fn latest_span(&self) -> u64 {
        self.locked().latest_span
    }
}
