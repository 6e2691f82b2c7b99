//! [`Span`]: a span that a capture has.

use std::time::SystemTime;

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{KeyValue, SpanId, TraceId};
use opentelemetry_sdk::trace::SpanData;

use crate::testing::stamps;
use crate::value::any_value;

/// A span of a test.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Span {
    /// The name.
    pub name: String,
    /// The trace id.
    pub trace_id: TraceId,
    /// The span id.
    pub span_id: SpanId,
    /// The id of the parent, which may be in another process.
    pub parent_span_id: Option<SpanId>,
    /// The kind.
    pub kind: SpanKind,
    /// The status.
    pub status: Status,
    /// The attributes in their order; of a span that has not ended, those that it began with.
    pub attributes: Vec<(String, AnyValue)>,
    /// The events, such as an `exception`.
    pub events: Vec<SpanEvent>,
    /// When it began.
    pub start: SystemTime,
    /// When it ended; `None` if it has not.
    pub end: Option<SystemTime>,
    /// How many attributes, events and links were dropped by the limits of spans.
    pub dropped: u32,
}

/// An event of a span.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SpanEvent {
    /// The name: `exception`.
    pub name: String,
    /// When it happened.
    pub time: SystemTime,
    /// The attributes in their order.
    pub attributes: Vec<(String, AnyValue)>,
}

impl Span {
    /// A span that has begun.
    pub(crate) fn of(data: SpanData) -> Self {
        let context = &data.span_context;
        let events = data.events.events.into_iter().map(|event| SpanEvent {
            name: event.name.into_owned(),
            time: event.timestamp,
            attributes: attributes(event.attributes),
        });
        Self {
            trace_id: context.trace_id(),
            span_id: context.span_id(),
            parent_span_id: Some(data.parent_span_id).filter(|id| *id != SpanId::INVALID),
            name: data.name.into_owned(),
            kind: data.span_kind,
            status: data.status,
            attributes: attributes(data.attributes),
            events: events.collect(),
            start: data.start_time,
            end: None,
            dropped: data.dropped_attributes_count + data.events.dropped_count + data.links.dropped_count,
        }
    }

    /// The same for a span that has ended.
    pub(crate) fn ended(data: SpanData) -> Self {
        let end = Some(data.end_time);
        Self { end, ..Self::of(data) }
    }

    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&AnyValue> {
        stamps::find(&self.attributes, key)
    }

    /// The value of an attribute that is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        stamps::text(&self.attributes, key)
    }

    /// The id of the job that it was started in.
    pub fn job_id(&self) -> Option<&str> {
        stamps::job_id(&self.attributes)
    }
}

impl SpanEvent {
    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&AnyValue> {
        stamps::find(&self.attributes, key)
    }
}

fn attributes(pairs: Vec<KeyValue>) -> Vec<(String, AnyValue)> {
    pairs.into_iter().map(|pair| (pair.key.to_string(), any_value(pair.value))).collect()
}
