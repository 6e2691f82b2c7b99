//! [`Recorder`]: the handle, and the hooks by which spans and records come in.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::job::{StoredRecord, StoredSpan};
use super::jobs::{Capacity, JobId, Jobs, LiveJob};
use super::sdk_record;
use crate::graph::call::Call;
use crate::graph::record::LogRecord;
use crate::graph::tool_call_graph::ToolCallGraph;
use crate::graph::tree::Parts;
use crate::keys::Keys;

#[cfg(doc)]
use super::jobs::{DEFAULT_JOBS, DEFAULT_JOB_BYTES};

/// Listens to spans and records while jobs run, and keeps what a graph needs of them.
///
/// A recorder is a cheap handle: one clone goes where spans and records come by, one stays with whoever
/// wants the graph. [`Builder::with_recorder`](crate::Builder::with_recorder) puts it there in one call. In a
/// subscriber of one's own it is a span processor, which comes behind
/// [`JobSpanProcessor`](crate::JobSpanProcessor), and for the records a log processor or, where there is
/// no logger provider, a [layer](crate::LogLayer::recording).
///
/// ```
/// use opentelemetry::trace::{Tracer, TracerProvider};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use spanlog::graph::Recorder;
///
/// let recorder = Recorder::default();
/// let provider = SdkTracerProvider::builder().with_span_processor(recorder.clone()).build();
/// let span = provider.tracer("app").start("job.deploy");
/// assert!(recorder.graph().to_text().contains("running"));
/// drop(span);
/// assert!(!recorder.graph().to_text().contains("running"));
/// ```
///
/// # Jobs
///
/// Spans and records are one job's that carry the same [execution id](Keys::execution_id). A span
/// without one belongs to the job of its parent, and a record to that of its span; where those are not locked, one
/// trace is taken for a job. Records without a span belong to the job that they are stamped with. Records
/// without a span and a job, and those of spans that are not sampled, are not locked.
///
/// # Memory
///
/// Bounded for each job ([`with_job_bytes`](Self::with_job_bytes), [`DEFAULT_JOB_BYTES`]) and in the
/// number of jobs ([`with_jobs`](Self::with_jobs), [`DEFAULT_JOBS`]). Beyond its bound a job lets go:
///
/// * its oldest records; those of WARN and above later than the others, as long as they take no more
///   than a quarter of the bound. They stay in their span's [counts](crate::graph::Node::own_counts);
/// * its oldest spans, once the spans take half of the bound: the finished ones first.
///
/// The graph's [notes](ToolCallGraph::notes) say how many. Beyond the number of jobs the oldest
/// finished job goes, or the oldest of all if none is finished. A runner that lives for months
/// [takes](Self::take) each job when it is done.
///
/// # On the emitting threads
///
/// A span costs two short locks, a record one. Nothing is formatted and no code of others runs while the
/// lock is held, and nothing is logged.
#[derive(Clone, Default)]
pub struct Recorder {
    jobs: Arc<Mutex<Jobs>>,
    keys: Keys,
    capacity: Capacity,
}

impl Recorder {
    /// Sets under which names tool, operation and execution id are found. For this handle, and those that are
    /// cloned from it.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// Sets how many bytes are locked of a job, as far as the data itself goes. For what comes in through this handle,
    /// and those that are cloned from it. Default: [`DEFAULT_JOB_BYTES`].
    #[must_use]
    pub fn with_job_bytes(mut self, bytes: usize) -> Self {
        self.capacity.job_bytes = bytes;
        self
    }

    /// Sets how many jobs are locked, at least one. For what comes in through this handle, and those that are cloned
    /// from it. Default: [`DEFAULT_JOBS`].
    #[must_use]
    pub fn with_jobs(mut self, jobs: usize) -> Self {
        self.capacity.jobs = jobs.max(1);
        self
    }

    /// The jobs that are locked, in the order in which they were first heard of.
    pub fn jobs(&self) -> Vec<LiveJob> {
        self.locked().list()
    }

    /// The graph of one job as it is at the moment; `None` if it is not locked.
    pub fn graph_of(&self, job: &JobId) -> Option<ToolCallGraph> {
        let locked = self.locked().get(job)?.snapshot();
        Some(ToolCallGraph::of_parts(locked.into_parts()))
    }

    /// The graph of everything that is locked, as it is at the moment.
    pub fn graph(&self) -> ToolCallGraph {
        let (all, notes) = self.locked().snapshots();
        let mut parts = Parts { notes, ..Parts::default() };
        for snapshot in all {
            let Parts { calls, records, counted, notes } = snapshot.into_parts();
            parts.calls.extend(calls);
            parts.records.extend(records);
            parts.counted.extend(counted);
            parts.notes.extend(notes);
        }
        ToolCallGraph::of_parts(parts)
    }

    /// Hands over the graph of a job and forgets the job; `None` if it is not locked.
    ///
    /// For a job that is finished: of one that still runs, what comes later is a job of its own.
    pub fn take(&self, job: &JobId) -> Option<ToolCallGraph> {
        let taken = self.locked().remove(job)?;
        Some(ToolCallGraph::of_parts(taken.snapshot().into_parts()))
    }

    /// Forgets a job, as [`take`](Self::take) does. Returns whether it was locked.
    pub fn forget(&self, job: &JobId) -> bool {
        // A statement of its own: the lock is free when the job's memory is freed.
        let removed = self.locked().remove(job);
        removed.is_some()
    }

    pub(crate) fn add_record(&self, record: LogRecord) {
        let record = StoredRecord::of(record, &self.keys);
        // Bound to a name, so that the memory of a job that had to go is freed when the lock is free.
        let evicted = self.locked().record(record, self.capacity);
        drop(evicted);
    }

    fn add_span(&self, call: Call) {
        let locked = StoredSpan::of(call);
        let evicted = self.locked().span(locked, self.capacity);
        drop(evicted);
    }

    pub(crate) fn keys(&self) -> Keys {
        self.keys
    }

    pub(super) fn locked(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl SpanProcessor for Recorder {
    fn on_start(&self, span: &mut Span, _parent: &Context) {
        if let Some(data) = span.exported_data() {
            self.add_span(Call::of_span(&data, true, &self.keys));
        }
    }

    fn on_end(&self, span: SpanData) {
        self.add_span(Call::of_span(&span, false, &self.keys));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl LogProcessor for Recorder {
    fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
        if let Some(record) = sdk_record::of_sdk(record) {
            self.add_record(record);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
