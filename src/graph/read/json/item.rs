//! Spans, log records, resources and scopes.

use opentelemetry::{SpanId, TraceId};
use serde::Deserialize;

use super::event::{Events, Links};
use super::id::{span_id, trace_id};
use super::scalars::{is_error, severity_number, span_kind, Nanos, Text};
use crate::graph::call::{kind_of_number, RawSpan};
use crate::graph::read::store::Store;
use crate::graph::record::{self, RecordLevel};
use crate::graph::value::{ValueText, Values};

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Resource {
    attributes: Values,
}

impl Resource {
    pub(super) fn service(self) -> Option<String> {
        self.attributes.find("service.name").map(str::to_owned)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Scope {
    pub(super) name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "an object")]
pub(super) struct Span {
    #[serde(alias = "trace_id")]
    trace_id: Text,
    #[serde(alias = "span_id")]
    span_id: Text,
    #[serde(alias = "parent_span_id")]
    parent_span_id: Text,
    name: Text,
    kind: Text,
    #[serde(alias = "start_time_unix_nano")]
    start_time_unix_nano: Nanos,
    #[serde(alias = "end_time_unix_nano")]
    end_time_unix_nano: Nanos,
    attributes: Values,
    events: Events,
    links: Links,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Status {
    code: Text,
    message: Text,
}

impl Span {
    pub(super) fn add_to(self, place: &str, store: &mut Store) {
        let (Events(events), Links(links)) = (self.events, self.links);
        let is_truncated = self.attributes.is_truncated || events.is_truncated || links.is_truncated;
        let status = self.status.unwrap_or_default();
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

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "an object")]
pub(super) struct LogRecord {
    #[serde(alias = "trace_id")]
    trace_id: Text,
    #[serde(alias = "span_id")]
    span_id: Text,
    #[serde(alias = "time_unix_nano")]
    time_unix_nano: Nanos,
    #[serde(alias = "observed_time_unix_nano")]
    observed_time_unix_nano: Nanos,
    #[serde(alias = "severity_number")]
    severity_number: Text,
    #[serde(alias = "severity_text")]
    severity_text: Text,
    #[serde(alias = "event_name")]
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
