//! One span of the graph, as plain data.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::Status;
use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::trace::SpanData;

use super::value::ValueText;
use crate::keys::Keys;

/// The tool key's value of spans that the runner makes for itself.
const RUNNER: &str = "runner";

/// One span of a [`ToolCallGraph`](super::ToolCallGraph): a job, a step, a tool call, or whatever else
/// was traced between them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The trace that the span belongs to.
    pub trace_id: TraceId,
    /// The span's own id.
    pub span_id: SpanId,
    /// The parent's id; invalid (all zero) for a root.
    pub parent_id: SpanId,
    /// The span's name.
    pub name: String,
    /// What was called: the value of [`Keys::tool`].
    pub tool: Option<String>,
    /// What it was called for: the value of [`Keys::operation`].
    pub operation: Option<String>,
    /// The execution of a job that the span belongs to: the value of [`Keys::execution_id`].
    pub execution_id: Option<String>,
    /// `service.name` of the resource, where the source has one.
    pub service: Option<String>,
    /// Nanoseconds since the Unix epoch; 0 if unknown.
    pub start_unix_nano: u64,
    /// Nanoseconds since the Unix epoch; `None` as long as the span has no end.
    pub end_unix_nano: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the status is Error, whatever the outcome.
    pub is_error: bool,
    /// The status' description.
    pub message: String,
    /// The span's attributes, in their order, each value as text.
    pub attributes: Vec<(String, String)>,
}

/// How a [`Call`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Not yet.
    Running,
    /// It never ended or took no time at all, and is not under way either.
    Skipped,
    /// Without an error.
    Ok,
    /// With the status Error.
    Failed,
    /// Its op's future was dropped.
    Cancelled,
    /// Its op ran out of time.
    TimedOut,
    /// A panic went through its op.
    Panicked,
    /// Its op was dropped without an end.
    Dropped,
}

impl Outcome {
    /// One word, or two: `failed`, `timed out`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed out",
            Self::Panicked => "panicked",
            Self::Dropped => "dropped",
        }
    }

    /// The outcome that an op wrote to its span as `op.outcome`.
    fn of_op(value: &str) -> Option<Self> {
        [
            ("cancelled", Self::Cancelled),
            ("timed_out", Self::TimedOut),
            ("panicked", Self::Panicked),
            ("dropped", Self::Dropped),
        ]
        .into_iter()
        .find_map(|(name, outcome)| (name == value).then_some(outcome))
    }
}

/// What every source knows of a span, before [`Call`] makes sense of it.
pub(super) struct RawSpan {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) parent_id: SpanId,
    pub(super) name: String,
    pub(super) service: Option<String>,
    pub(super) start_unix_nano: u64,
    /// `None` or 0 if there is none.
    pub(super) end_unix_nano: Option<u64>,
    pub(super) is_error: bool,
    pub(super) message: String,
    pub(super) attributes: Vec<(String, String)>,
    /// The span may still end.
    pub(super) is_live: bool,
}

impl Call {
    pub(super) fn from_raw(raw: RawSpan, keys: &Keys) -> Self {
        let end_unix_nano = raw.end_unix_nano.filter(|end| *end != 0);
        let find = |key: &str| {
            let found = raw.attributes.iter().rfind(|(name, _)| name == key);
            found.map(|(_, value)| value.clone())
        };
        let took_time = end_unix_nano.is_some_and(|end| end > raw.start_unix_nano);
        let outcome = match find("op.outcome").as_deref().and_then(Outcome::of_op) {
            Some(outcome) => outcome,
            None if raw.is_error => Outcome::Failed,
            None if took_time => Outcome::Ok,
            None if raw.is_live && end_unix_nano.is_none() => Outcome::Running,
            None => Outcome::Skipped,
        };
        Self {
            tool: find(keys.tool()),
            operation: find(keys.operation()),
            execution_id: find(keys.execution_id()),
            trace_id: raw.trace_id,
            span_id: raw.span_id,
            parent_id: raw.parent_id,
            name: raw.name,
            service: raw.service,
            start_unix_nano: raw.start_unix_nano,
            end_unix_nano,
            outcome,
            is_error: raw.is_error,
            message: raw.message,
            attributes: raw.attributes,
        }
    }

    /// A span of the SDK. `is_live`: it was started and may still end.
    pub(super) fn of_span(span: &SpanData, is_live: bool, keys: &Keys) -> Self {
        let (is_error, message) = match &span.status {
            Status::Error { description } => (true, description.to_string()),
            Status::Unset | Status::Ok => (false, String::new()),
        };
        let attributes = span.attributes.iter();
        let raw = RawSpan {
            trace_id: span.span_context.trace_id(),
            span_id: span.span_context.span_id(),
            parent_id: span.parent_span_id,
            name: span.name.to_string(),
            service: None,
            start_unix_nano: unix_nano(span.start_time),
            end_unix_nano: (!is_live).then(|| unix_nano(span.end_time)),
            is_error,
            message,
            attributes: attributes
                .map(|pair| (pair.key.to_string(), ValueText::from(&pair.value).text))
                .collect(),
            is_live,
        };
        Self::from_raw(raw, keys)
    }

    /// From start to end; `None` if there is no end, or it does not come after the start.
    pub fn duration(&self) -> Option<Duration> {
        let nanos = self.end_unix_nano?.checked_sub(self.start_unix_nano)?;
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    /// Whether the span itself failed: by its status, or by the way in which its op ended.
    pub fn is_red(&self) -> bool {
        self.is_error || matches!(self.outcome, Outcome::Failed | Outcome::TimedOut | Outcome::Panicked)
    }

    /// Whether the runner made this span for itself: one of its tool `runner`, but neither the job
    /// nor one of its steps.
    pub fn is_runner_internal(&self) -> bool {
        let is_frame = self.name.starts_with("job.") || self.name.starts_with("step.");
        self.tool.as_deref() == Some(RUNNER) && !is_frame
    }

    /// What to call it: tool and operation, and the name where the two do not say it.
    pub fn title(&self) -> String {
        match (&self.tool, &self.operation) {
            (Some(tool), Some(operation)) if self.name == format!("{tool}.{operation}") => {
                format!("{tool} {operation}")
            }
            (Some(tool), Some(operation)) if tool != RUNNER => {
                format!("{} ({tool} {operation})", self.name)
            }
            _ => self.name.clone(),
        }
    }
}

/// 0 before 1970, and the last nanosecond that can be said after 2554.
pub(crate) fn unix_nano(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
