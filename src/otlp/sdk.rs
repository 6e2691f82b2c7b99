//! Batches of the SDK's processors, encoded as requests.
//!
//! The bytes are those that prost writes of what opentelemetry-proto makes of the same batch, except that scopes
//! come in the order of their first records.

#[cfg(all(test, not(loom)))]
mod tests;

use opentelemetry_sdk::logs::{LogBatch, SdkLogRecord};
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_sdk::Resource;

use crate::otlp::span::{put_nested, put_span, put_text, put_time, scope};
use crate::value::{any_value, Value};
use crate::wire::log_record::field;
use crate::wire::put::{put_bytes, put_message, put_pair, put_uint, tag, FIXED32};

/// An `ExportLogsServiceRequest`. The name of a record's scope is its target, if it has one.
pub(crate) fn logs_request(batch: &LogBatch<'_>, resource: &Resource) -> Vec<u8> {
    let records = batch.iter().map(|(record, scope)| {
        let name = record.target().map_or(scope.name(), |target| target);
        (scope::encode(scope, name), encoded(record))
    });
    request(resource, records.collect())
}

/// An `ExportTraceServiceRequest`.
pub(crate) fn spans_request(batch: &[SpanData], resource: &Resource) -> Vec<u8> {
    let spans = batch.iter().map(|span| {
        let scope = &span.instrumentation_scope;
        let mut encoded = Vec::new();
        put_span(&mut encoded, span);
        (scope::encode(scope, scope.name()), encoded)
    });
    request(resource, spans.collect())
}

/// A request of encoded records or spans, each with its scope.
fn request(resource: &Resource, items: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<u8> {
    let mut scopes: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (scope, item) in items {
        let found = scopes.iter().position(|(known, _)| *known == scope);
        let index = found.unwrap_or_else(|| {
            scopes.push((scope, Vec::new()));
            scopes.len() - 1
        });
        put_bytes(&mut scopes[index].1, 2, &item);
    }
    let mut request = Vec::new();
    put_nested(&mut request, 1, |out| {
        put_nested(out, 1, |out| {
            for (key, value) in resource.iter() {
                put_pair(out, 1, key.as_str(), &Value::Any(&any_value(value.clone())));
            }
        });
        for (scope, items) in &scopes {
            let (before, after) = scope::split(scope);
            put_bytes(out, 2, &[before, items, after].concat());
        }
        put_text(out, 3, resource.schema_url().unwrap_or_default());
    });
    request
}

fn encoded(record: &SdkLogRecord) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(time) = record.timestamp() {
        put_time(&mut out, field::TIME, time);
    }
    if let Some(severity) = record.severity_number() {
        put_uint(&mut out, field::SEVERITY_NUMBER, severity as u64);
    }
    put_text(&mut out, field::SEVERITY_TEXT, record.severity_text().unwrap_or_default());
    if let Some(body) = record.body() {
        put_message(&mut out, field::BODY, &Value::Any(body));
    }
    for (key, value) in record.attributes_iter() {
        put_pair(&mut out, field::ATTRIBUTES, key.as_str(), &Value::Any(value));
    }
    if let Some(context) = record.trace_context() {
        let flags = context.trace_flags.unwrap_or_default().to_u8();
        if flags > 0 {
            out.push(tag(field::FLAGS, FIXED32));
            out.extend_from_slice(&u32::from(flags).to_le_bytes());
        }
        put_bytes(&mut out, field::TRACE_ID, &context.trace_id.to_bytes());
        put_bytes(&mut out, field::SPAN_ID, &context.span_id.to_bytes());
    }
    if let Some(time) = record.observed_timestamp() {
        put_time(&mut out, field::OBSERVED_TIME, time);
    }
    put_text(&mut out, field::EVENT_NAME, record.event_name().unwrap_or_default());
    out
}
