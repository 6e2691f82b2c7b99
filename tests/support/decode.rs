//! Requests of the direct road, read by prost.

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry::Key;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value::Value, AnyValue as ProtoValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

use super::Seen;

/// The records of an encoded request, in order.
pub fn seen_in(request: &[u8]) -> Vec<Seen> {
    let request = ExportLogsServiceRequest::decode(request).unwrap();
    let scopes = request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
    scopes
        .flat_map(|scope| {
            let name = scope.scope.map(|scope| scope.name).unwrap_or_default();
            scope.log_records.into_iter().map(move |record| seen(&name, record))
        })
        .collect()
}

fn seen(scope: &str, record: LogRecord) -> Seen {
    let trace_id = record.trace_id.as_slice().try_into().map(TraceId::from_bytes);
    let span_id = record.span_id.as_slice().try_into().map(SpanId::from_bytes);
    assert_eq!(trace_id.is_ok(), !record.trace_id.is_empty(), "{record:?}");
    assert_eq!(span_id.is_ok(), !record.span_id.is_empty(), "{record:?}");
    let ids = trace_id.ok().zip(span_id.ok());
    assert!(ids.is_none_or(|(trace, span)| trace != TraceId::INVALID && span != SpanId::INVALID));
    Seen {
        ids,
        flags: ids.map(|_| TraceFlags::new(u8::try_from(record.flags).unwrap())),
        unix_nanos: Some(record.time_unix_nano.into()),
        observed_unix_nanos: Some(record.observed_time_unix_nano.into()),
        severity_number: record.severity_number,
        severity_text: Some(record.severity_text),
        body: record.body.map(any_value),
        event_name: Some(record.event_name).filter(|name| !name.is_empty()),
        scope: scope.to_owned(),
        attributes: record
            .attributes
            .into_iter()
            .map(|pair| (pair.key, any_value(pair.value.unwrap())))
            .collect(),
    }
}

fn any_value(value: ProtoValue) -> AnyValue {
    match value.value.expect("a value") {
        Value::StringValue(text) => AnyValue::String(text.into()),
        Value::BoolValue(value) => AnyValue::Boolean(value),
        Value::IntValue(value) => AnyValue::Int(value),
        Value::DoubleValue(value) => AnyValue::Double(value),
        Value::BytesValue(bytes) => AnyValue::Bytes(Box::new(bytes)),
        Value::ArrayValue(array) => {
            AnyValue::ListAny(Box::new(array.values.into_iter().map(any_value).collect()))
        }
        Value::KvlistValue(list) => {
            let entries =
                list.values.into_iter().map(|pair| (Key::from(pair.key), any_value(pair.value.unwrap())));
            AnyValue::Map(Box::new(entries.collect()))
        }
        other => panic!("not written by us: {other:?}"),
    }
}
