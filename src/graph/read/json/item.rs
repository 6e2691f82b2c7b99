//! Spans, log records, resources and scopes.

use opentelemetry::{SpanId, TraceId};

use super::event::{Events, Links};
use super::id::{span_id, trace_id};
use super::scalars::{is_error, severity_number, span_kind, Nanos, Text};
use crate::graph::call::{kind_of_number, RawSpan};
use crate::graph::read::store::Store;
use crate::graph::record::{self, RecordLevel};
use crate::graph::value::{ValueText, Values};
use crate::json_stream::objects;

#[derive(Default)]
pub(super) struct Resource {
    attributes: Values,
}

impl Resource {
    pub(super) fn service(self) -> Option<String> {
        self.attributes.find("service.name").map(str::to_owned)
    }
}

#[derive(Default)]
pub(super) struct Scope {
    pub(super) name: Text,
}

#[derive(Default)]
pub(super) struct Span {
    trace_id: Text,
    span_id: Text,
    parent_span_id: Text,
    name: Text,
    kind: Text,
    start_time_unix_nano: Nanos,
    end_time_unix_nano: Nanos,
    attributes: Values,
    events: Events,
    links: Links,
    status: Status,
}

#[derive(Default)]
struct Status {
    code: Text,
    message: Text,
}

impl Span {
    pub(super) fn add_to(self, place: &str, store: &mut Store) {
        let (Events(events), Links(links)) = (self.events, self.links);
        let is_truncated = self.attributes.is_truncated || events.is_truncated || links.is_truncated;
        let status = self.status;
        let span = RawSpan {
            trace_id: trace_id(&self.trace_id).unwrap_or(TraceId::INVALID),
            span_id: span_id(&self.span_id).unwrap_or(SpanId::INVALID),
            parent_id: span_id(&self.parent_span_id).unwrap_or(SpanId::INVALID),
            name: self.name.0,
            start_unix_nano: self.start_time_unix_nano.0,
            end_unix_nano: Some(self.end_time_unix_nano.0),
            is_error: is_error(&status.code.0),
            message: status.message.0,
            kind: kind_of_number(span_kind(&self.kind.0)),
            attributes: self.attributes.pairs,
            events: events.items,
            links: links.items,
            ..RawSpan::default()
        };
        store.add_span(span, is_truncated, place);
    }
}

#[derive(Default)]
pub(super) struct LogRecord {
    trace_id: Text,
    span_id: Text,
    time_unix_nano: Nanos,
    observed_time_unix_nano: Nanos,
    severity_number: Text,
    severity_text: Text,
    event_name: Text,
    body: ValueText,
    attributes: Values,
}

impl LogRecord {
    pub(super) fn add_to(self, place: &str, store: &mut Store) {
        let is_truncated = self.body.is_truncated || self.attributes.is_truncated;
        let record = record::LogRecord {
            trace_id: trace_id(&self.trace_id),
            span_id: span_id(&self.span_id),
            time_unix_nano: record::first_known(self.time_unix_nano.0, self.observed_time_unix_nano.0),
            level: RecordLevel::of_record(severity_number(&self.severity_number.0), &self.severity_text.0),
            target: String::new(),
            event_name: self.event_name.0,
            body: self.body.text,
            attributes: self.attributes.pairs,
        };
        store.add_record(record, is_truncated, place);
    }
}

objects! {
    Resource {
        "attributes" => attributes
    }
    Scope {
        "name" => name
    }
    Span {
        "traceId" | "trace_id" => trace_id,
        "spanId" | "span_id" => span_id,
        "parentSpanId" | "parent_span_id" => parent_span_id,
        "name" => name,
        "kind" => kind,
        "startTimeUnixNano" | "start_time_unix_nano" => start_time_unix_nano,
        "endTimeUnixNano" | "end_time_unix_nano" => end_time_unix_nano,
        "attributes" => attributes,
        "events" => events,
        "links" => links,
        "status" => status
    }
    Status {
        "code" => code,
        "message" => message
    }
    LogRecord {
        "traceId" | "trace_id" => trace_id,
        "spanId" | "span_id" => span_id,
        "timeUnixNano" | "time_unix_nano" => time_unix_nano,
        "observedTimeUnixNano" | "observed_time_unix_nano" => observed_time_unix_nano,
        "severityNumber" | "severity_number" => severity_number,
        "severityText" | "severity_text" => severity_text,
        "eventName" | "event_name" => event_name,
        "body" => body,
        "attributes" => attributes
    }
}
