//! Finished spans, as a provider's in-memory exporter has them, or as a pipeline's receiver gets them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value, AnyValue, KeyValue as ProtoKeyValue};
use opentelemetry_proto::tonic::trace::v1::{span, Span};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use prost::Message;

/// The spans of an encoded `ExportTraceServiceRequest`.
pub fn of_request(request: &[u8]) -> Vec<SpanData> {
    let request = ExportTraceServiceRequest::decode(request).unwrap();
    let mut spans = Vec::new();
    for scope_spans in request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans) {
        let scope = scope_spans.scope.unwrap_or_default();
        let named = InstrumentationScope::builder(scope.name).with_version(scope.version).build();
        spans.extend(scope_spans.spans.into_iter().map(|span| of_span(span, named.clone())));
    }
    spans
}

fn of_span(span: Span, instrumentation_scope: InstrumentationScope) -> SpanData {
    let mut events = SpanEvents::default();
    events.events = span.events.into_iter().map(event).collect();
    events.dropped_count = span.dropped_events_count;
    let mut links = SpanLinks::default();
    links.links = span.links.into_iter().map(link).collect();
    links.dropped_count = span.dropped_links_count;
    let status = span.status.unwrap_or_default();
    SpanData {
        span_context: span_context(&span.trace_id, &span.span_id, span.flags, &span.trace_state, false),
        parent_span_id: span_id(&span.parent_span_id),
        parent_span_is_remote: span.flags & 0x200 != 0,
        span_kind: match span.kind {
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => SpanKind::Internal,
        },
        name: Cow::Owned(span.name),
        start_time: time(span.start_time_unix_nano),
        end_time: time(span.end_time_unix_nano),
        attributes: attributes(span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events,
        links,
        status: match status.code {
            1 => Status::Ok,
            2 => Status::error(status.message),
            _ => Status::Unset,
        },
        instrumentation_scope,
    }
}

fn event(event: span::Event) -> Event {
    let attributes = attributes(event.attributes);
    Event::new(event.name, time(event.time_unix_nano), attributes, event.dropped_attributes_count)
}

fn link(link: span::Link) -> Link {
    let is_remote = link.flags & 0x200 != 0;
    let context = span_context(&link.trace_id, &link.span_id, link.flags, &link.trace_state, is_remote);
    Link::new(context, attributes(link.attributes), link.dropped_attributes_count)
}

fn span_context(trace: &[u8], span: &[u8], flags: u32, state: &str, is_remote: bool) -> SpanContext {
    let trace = TraceId::from_bytes(trace.try_into().unwrap());
    let state = state.parse::<TraceState>().unwrap_or_default();
    SpanContext::new(trace, span_id(span), TraceFlags::new(flags as u8), is_remote, state)
}

fn span_id(bytes: &[u8]) -> SpanId {
    bytes.try_into().map_or(SpanId::INVALID, SpanId::from_bytes)
}

fn time(unix_nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(unix_nanos)
}

fn attributes(pairs: Vec<ProtoKeyValue>) -> Vec<KeyValue> {
    pairs.into_iter().map(|pair| KeyValue::new(pair.key, value(pair.value.unwrap_or_default()))).collect()
}

fn value(value: AnyValue) -> Value {
    use any_value::Value as Any;
    match value.value {
        Some(Any::BoolValue(value)) => Value::Bool(value),
        Some(Any::IntValue(value)) => Value::I64(value),
        Some(Any::DoubleValue(value)) => Value::F64(value),
        Some(Any::StringValue(value)) => Value::String(value.into()),
        Some(Any::ArrayValue(array)) => array_of(array.values),
        other => panic!("an attribute of a span cannot be {other:?}"),
    }
}

fn array_of(values: Vec<AnyValue>) -> Value {
    use any_value::Value as Any;
    let each = || values.iter().filter_map(|value| value.value.clone());
    Value::Array(match values.first().and_then(|first| first.value.as_ref()) {
        Some(Any::BoolValue(_)) => Array::Bool(
            each().filter_map(|it| if let Any::BoolValue(it) = it { Some(it) } else { None }).collect(),
        ),
        Some(Any::IntValue(_)) => Array::I64(
            each().filter_map(|it| if let Any::IntValue(it) = it { Some(it) } else { None }).collect(),
        ),
        Some(Any::DoubleValue(_)) => Array::F64(
            each().filter_map(|it| if let Any::DoubleValue(it) = it { Some(it) } else { None }).collect(),
        ),
        _ => Array::String(
            each()
                .filter_map(
                    |it| if let Any::StringValue(it) = it { Some(StringValue::from(it)) } else { None },
                )
                .collect(),
        ),
    })
}
