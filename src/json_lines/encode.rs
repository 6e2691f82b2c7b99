//! OTLP's messages as its own JSON: lowerCamelCase, ids as lower-case hex, 64-bit integers as
//! strings, enumerations as integers, and what has its default value left out.
//!
//! opentelemetry-proto's serde forms come close, but write ids that are missing as `""` or as zeros,
//! and NaN and the infinities alike as `null`. So the frame is written here; values, whose form is
//! theirs, go through serde where it is right.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Variant;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use serde_json::{json, Map, Value};

/// An `ExportLogsServiceRequest`.
pub(crate) fn logs(logs: &[ResourceLogs]) -> Value {
    Object::new().list("resourceLogs", logs, resource_logs).done()
}

/// An `ExportTraceServiceRequest`.
pub(crate) fn spans(spans: &[ResourceSpans]) -> Value {
    Object::new().list("resourceSpans", spans, resource_spans).done()
}

/// The message of a provider's resource.
pub(crate) fn resource(resource: &ResourceAttributesWithSchema) -> Resource {
    Resource { attributes: resource.attributes.0.clone(), ..Resource::default() }
}

fn resource_logs(logs: &ResourceLogs) -> Value {
    Object::new()
        .message("resource", logs.resource.as_ref(), resource_of)
        .list("scopeLogs", &logs.scope_logs, scope_logs)
        .text("schemaUrl", &logs.schema_url)
        .done()
}

fn resource_spans(spans: &ResourceSpans) -> Value {
    Object::new()
        .message("resource", spans.resource.as_ref(), resource_of)
        .list("scopeSpans", &spans.scope_spans, scope_spans)
        .text("schemaUrl", &spans.schema_url)
        .done()
}

fn resource_of(resource: &Resource) -> Value {
    Object::new()
        .list("attributes", &resource.attributes, key_value)
        .number("droppedAttributesCount", resource.dropped_attributes_count.into())
        .done()
}

fn scope_logs(logs: &ScopeLogs) -> Value {
    Object::new()
        .message("scope", logs.scope.as_ref(), scope)
        .list("logRecords", &logs.log_records, log_record)
        .text("schemaUrl", &logs.schema_url)
        .done()
}

fn scope_spans(spans: &ScopeSpans) -> Value {
    Object::new()
        .message("scope", spans.scope.as_ref(), scope)
        .list("spans", &spans.spans, span)
        .text("schemaUrl", &spans.schema_url)
        .done()
}

fn scope(scope: &InstrumentationScope) -> Value {
    Object::new()
        .text("name", &scope.name)
        .text("version", &scope.version)
        .list("attributes", &scope.attributes, key_value)
        .number("droppedAttributesCount", scope.dropped_attributes_count.into())
        .done()
}

fn log_record(record: &LogRecord) -> Value {
    Object::new()
        .nanos("timeUnixNano", record.time_unix_nano)
        .nanos("observedTimeUnixNano", record.observed_time_unix_nano)
        .number("severityNumber", record.severity_number.into())
        .text("severityText", &record.severity_text)
        .message("body", record.body.as_ref(), any_value)
        .list("attributes", &record.attributes, key_value)
        .number("droppedAttributesCount", record.dropped_attributes_count.into())
        .number("flags", record.flags.into())
        .id("traceId", &record.trace_id)
        .id("spanId", &record.span_id)
        .text("eventName", &record.event_name)
        .done()
}

fn span(span: &Span) -> Value {
    Object::new()
        .id("traceId", &span.trace_id)
        .id("spanId", &span.span_id)
        .text("traceState", &span.trace_state)
        .id("parentSpanId", &span.parent_span_id)
        .number("flags", span.flags.into())
        .text("name", &span.name)
        .number("kind", span.kind.into())
        .nanos("startTimeUnixNano", span.start_time_unix_nano)
        .nanos("endTimeUnixNano", span.end_time_unix_nano)
        .list("attributes", &span.attributes, key_value)
        .number("droppedAttributesCount", span.dropped_attributes_count.into())
        .list("events", &span.events, event)
        .number("droppedEventsCount", span.dropped_events_count.into())
        .list("links", &span.links, link)
        .number("droppedLinksCount", span.dropped_links_count.into())
        .message("status", span.status.as_ref(), status)
        .done()
}

fn event(event: &Event) -> Value {
    Object::new()
        .nanos("timeUnixNano", event.time_unix_nano)
        .text("name", &event.name)
        .list("attributes", &event.attributes, key_value)
        .number("droppedAttributesCount", event.dropped_attributes_count.into())
        .done()
}

fn link(link: &Link) -> Value {
    Object::new()
        .id("traceId", &link.trace_id)
        .id("spanId", &link.span_id)
        .text("traceState", &link.trace_state)
        .list("attributes", &link.attributes, key_value)
        .number("droppedAttributesCount", link.dropped_attributes_count.into())
        .number("flags", link.flags.into())
        .done()
}

fn status(status: &Status) -> Value {
    Object::new().text("message", &status.message).number("code", status.code.into()).done()
}

fn key_value(pair: &KeyValue) -> Value {
    Object::new()
        .present("key", Value::from(pair.key.as_str()))
        .message("value", pair.value.as_ref(), any_value)
        .done()
}

fn any_value(value: &AnyValue) -> Value {
    match &value.value {
        Some(Variant::DoubleValue(double)) if !double.is_finite() => {
            let name = match (double.is_nan(), *double > 0.0) {
                (true, _) => "NaN",
                (false, true) => "Infinity",
                (false, false) => "-Infinity",
            };
            json!({ "doubleValue": name })
        }
        Some(Variant::ArrayValue(array)) => {
            json!({ "arrayValue": Object::new().list("values", &array.values, any_value).done() })
        }
        Some(Variant::KvlistValue(list)) => {
            json!({ "kvlistValue": Object::new().list("values", &list.values, key_value).done() })
        }
        // Only a map with keys that are no strings fails, and there is none left.
        _ => serde_json::to_value(value).unwrap_or_default(),
    }
}

/// A JSON object in the making, without the members that have their default value.
struct Object(Map<String, Value>);

impl Object {
    fn new() -> Self {
        Self(Map::new())
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }

    fn present(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    fn when(self, wanted: bool, name: &str, value: impl FnOnce() -> Value) -> Self {
        match wanted {
            true => self.present(name, value()),
            false => self,
        }
    }

    fn text(self, name: &str, text: &str) -> Self {
        self.when(!text.is_empty(), name, || Value::from(text))
    }

    fn number(self, name: &str, number: i64) -> Self {
        self.when(number != 0, name, || Value::from(number))
    }

    fn nanos(self, name: &str, unix_nanos: u64) -> Self {
        self.when(unix_nanos != 0, name, || Value::from(unix_nanos.to_string()))
    }

    /// All zeros are OTLP's other way to say that there is no id.
    fn id(self, name: &str, bytes: &[u8]) -> Self {
        self.when(bytes.iter().any(|byte| *byte != 0), name, || {
            Value::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        })
    }

    fn list<T>(self, name: &str, list: &[T], of_one: impl Fn(&T) -> Value) -> Self {
        self.when(!list.is_empty(), name, || list.iter().map(of_one).collect())
    }

    fn message<T>(self, name: &str, message: Option<&T>, of_one: impl Fn(&T) -> Value) -> Self {
        match message {
            Some(message) => self.present(name, of_one(message)),
            None => self,
        }
    }
}
