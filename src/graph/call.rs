//! A span as plain data.

use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::trace::SpanData;

use super::attributes::{attributes_of_sdk, bytes_of, last_value};
use super::event::{SpanEvent, SpanLink};
use super::moment::unix_nano;
use crate::keys::Keys;

/// OTLP's number of the status Error.
pub(super) const STATUS_CODE_ERROR: i64 = 2;

/// A span's kind by OTLP's number. As the specification says, a kind that is missing or unknown is
/// Internal.
pub(super) fn kind_of_number(number: i64) -> SpanKind {
    match number {
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}

/// The tool of the runner's own spans.
const RUNNER: &str = "runner";

/// A span of a [`ToolCallGraph`](super::ToolCallGraph): a job, a step, a tool call, or anything
/// else that was traced.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The trace id.
    pub trace_id: TraceId,
    /// The span id.
    pub span_id: SpanId,
    /// The span id of the parent; invalid (all zero) for a root.
    pub parent_id: SpanId,
    /// The span's name.
    pub name: String,
    /// The tool that was called: the attribute [`Keys::tool`].
    pub tool: Option<String>,
    /// The operation of the tool: the attribute [`Keys::operation`].
    pub operation: Option<String>,
    /// The job that the span belongs to: the attribute [`Keys::job_id`].
    pub job_id: Option<String>,
    /// The job execution that the span belongs to: the attribute [`Keys::execution_id`].
    pub execution_id: Option<String>,
    /// `service.name` of the resource, if it is known.
    pub service: Option<String>,
    /// The span's kind.
    pub kind: SpanKind,
    /// Nanoseconds since the Unix epoch; 0 if unknown.
    pub start_unix_nano: u64,
    /// Nanoseconds since the Unix epoch; `None` if the span has not ended.
    pub end_unix_nano: Option<u64>,
    /// How the span ended.
    pub outcome: Outcome,
    /// Whether the status is Error, regardless of the outcome.
    pub is_error: bool,
    /// The description of the status. If the status is Error and has none, the message of the last
    /// `exception` event, or else its type.
    pub message: String,
    /// The span's attributes in their original order, each value as text.
    pub attributes: Vec<(String, String)>,
    /// The span's events in their original order.
    pub events: Vec<SpanEvent>,
    /// The span's links in their original order.
    pub links: Vec<SpanLink>,
}

/// Identifies a span: span ids are unique within a trace only.
pub(super) type Ids = (TraceId, SpanId);

/// How a [`Call`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It has not ended.
    Running,
    /// It has no end or no duration, and is not running either.
    Skipped,
    /// Without an error.
    Ok,
    /// With the status Error.
    Failed,
    /// The future of its op was dropped.
    Cancelled,
    /// Its op timed out.
    TimedOut,
    /// Its op panicked.
    Panicked,
    /// Its op was dropped before it ended.
    Dropped,
    /// Its process ended before it did, which the next one has found in its
    /// [spool](crate::otlp::Builder::with_spool).
    Interrupted,
}

impl Outcome {
    /// The outcome in lower case: `failed`, `timed out`.
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
            Self::Interrupted => "interrupted",
        }
    }

    /// The outcome in the attribute `op.outcome`, which an op writes to its span.
    fn of_op(value: &str) -> Option<Self> {
        match value {
            "cancelled" => Some(Self::Cancelled),
            "timed_out" => Some(Self::TimedOut),
            "panicked" => Some(Self::Panicked),
            "dropped" => Some(Self::Dropped),
            "interrupted" => Some(Self::Interrupted),
            _ => None,
        }
    }
}

/// What all sources know of a span, from which a [`Call`] is made. The default has no ids.
#[derive(Clone, Debug)]
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
    pub(super) kind: SpanKind,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) events: Vec<SpanEvent>,
    pub(super) links: Vec<SpanLink>,
    /// Whether the span has been started and may still end.
    pub(super) is_live: bool,
}

impl Default for RawSpan {
    fn default() -> Self {
        Self {
            trace_id: TraceId::INVALID,
            span_id: SpanId::INVALID,
            parent_id: SpanId::INVALID,
            name: String::new(),
            service: None,
            start_unix_nano: 0,
            end_unix_nano: None,
            is_error: false,
            message: String::new(),
            kind: SpanKind::Internal,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            is_live: false,
        }
    }
}

impl Call {
    /// Of several keys, the first that the span has counts.
    pub(super) fn from_raw(mut raw: RawSpan, keys: &[Keys]) -> Self {
        if raw.is_error && raw.message.is_empty() {
            raw.message = exception_message(&raw.events).unwrap_or_default();
        }
        let end_unix_nano = raw.end_unix_nano.filter(|end| *end != 0);
        let find = |key: &str| last_value(&raw.attributes, key).map(str::to_owned);
        let find_any = |name: fn(&Keys) -> &'static str| keys.iter().find_map(|keys| find(name(keys)));
        let took_time = end_unix_nano.is_some_and(|end| end > raw.start_unix_nano);
        let outcome = match find("op.outcome").as_deref().and_then(Outcome::of_op) {
            Some(outcome) => outcome,
            None if raw.is_error => Outcome::Failed,
            None if took_time => Outcome::Ok,
            None if raw.is_live && end_unix_nano.is_none() => Outcome::Running,
            None => Outcome::Skipped,
        };
        Self {
            tool: find_any(Keys::tool),
            operation: find_any(Keys::operation),
            job_id: find_any(Keys::job_id),
            execution_id: find_any(Keys::execution_id),
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
            kind: raw.kind,
            attributes: raw.attributes,
            events: raw.events,
            links: raw.links,
        }
    }

    /// A span of the SDK. `is_live`: it has been started and may still end.
    pub(super) fn of_span(span: &SpanData, is_live: bool, keys: &Keys) -> Self {
        let (is_error, message) = match &span.status {
            Status::Error { description } => (true, description.to_string()),
            Status::Unset | Status::Ok => (false, String::new()),
        };
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
            kind: span.span_kind.clone(),
            attributes: attributes_of_sdk(&span.attributes),
            events: span.events.iter().map(SpanEvent::of_sdk).collect(),
            links: span.links.iter().map(SpanLink::of_sdk).collect(),
            is_live,
        };
        Self::from_raw(raw, std::slice::from_ref(keys))
    }

    /// The memory in use by its texts and lists.
    pub(super) fn heap_bytes(&self) -> usize {
        let optional = [&self.tool, &self.operation, &self.job_id, &self.execution_id, &self.service];
        let optional = optional.into_iter().flatten().map(String::len).sum::<usize>();
        let events = self.events.iter().map(SpanEvent::bytes).sum::<usize>();
        let links = self.links.iter().map(SpanLink::bytes).sum::<usize>();
        self.name.len() + self.message.len() + optional + bytes_of(&self.attributes) + events + links
    }

    pub(super) fn ids(&self) -> Ids {
        (self.trace_id, self.span_id)
    }

    /// The value of an attribute; of several the last one, which is the one that counts.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        last_value(&self.attributes, key)
    }

    /// Whether its message contains that of another call, which has one.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        !other.message.is_empty() && self.message.contains(&other.message)
    }

    /// The job's id, if it is not empty.
    pub(super) fn job(&self) -> Option<&str> {
        self.job_id.as_deref().filter(|id| !id.is_empty())
    }

    /// The execution's id, if it is not empty.
    pub(super) fn execution(&self) -> Option<&str> {
        self.execution_id.as_deref().filter(|id| !id.is_empty())
    }

    /// The time from start to end; `None` without a start or an end, or with an end that is not after the
    /// start.
    pub fn duration(&self) -> Option<Duration> {
        let start = Some(self.start_unix_nano).filter(|start| *start != 0)?;
        let nanos = self.end_unix_nano?.checked_sub(start)?;
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    /// Whether the span itself failed, by its status or by the outcome of its op.
    pub fn is_red(&self) -> bool {
        self.is_error
            || matches!(
                self.outcome,
                Outcome::Failed | Outcome::TimedOut | Outcome::Panicked | Outcome::Interrupted
            )
    }

    /// Whether this is one of the runner's own spans: one of the tool `runner`, but neither the job
    /// nor one of its steps.
    pub fn is_runner_internal(&self) -> bool {
        let is_frame = self.is_job() || self.name.starts_with("step.");
        self.tool.as_deref() == Some(RUNNER) && !is_frame
    }

    /// Whether this is the span of a job: `job.*`.
    pub fn is_job(&self) -> bool {
        self.name.starts_with("job.")
    }

    /// A title: tool and operation, preceded by the name if that is a different one.
    /// [`Node::title`](super::Node::title) also tells it apart from its siblings.
    pub fn title(&self) -> String {
        let (name, details) = self.title_parts([]);
        name + &details
    }

    /// The title, and what follows in parentheses, with what else tells the span apart.
    pub(super) fn title_parts<'a>(&self, details: impl IntoIterator<Item = &'a str>) -> (String, String) {
        let (title, call) = match (&self.tool, &self.operation) {
            (Some(tool), Some(operation)) if self.name == format!("{tool}.{operation}") => {
                (format!("{tool} {operation}"), None)
            }
            (Some(tool), Some(operation)) if tool != RUNNER => {
                (self.name.clone(), Some(format!("{tool} {operation}")))
            }
            _ => (self.name.clone(), None),
        };
        let mut all: Vec<&str> = call.as_deref().into_iter().collect();
        for detail in details {
            all.push(detail);
        }
        let details = if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) };
        (title, details)
    }
}

/// What the last `exception` event says.
fn exception_message(events: &[SpanEvent]) -> Option<String> {
    let exception = events.iter().rfind(|event| event.name == "exception")?;
    let value = |key| exception.attribute(key).filter(|value| !value.is_empty());
    value("exception.message").or(value("exception.type")).map(str::to_owned)
}
