//! A record as it arrived, whatever kind it was.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry::Key;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value::Value, AnyValue as ProtoValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_sdk::logs::SdkLogRecord;
use prost::Message;

#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub ids: Option<(TraceId, SpanId)>,
    pub flags: Option<TraceFlags>,
    pub unix_nanos: Option<u128>,
    pub observed_unix_nanos: Option<u128>,
    /// 0 is unspecified.
    pub severity_number: i32,
    pub severity_text: Option<String>,
    pub body: Option<AnyValue>,
    pub event_name: Option<String>,
    pub scope: String,
    pub attributes: Vec<(String, AnyValue)>,
}

impl Seen {
    pub fn of_sdk(record: &SdkLogRecord) -> Self {
        let nanos =
            |time: Option<SystemTime>| time.map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_nanos());
        let trace = record.trace_context();
        Self {
            // The invalid context is OTLP's way of saying none.
            ids: trace
                .filter(|trace| trace.trace_id != TraceId::INVALID && trace.span_id != SpanId::INVALID)
                .map(|trace| (trace.trace_id, trace.span_id)),
            flags: trace.and_then(|trace| trace.trace_flags),
            unix_nanos: nanos(record.timestamp()),
            observed_unix_nanos: nanos(record.observed_timestamp()),
            severity_number: record.severity_number().map_or(0, |severity| severity as i32),
            severity_text: record.severity_text().map(str::to_owned),
            body: record.body().cloned(),
            event_name: record.event_name().map(str::to_owned),
            scope: record.target().expect("a target").to_string(),
            attributes: record
                .attributes_iter()
                .map(|(key, value)| (key.to_string(), value.clone()))
                .collect(),
        }
    }

    /// The records of an encoded request, in order.
    pub fn of_request(request: &[u8]) -> Vec<Self> {
        let request = ExportLogsServiceRequest::decode(request).unwrap();
        let scopes = request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
        scopes
            .flat_map(|scope| {
                let name = scope.scope.map(|scope| scope.name).unwrap_or_default();
                scope.log_records.into_iter().map(move |record| Self::of_otlp(&name, record))
            })
            .collect()
    }

    pub fn of_otlp(scope: &str, record: LogRecord) -> Self {
        let trace_id = record.trace_id.as_slice().try_into().map(TraceId::from_bytes);
        let span_id = record.span_id.as_slice().try_into().map(SpanId::from_bytes);
        assert_eq!(trace_id.is_ok(), !record.trace_id.is_empty(), "{record:?}");
        assert_eq!(span_id.is_ok(), !record.span_id.is_empty(), "{record:?}");
        let ids = trace_id.ok().zip(span_id.ok());
        assert!(ids.is_none_or(|(trace, span)| trace != TraceId::INVALID && span != SpanId::INVALID));
        assert!(ids.is_some() || record.flags == 0, "{record:?}");
        Self {
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

    pub fn body_text(&self) -> &str {
        match &self.body {
            Some(AnyValue::String(text)) => text.as_str(),
            other => panic!("no text in the body: {other:?}"),
        }
    }

    /// The only value of a key; a second one is a failure.
    pub fn get(&self, key: &str) -> Option<&AnyValue> {
        let mut found = self.attributes.iter().filter(|(known, _)| known == key);
        let value = found.next();
        assert!(found.next().is_none(), "{key} is there twice: {:?}", self.attributes);
        value.map(|(_, value)| value)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            AnyValue::String(text) => Some(text.as_str()),
            other => panic!("{key} is no text: {other:?}"),
        }
    }

    pub fn keys(&self) -> Vec<&str> {
        self.attributes.iter().map(|(key, _)| key.as_str()).collect()
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
