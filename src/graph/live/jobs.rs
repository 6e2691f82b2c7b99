//! All jobs of a recorder: which of them a span or a record belongs to, and how many are kept.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use opentelemetry::TraceId;

use super::job::{Job, Snapshot, StoredRecord, StoredSpan};
use crate::graph::call::Ids;
use crate::graph::counted::counted;

/// The memory limit of one job in a [`Recorder`](crate::graph::Recorder) by default, in bytes: some
/// 14,000 spans with the job's attributes, and about as many records.
pub const DEFAULT_JOB_BYTES: usize = 32 * 1024 * 1024;

/// The number of jobs that a [`Recorder`](crate::graph::Recorder) keeps by default.
pub const DEFAULT_JOBS: usize = 64;

/// Identifies a job in a [`Recorder`](crate::graph::Recorder).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobId {
    /// The execution id in the attributes of spans and records.
    Execution(Arc<str>),
    /// The trace, for spans without an execution id.
    Trace(TraceId),
}

impl JobId {
    /// The job with this execution id.
    pub fn execution(id: &str) -> Self {
        Self::Execution(id.into())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execution(id) => f.write_str(id),
            Self::Trace(id) => write!(f, "{id}"),
        }
    }
}

/// A job in a [`Recorder`](crate::graph::Recorder).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveJob {
    /// Identifies the job.
    pub id: JobId,
    /// Whether no span is running and at least one has ended.
    pub is_finished: bool,
    /// How many of its spans are kept, running ones included.
    pub spans: usize,
    /// How many of these have not ended.
    pub running: usize,
    /// Memory in use, of its limit in bytes.
    pub bytes: usize,
}

/// The limits that a [`Recorder`](crate::graph::Recorder) has for what arrives through it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    pub(super) job_bytes: usize,
    /// At least 1.
    pub(super) jobs: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { job_bytes: DEFAULT_JOB_BYTES, jobs: DEFAULT_JOBS }
    }
}

/// The jobs of a recorder. A job's number is the arrival of its first span or record.
#[derive(Debug, Default)]
pub(in crate::graph) struct Jobs {
    /// By number, so the oldest comes first.
    pub(in crate::graph) jobs: BTreeMap<u64, (JobId, Job)>,
    executions: HashMap<Arc<str>, u64>,
    traces: HashMap<TraceId, u64>,
    /// The job of each span that is kept. Its end, its children and its records may come without an
    /// execution id.
    job_of_span: HashMap<Ids, u64>,
    /// Number of spans' starts and ends and of records received so far; the first one is 1.
    pub(in crate::graph) arrival: u64,
    /// The latest arrival of a span's start or end.
    pub(in crate::graph) latest_span: u64,
    evicted_jobs: u64,
}

impl Jobs {
    /// Adds a span at its start or its end. Returns the job that was evicted for it, to be dropped
    /// once the lock is released.
    #[must_use]
    pub(super) fn add_span(&mut self, span: StoredSpan, capacity: Capacity) -> Option<Job> {
        self.arrival += 1;
        self.latest_span = self.arrival;
        let ids = span.call.ids();
        let before = self.job_of_span.remove(&ids);
        let parent = self.job_of_span.get(&(span.call.trace_id, span.call.parent_id)).copied();
        let execution = span.call.execution();
        let stamped = execution.map(|id| self.job_of_execution(id));
        let (number, evicted) = match (stamped, before.or(parent)) {
            (Some(stamped), _) => self.find_or_insert(stamped, capacity),
            (None, Some(known)) => (known, None),
            (None, None) => self.find_or_insert(self.job_of_trace(span.call.trace_id), capacity),
        };
        // The span got its execution id after its start, as by a processor behind the recorder.
        if let Some(before) = before.filter(|before| *before != number) {
            let is_empty = self.jobs.get_mut(&before).is_some_and(|(_, job)| {
                let _ = job.remove_running(ids);
                job.spans() == 0 && job.bytes() == 0
            });
            if is_empty {
                let _ = self.take(before);
            }
        }
        if let Some((_, job)) = self.jobs.get_mut(&number) {
            self.job_of_span.insert(ids, number);
            for ids in job.add_span(span, self.arrival, capacity.job_bytes) {
                self.job_of_span.remove(&ids);
            }
        }
        evicted
    }

    /// Adds a record. Returns the job that was evicted for it, to be dropped once the lock is
    /// released.
    #[must_use]
    pub(super) fn add_record(&mut self, record: StoredRecord, capacity: Capacity) -> Option<Job> {
        self.arrival += 1;
        let ids = record.record.ids();
        let found = match (record.execution(), ids.and_then(|ids| self.job_of_span.get(&ids))) {
            (Some(execution), _) => self.job_of_execution(execution),
            (None, Some(number)) => Ok(*number),
            (None, None) => self.job_of_trace(ids?.0),
        };
        let (number, evicted) = self.find_or_insert(found, capacity);
        if let Some((_, job)) = self.jobs.get_mut(&number) {
            job.add_record(record, self.arrival, capacity.job_bytes);
        }
        evicted
    }

    /// The job's number, or its id if the job is not kept.
    fn job_of_execution(&self, id: &str) -> Result<u64, JobId> {
        self.executions.get(id).copied().ok_or_else(|| JobId::execution(id))
    }

    fn job_of_trace(&self, id: TraceId) -> Result<u64, JobId> {
        self.traces.get(&id).copied().ok_or(JobId::Trace(id))
    }

    fn find_or_insert(&mut self, found: Result<u64, JobId>, capacity: Capacity) -> (u64, Option<Job>) {
        let id = match found {
            Ok(number) => return (number, None),
            Err(id) => id,
        };
        let evicted = if self.jobs.len() < capacity.jobs { None } else { self.evict() };
        match &id {
            JobId::Execution(id) => drop(self.executions.insert(Arc::clone(id), self.arrival)),
            JobId::Trace(id) => drop(self.traces.insert(*id, self.arrival)),
        }
        self.jobs.insert(self.arrival, (id, Job::default()));
        (self.arrival, evicted)
    }

    /// Evicts the oldest finished job, or the oldest one if none is finished.
    fn evict(&mut self) -> Option<Job> {
        let finished = self.jobs.iter().find(|(_, (_, job))| job.is_finished());
        let number = *finished.or_else(|| self.jobs.iter().next())?.0;
        self.evicted_jobs += 1;
        self.take(number)
    }

    fn take(&mut self, number: u64) -> Option<Job> {
        let (id, job) = self.jobs.remove(&number)?;
        match id {
            JobId::Execution(id) => self.executions.remove(&id),
            JobId::Trace(id) => self.traces.remove(&id),
        };
        for ids in job.ids() {
            self.job_of_span.remove(&ids);
        }
        Some(job)
    }

    fn number(&self, id: &JobId) -> Option<u64> {
        match id {
            JobId::Execution(id) => self.executions.get(id).copied(),
            JobId::Trace(id) => self.traces.get(id).copied(),
        }
    }

    pub(super) fn get(&self, id: &JobId) -> Option<&Job> {
        Some(&self.jobs.get(&self.number(id)?)?.1)
    }

    pub(super) fn remove(&mut self, id: &JobId) -> Option<Job> {
        self.take(self.number(id)?)
    }

    pub(super) fn list(&self) -> Vec<LiveJob> {
        let jobs = self.jobs.values().map(|(id, job)| LiveJob {
            id: id.clone(),
            is_finished: job.is_finished(),
            spans: job.spans(),
            running: job.running(),
            bytes: job.bytes(),
        });
        jobs.collect()
    }

    /// All jobs, and the note about those that were evicted.
    pub(super) fn snapshots(&self) -> (Vec<Snapshot>, Option<String>) {
        let notes = counted(self.evicted_jobs, "older job was dropped", "older jobs were dropped");
        (self.jobs.values().map(|(_, job)| job.snapshot()).collect(), notes)
    }
}
