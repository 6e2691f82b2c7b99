//! Many jobs at once: which of them a span or a record belongs to, and how many are kept.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use opentelemetry::TraceId;

use super::job::{Job, Kept, Line, Snapshot};
use crate::graph::tree::Ids;

/// What a [`Recorder`](crate::graph::Recorder) keeps of one job by default, in bytes: some 14,000 spans with a job's
/// stamps, and about as many records.
pub const DEFAULT_JOB_BYTES: usize = 32 * 1024 * 1024;

/// How many jobs a [`Recorder`](crate::graph::Recorder) keeps by default.
pub const DEFAULT_JOBS: usize = 64;

/// What tells a job that a [`Recorder`](crate::graph::Recorder) keeps from the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobId {
    /// The execution id that spans and records are stamped with.
    Execution(Arc<str>),
    /// The trace, of spans without such a stamp.
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

/// A job that a [`Recorder`](crate::graph::Recorder) keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveJob {
    /// Which one.
    pub id: JobId,
    /// Whether nothing runs in it any more, and something did.
    pub is_finished: bool,
    /// How many of its spans are kept.
    pub spans: usize,
    /// How many of them have not ended.
    pub running: usize,
    /// What it takes of its bound, in bytes.
    pub bytes: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) job_bytes: usize,
    pub(super) jobs: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { job_bytes: DEFAULT_JOB_BYTES, jobs: DEFAULT_JOBS }
    }
}

/// Everything that a recorder keeps. Jobs are known by a number: the turn in which they were first heard of.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// The oldest first.
    pub(super) jobs: BTreeMap<u64, (JobId, Job)>,
    executions: HashMap<Arc<str>, u64>,
    traces: HashMap<TraceId, u64>,
    /// The jobs of the spans that are kept: their ends, children and records need not say it.
    homes: HashMap<Ids, u64>,
    /// Counts what came in; never 0 for anything that did.
    pub(super) turn: u64,
    /// The latest of a span.
    pub(super) span_turn: u64,
    let_go: u64,
}

impl Jobs {
    /// A span at its start or its end. Returns the job that had to go for it: to be dropped when the lock is free.
    #[must_use]
    pub(super) fn span(&mut self, span: Kept, settings: Settings) -> Option<Job> {
        self.turn += 1;
        self.span_turn = self.turn;
        let ids = span.ids();
        let before = self.homes.remove(&ids);
        let parent = self.homes.get(&(span.call.trace_id, span.call.parent_id)).copied();
        let execution = span.call.execution_id.as_deref().filter(|id| !id.is_empty());
        let stamped = execution.map(|id| self.of_execution(id));
        let (number, gone) = match (stamped, before.or(parent)) {
            (Some(of_execution), _) => self.find_or_begin(of_execution, settings),
            (None, Some(known)) => (known, None),
            (None, None) => self.find_or_begin(self.of_trace(span.call.trace_id), settings),
        };
        // Stamped after its start, as by a processor behind the recorder.
        if let Some(before) = before.filter(|before| *before != number) {
            let is_empty = self.jobs.get_mut(&before).is_some_and(|(_, job)| {
                let _ = job.hand_over(ids);
                job.spans() == 0 && job.bytes() == 0
            });
            if is_empty {
                let _ = self.take(before);
            }
        }
        if let Some((_, job)) = self.jobs.get_mut(&number) {
            self.homes.insert(ids, number);
            for ids in job.span(span, self.turn, settings.job_bytes) {
                self.homes.remove(&ids);
            }
        }
        gone
    }

    /// A record. Returns the job that had to go for it: to be dropped when the lock is free.
    #[must_use]
    pub(super) fn record(&mut self, line: Line, settings: Settings) -> Option<Job> {
        self.turn += 1;
        let ids = line.ids();
        let found = match (line.execution(), ids.and_then(|ids| self.homes.get(&ids))) {
            (Some(execution), _) => self.of_execution(execution),
            (None, Some(number)) => Ok(*number),
            (None, None) => self.of_trace(ids?.0),
        };
        let (number, gone) = self.find_or_begin(found, settings);
        if let Some((_, job)) = self.jobs.get_mut(&number) {
            job.record(line, self.turn, settings.job_bytes);
        }
        gone
    }

    /// The job's number, or its id if it is not kept.
    fn of_execution(&self, id: &str) -> Result<u64, JobId> {
        self.executions.get(id).copied().ok_or_else(|| JobId::execution(id))
    }

    fn of_trace(&self, id: TraceId) -> Result<u64, JobId> {
        self.traces.get(&id).copied().ok_or(JobId::Trace(id))
    }

    fn find_or_begin(&mut self, found: Result<u64, JobId>, settings: Settings) -> (u64, Option<Job>) {
        let id = match found {
            Ok(number) => return (number, None),
            Err(id) => id,
        };
        let gone = if self.jobs.len() < settings.jobs { None } else { self.let_go() };
        match &id {
            JobId::Execution(id) => drop(self.executions.insert(Arc::clone(id), self.turn)),
            JobId::Trace(id) => drop(self.traces.insert(*id, self.turn)),
        }
        self.jobs.insert(self.turn, (id, Job::default()));
        (self.turn, gone)
    }

    /// The oldest that is finished goes, or else the oldest.
    fn let_go(&mut self) -> Option<Job> {
        let finished = self.jobs.iter().find(|(_, (_, job))| job.is_finished());
        let number = *finished.or_else(|| self.jobs.iter().next())?.0;
        self.let_go += 1;
        self.take(number)
    }

    fn take(&mut self, number: u64) -> Option<Job> {
        let (id, job) = self.jobs.remove(&number)?;
        match id {
            JobId::Execution(id) => self.executions.remove(&id),
            JobId::Trace(id) => self.traces.remove(&id),
        };
        for ids in job.ids() {
            self.homes.remove(&ids);
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

    /// All jobs, and what is to be said of those that are not there.
    pub(super) fn snapshots(&self) -> (Vec<Snapshot>, Vec<String>) {
        let notes = match self.let_go {
            0 => Vec::new(),
            1 => vec!["1 older job was dropped".to_owned()],
            many => vec![format!("{many} older jobs were dropped")],
        };
        (self.jobs.values().map(|(_, job)| job.snapshot()).collect(), notes)
    }
}
