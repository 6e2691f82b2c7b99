//! [`Recorder`]: the handle, and the processor hooks through which spans and records arrive.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::job::{StoredRecord, StoredSpan};
use super::jobs::{Capacity, JobId, Jobs, LiveJob};
#[cfg(doc)]
use super::jobs::{DEFAULT_JOBS, DEFAULT_JOB_BYTES};
use crate::graph::call::Call;
use crate::graph::record::LogRecord;
use crate::graph::tool_call_graph::ToolCallGraph;
use crate::graph::tree::Parts;
use crate::keys::Keys;

/// Records spans and log records while jobs run, and keeps what a graph needs of them.
///
/// A recorder is a cheap handle: one clone is registered with the providers, another one is used to
/// get the graph. [`Builder::with_recorder`](crate::Builder::with_recorder) registers it in one
/// call. In a subscriber of your own, add it as a span processor, after
/// [`JobSpanProcessor`](crate::JobSpanProcessor), and for the records as a log processor or, where
/// there is no logger provider, as a [layer](crate::LogLayer::recording).
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
/// Spans and records with the same [execution id](Keys::execution_id) belong to one job. A span
/// without one belongs to the job of its parent, and a record without one to the job of its span;
/// if that is not kept, each trace counts as a job. Records that have neither a span nor an
/// execution id, and those of spans that are not sampled, are not kept.
///
/// # Memory
///
/// Memory is limited for each job ([`with_job_bytes`](Self::with_job_bytes),
/// [`DEFAULT_JOB_BYTES`]), and so is the number of jobs ([`with_jobs`](Self::with_jobs),
/// [`DEFAULT_JOBS`]). A job that reaches its limit drops:
///
/// * its oldest records, those of WARN and above last, unless they take more than a quarter of the
///   limit. Dropped records stay in the [counts](crate::graph::Node::own_counts) of their span;
/// * its oldest spans, once the spans take half of the limit, finished ones first.
///
/// The graph's [notes](ToolCallGraph::notes) say how many. When there are too many jobs, the oldest
/// finished one is dropped, or the oldest one if none is finished. A long-running runner should
/// [take](Self::take) each job when it is done.
///
/// # On the emitting threads
///
/// A span takes a lock twice, a record once, each time for a short while: nothing is formatted or
/// logged and no user code runs while the lock is held.
#[derive(Clone, Default)]
pub struct Recorder {
    jobs: Arc<Mutex<Jobs>>,
    keys: Keys,
    capacity: Capacity,
}

impl Recorder {
    /// Sets the attribute names of tool, operation and execution id, for this handle and clones of
    /// it.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// Sets the memory limit of a job in bytes, for what arrives through this handle and clones of
    /// it. The memory in use is an estimate. Default: [`DEFAULT_JOB_BYTES`].
    #[must_use]
    pub fn with_job_bytes(mut self, bytes: usize) -> Self {
        self.capacity.job_bytes = bytes;
        self
    }

    /// Sets how many jobs are kept, at least one, for what arrives through this handle and clones
    /// of it. Default: [`DEFAULT_JOBS`].
    #[must_use]
    pub fn with_jobs(mut self, jobs: usize) -> Self {
        self.capacity.jobs = jobs.max(1);
        self
    }

    /// The jobs that are kept, in the order in which they appeared.
    pub fn jobs(&self) -> Vec<LiveJob> {
        self.locked().list()
    }

    /// The current graph of one job; `None` if the job is not kept.
    pub fn graph_of(&self, job: &JobId) -> Option<ToolCallGraph> {
        let snapshot = self.locked().get(job)?.snapshot();
        Some(ToolCallGraph::of_parts(snapshot.into_parts()))
    }

    /// The current graph of all jobs.
    pub fn graph(&self) -> ToolCallGraph {
        let (all, note) = self.locked().snapshots();
        let mut parts = Parts { notes: note.into_iter().collect(), ..Parts::default() };
        for snapshot in all {
            let Parts { calls, records, counted, notes } = snapshot.into_parts();
            parts.calls.extend(calls);
            parts.records.extend(records);
            parts.counted.extend(counted);
            parts.notes.extend(notes);
        }
        ToolCallGraph::of_parts(parts)
    }

    /// Returns the graph of a job and removes the job; `None` if it is not kept.
    ///
    /// For finished jobs: if the job is still running, what arrives later becomes a new job.
    pub fn take(&self, job: &JobId) -> Option<ToolCallGraph> {
        let taken = self.locked().remove(job)?;
        Some(ToolCallGraph::of_parts(taken.snapshot().into_parts()))
    }

    /// Removes a job, as [`take`](Self::take) does. Returns whether it was kept.
    pub fn forget(&self, job: &JobId) -> bool {
        // A statement of its own, so that the lock is released before the job is dropped.
        let removed = self.locked().remove(job);
        removed.is_some()
    }

    pub(crate) fn add_record(&self, record: LogRecord) {
        let record = StoredRecord::of(record, &self.keys);
        // Bound to a name, so that the lock is released before an evicted job is dropped.
        let evicted = self.locked().add_record(record, self.capacity);
        drop(evicted);
    }

    fn add_span(&self, call: Call) {
        let span = StoredSpan::of(call);
        let evicted = self.locked().add_span(span, self.capacity);
        drop(evicted);
    }

    pub(crate) fn keys(&self) -> Keys {
        self.keys
    }

    pub(in crate::graph) fn locked(&self) -> MutexGuard<'_, Jobs> {
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
        if let Some(record) = LogRecord::of_sdk(record) {
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
