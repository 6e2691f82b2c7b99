//! OTLP's JSON of opentelemetry-proto's messages, made with serde_json: what the transcoder of `otlp/json.rs`
//! is compared with.

use base64::prelude::{Engine, BASE64_STANDARD};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Variant;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use serde_json::{json, Value};

pub(crate) fn logs(request: &ExportLogsServiceRequest) -> Value {
    object(json!({ "resourceLogs": list(&request.resource_logs, resource_logs) }))
}

pub(crate) fn spans(request: &ExportTraceServiceRequest) -> Value {
    object(json!({ "resourceSpans": list(&request.resource_spans, resource_spans) }))
}

/// Leaves out the members that have their default value.
fn object(members: Value) -> Value {
    let Value::Object(mut members) = members else { return members };
    let defaults = [json!(null), json!(""), json!(0), json!([])];
    members.retain(|_, value| !defaults.contains(value));
    Value::Object(members)
}

fn list<T>(messages: &[T], of_one: impl Fn(&T) -> Value) -> Value {
    messages.iter().map(of_one).collect()
}

fn nanos(unix_nanos: u64) -> Option<String> {
    (unix_nanos != 0).then(|| unix_nanos.to_string())
}

/// All zeros are OTLP's other way to say that there is no id.
fn id(bytes: &[u8]) -> Option<String> {
    let is_set = bytes.iter().any(|byte| *byte != 0);
    is_set.then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn resource_logs(logs: &ResourceLogs) -> Value {
    object(json!({
        "resource": logs.resource.as_ref().map(resource),
        "scopeLogs": list(&logs.scope_logs, scope_logs),
        "schemaUrl": logs.schema_url,
    }))
}

fn resource_spans(spans: &ResourceSpans) -> Value {
    object(json!({
        "resource": spans.resource.as_ref().map(resource),
        "scopeSpans": list(&spans.scope_spans, scope_spans),
        "schemaUrl": spans.schema_url,
    }))
}

fn resource(resource: &Resource) -> Value {
    object(json!({
        "attributes": list(&resource.attributes, key_value),
        "droppedAttributesCount": resource.dropped_attributes_count,
    }))
}

fn scope_logs(logs: &ScopeLogs) -> Value {
    object(json!({
        "scope": logs.scope.as_ref().map(scope),
        "logRecords": list(&logs.log_records, log_record),
        "schemaUrl": logs.schema_url,
    }))
}

fn scope_spans(spans: &ScopeSpans) -> Value {
    object(json!({
        "scope": spans.scope.as_ref().map(scope),
        "spans": list(&spans.spans, span),
        "schemaUrl": spans.schema_url,
    }))
}

fn scope(scope: &InstrumentationScope) -> Value {
    object(json!({
        "name": scope.name,
        "version": scope.version,
        "attributes": list(&scope.attributes, key_value),
        "droppedAttributesCount": scope.dropped_attributes_count,
    }))
}

fn log_record(record: &LogRecord) -> Value {
    object(json!({
        "timeUnixNano": nanos(record.time_unix_nano),
        "observedTimeUnixNano": nanos(record.observed_time_unix_nano),
        "severityNumber": record.severity_number,
        "severityText": record.severity_text,
        "body": record.body.as_ref().map(any_value),
        "attributes": list(&record.attributes, key_value),
        "droppedAttributesCount": record.dropped_attributes_count,
        "flags": record.flags,
        "traceId": id(&record.trace_id),
        "spanId": id(&record.span_id),
        "eventName": record.event_name,
    }))
}

fn span(span: &Span) -> Value {
    object(json!({
        "traceId": id(&span.trace_id),
        "spanId": id(&span.span_id),
        "traceState": span.trace_state,
        "parentSpanId": id(&span.parent_span_id),
        "flags": span.flags,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": nanos(span.start_time_unix_nano),
        "endTimeUnixNano": nanos(span.end_time_unix_nano),
        "attributes": list(&span.attributes, key_value),
        "droppedAttributesCount": span.dropped_attributes_count,
        "events": list(&span.events, event),
        "droppedEventsCount": span.dropped_events_count,
        "links": list(&span.links, link),
        "droppedLinksCount": span.dropped_links_count,
        "status": span.status.as_ref().map(status),
    }))
}

fn event(event: &Event) -> Value {
    object(json!({
        "timeUnixNano": nanos(event.time_unix_nano),
        "name": event.name,
        "attributes": list(&event.attributes, key_value),
        "droppedAttributesCount": event.dropped_attributes_count,
    }))
}

fn link(link: &Link) -> Value {
    object(json!({
        "traceId": id(&link.trace_id),
        "spanId": id(&link.span_id),
        "traceState": link.trace_state,
        "attributes": list(&link.attributes, key_value),
        "droppedAttributesCount": link.dropped_attributes_count,
        "flags": link.flags,
    }))
}

fn status(status: &Status) -> Value {
    object(json!({ "message": status.message, "code": status.code }))
}

/// The key is written even if it is empty.
fn key_value(pair: &KeyValue) -> Value {
    match &pair.value {
        Some(value) => json!({ "key": pair.key, "value": any_value(value) }),
        None => json!({ "key": pair.key }),
    }
}

fn any_value(value: &AnyValue) -> Value {
    match &value.value {
        Some(Variant::StringValue(value)) => json!({ "stringValue": value }),
        Some(Variant::BoolValue(value)) => json!({ "boolValue": value }),
        Some(Variant::IntValue(value)) => json!({ "intValue": value.to_string() }),
        Some(Variant::DoubleValue(value)) if value.is_nan() => json!({ "doubleValue": "NaN" }),
        Some(Variant::DoubleValue(value)) if value.is_infinite() => {
            json!({ "doubleValue": if *value > 0.0 { "Infinity" } else { "-Infinity" } })
        }
        Some(Variant::DoubleValue(value)) => json!({ "doubleValue": value }),
        Some(Variant::BytesValue(value)) => json!({ "bytesValue": BASE64_STANDARD.encode(value) }),
        Some(Variant::ArrayValue(array)) => {
            json!({ "arrayValue": object(json!({ "values": list(&array.values, any_value) })) })
        }
        Some(Variant::KvlistValue(pairs)) => {
            json!({ "kvlistValue": object(json!({ "values": list(&pairs.values, key_value) })) })
        }
        // Only profiles have an index into a table of strings.
        Some(Variant::StringValueStrindex(_)) | None => json!({}),
    }
}
