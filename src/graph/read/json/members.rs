//! The members of OTLP's messages as JSON, each taken as it comes.
//!
//! Names are lowerCamelCase or, as protobuf's JSON readers take them too, snake_case; 64-bit integers
//! are strings or numbers, enumerations numbers or names. Unknown members are skipped.

mod object;
mod scalars;
mod values;

use opentelemetry::{SpanId, TraceId};
use serde::de::{IgnoredAny, MapAccess};

pub(super) use self::object::Of;
use self::object::{Each, Object};
use self::scalars::{severity_number, status_code, Code, Nanos, Text};
use self::values::{Pair, Value};
use crate::graph::call::Source;
use crate::graph::read::notes::{Cause, Notes};
use crate::graph::read::spans;
use crate::graph::read::store::{Mark, Store};
use crate::graph::read::value::{Attributes, ValueText};
use crate::graph::record::{Level, LogRecord};

/// The message itself, down to its scopes.
pub(super) struct Top<'a> {
    store: &'a mut Store,
    notes: &'a mut Notes,
    /// File and line of the message.
    place: String,
    /// It had a member that only OTLP has.
    pub(super) is_known: bool,
}

impl<'a> Top<'a> {
    pub(super) fn new(store: &'a mut Store, notes: &'a mut Notes, place: String) -> Self {
        Self { store, notes, place, is_known: false }
    }
}

impl Object for Top<'_> {
    const NAMES: &'static [&'static str] =
        &["resourceSpans", "resourceLogs", "resourceMetrics", "resourceProfiles"];

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
        self.is_known = true;
        match name {
            "resourceSpans" | "resourceLogs" => {
                let mark = self.store.mark();
                map.next_value_seed(Each(&mut OfResource { top: self, mark, resource: Resource::default() }))
            }
            _ => {
                self.notes.add(Cause::OtherSignal, || {
                    format!("{}: {name}, which are no part of a graph, were skipped", self.place)
                });
                map.next_value::<IgnoredAny>().map(|_| ())
            }
        }
    }
}

/// What one resource has logged and traced. Members come in any order, so the resource's own name is
/// set when all were read.
struct OfResource<'a, 't> {
    top: &'a mut Top<'t>,
    mark: Mark,
    resource: Resource,
}

impl Object for OfResource<'_, '_> {
    const NAMES: &'static [&'static str] = &["resource", "scopeSpans", "scopeLogs"];

    fn begin(&mut self) {
        self.mark = self.top.store.mark();
        self.resource = Resource::default();
    }

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "resource" => map.next_value_seed(Of(&mut self.resource)),
            _ => {
                let mark = self.top.store.mark();
                map.next_value_seed(Each(&mut OfScope { top: self.top, mark, name: String::new() }))
            }
        }
    }

    fn end(&mut self) {
        if let Some(service) = self.resource.attributes.find("service.name") {
            self.top.store.set_service(self.mark, service);
        }
    }
}

#[derive(Default)]
struct Resource {
    attributes: Attributes,
}

impl Object for Resource {
    const NAMES: &'static [&'static str] = &["attributes"];

    fn member<'de, A: MapAccess<'de>>(&mut self, _: &'static str, map: &mut A) -> Result<(), A::Error> {
        map.next_value_seed(Each(&mut Pair::new(&mut self.attributes)))
    }
}

struct OfScope<'a, 't> {
    top: &'a mut Top<'t>,
    mark: Mark,
    name: String,
}

impl Object for OfScope<'_, '_> {
    const NAMES: &'static [&'static str] = &["scope", "spans", "logRecords"];

    fn begin(&mut self) {
        self.mark = self.top.store.mark();
        self.name.clear();
    }

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "scope" => map.next_value_seed(Of(&mut Scope { name: &mut self.name })),
            "spans" => map.next_value_seed(Each(&mut Span { top: self.top, span: SpanMembers::default() })),
            _ => map.next_value_seed(Each(&mut Record { top: self.top, record: RecordMembers::default() })),
        }
    }

    fn end(&mut self) {
        if !self.name.is_empty() {
            self.top.store.set_target(self.mark, &self.name);
        }
    }
}

struct Scope<'a> {
    name: &'a mut String,
}

impl Object for Scope<'_> {
    const NAMES: &'static [&'static str] = &["name"];

    fn member<'de, A: MapAccess<'de>>(&mut self, _: &'static str, map: &mut A) -> Result<(), A::Error> {
        map.next_value_seed(Text(self.name))
    }
}

struct Span<'a, 't> {
    top: &'a mut Top<'t>,
    span: SpanMembers,
}

#[derive(Default)]
struct SpanMembers {
    trace_id: String,
    span_id: String,
    parent_id: String,
    name: String,
    start_unix_nano: u64,
    end_unix_nano: u64,
    attributes: Attributes,
    status: Status,
}

impl Object for Span<'_, '_> {
    const NAMES: &'static [&'static str] = &[
        "traceId",
        "spanId",
        "parentSpanId",
        "name",
        "startTimeUnixNano",
        "endTimeUnixNano",
        "attributes",
        "status",
    ];

    fn begin(&mut self) {
        self.span = SpanMembers::default();
    }

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
        let span = &mut self.span;
        match name {
            "traceId" => map.next_value_seed(Text(&mut span.trace_id)),
            "spanId" => map.next_value_seed(Text(&mut span.span_id)),
            "parentSpanId" => map.next_value_seed(Text(&mut span.parent_id)),
            "name" => map.next_value_seed(Text(&mut span.name)),
            "startTimeUnixNano" => map.next_value_seed(Nanos(&mut span.start_unix_nano)),
            "endTimeUnixNano" => map.next_value_seed(Nanos(&mut span.end_unix_nano)),
            "attributes" => map.next_value_seed(Each(&mut Pair::new(&mut span.attributes))),
            _ => map.next_value_seed(Of(&mut span.status)),
        }
    }

    fn end(&mut self) {
        let span = std::mem::take(&mut self.span);
        let source = Source {
            trace_id: trace_id(&span.trace_id).unwrap_or(TraceId::INVALID),
            span_id: span_id(&span.span_id).unwrap_or(SpanId::INVALID),
            parent_id: span_id(&span.parent_id).unwrap_or(SpanId::INVALID),
            name: span.name,
            service: None,
            start_unix_nano: span.start_unix_nano,
            end_unix_nano: Some(span.end_unix_nano),
            is_error: span.status.code == spans::STATUS_ERROR,
            message: span.status.message,
            attributes: span.attributes.pairs,
            is_live: false,
        };
        let is_cut = span.attributes.is_cut;
        spans::add_span(source, is_cut, &self.top.place, self.top.store, self.top.notes);
    }
}

#[derive(Default)]
struct Status {
    code: i64,
    message: String,
}

impl Object for Status {
    const NAMES: &'static [&'static str] = &["code", "message"];

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "code" => map.next_value_seed(Code(&mut self.code, status_code)),
            _ => map.next_value_seed(Text(&mut self.message)),
        }
    }
}

struct Record<'a, 't> {
    top: &'a mut Top<'t>,
    record: RecordMembers,
}

#[derive(Default)]
struct RecordMembers {
    trace_id: String,
    span_id: String,
    time_unix_nano: u64,
    observed_unix_nano: u64,
    severity_number: i64,
    severity_text: String,
    event_name: String,
    body: ValueText,
    attributes: Attributes,
}

impl Object for Record<'_, '_> {
    const NAMES: &'static [&'static str] = &[
        "traceId",
        "spanId",
        "timeUnixNano",
        "observedTimeUnixNano",
        "severityNumber",
        "severityText",
        "eventName",
        "body",
        "attributes",
    ];

    fn begin(&mut self) {
        self.record = RecordMembers::default();
    }

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
        let record = &mut self.record;
        match name {
            "traceId" => map.next_value_seed(Text(&mut record.trace_id)),
            "spanId" => map.next_value_seed(Text(&mut record.span_id)),
            "timeUnixNano" => map.next_value_seed(Nanos(&mut record.time_unix_nano)),
            "observedTimeUnixNano" => map.next_value_seed(Nanos(&mut record.observed_unix_nano)),
            "severityNumber" => map.next_value_seed(Code(&mut record.severity_number, severity_number)),
            "severityText" => map.next_value_seed(Text(&mut record.severity_text)),
            "eventName" => map.next_value_seed(Text(&mut record.event_name)),
            "body" => map.next_value_seed(Of(&mut Value::alone(&mut record.body))),
            _ => map.next_value_seed(Each(&mut Pair::new(&mut record.attributes))),
        }
    }

    fn end(&mut self) {
        let read = std::mem::take(&mut self.record);
        let is_cut = read.body.is_cut || read.attributes.is_cut;
        let record = LogRecord {
            trace_id: trace_id(&read.trace_id),
            span_id: span_id(&read.span_id),
            time_unix_nano: spans::first_known(read.time_unix_nano, read.observed_unix_nano),
            level: Level::of_record(read.severity_number, &read.severity_text),
            target: String::new(),
            event_name: read.event_name,
            body: read.body.text,
            attributes: read.attributes.pairs,
        };
        spans::add_record(record, is_cut, &self.top.place, self.top.store, self.top.notes);
    }
}

/// `None` for what is no id of a trace, which has 32 digits; all zeros are OTLP's other way to say
/// that there is none.
fn trace_id(hex: &str) -> Option<TraceId> {
    let is_hex = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = TraceId::from_hex(hex).ok().filter(|_| is_hex);
    id.filter(|id| *id != TraceId::INVALID)
}

fn span_id(hex: &str) -> Option<SpanId> {
    let is_hex = hex.len() == 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = SpanId::from_hex(hex).ok().filter(|_| is_hex);
    id.filter(|id| *id != SpanId::INVALID)
}
