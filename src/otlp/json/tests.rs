//! The transcoder against the oracle of `fuzzing/oracle.rs`, which makes the same of prost's types.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Variant;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;
use serde_json::{json, Value};

use super::*;
use crate::fuzzing::oracle;
use crate::wire::put::{put_bytes, put_header, put_uint};

/// Strings of everything that JSON or Unicode treat in a way of their own, and of anything else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[\u{0}-\u{1f}\"\\\\/\u{7f}\u{80}\u{2028}\u{2029}\u{fffe}\u{1f600}a]{0,6}",
        ".{0,12}",
    ]
}

fn edge_u64() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(1 << 53), Just(u64::MAX), any::<u64>()]
}

fn any_value_strategy() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        text().prop_map(|value| Some(Variant::StringValue(value))),
        any::<bool>().prop_map(|value| Some(Variant::BoolValue(value))),
        prop_oneof![Just(0), Just(i64::MIN), Just(i64::MAX), any::<i64>()]
            .prop_map(|value| Some(Variant::IntValue(value))),
        prop_oneof![
            Just(0.0),
            Just(-0.0),
            Just(f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(f64::MIN_POSITIVE),
            Just(5e-324),
            Just(f64::MAX),
            Just(1e16),
            Just(0.1),
            any::<u64>().prop_map(f64::from_bits),
        ]
        .prop_map(|value| Some(Variant::DoubleValue(value))),
        vec(any::<u8>(), 0..9).prop_map(|value| Some(Variant::BytesValue(value))),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| Variant::ArrayValue(ArrayValue { values })),
            vec(pair(inner), 0..4).prop_map(|values| Variant::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn pair(value: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = KeyValue> {
    (text(), option::of(value)).prop_map(|(key, value)| KeyValue { key, value, ..Default::default() })
}

fn pairs() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(pair(any_value_strategy()), 0..3)
}

fn id_of(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), Just(vec![0; len]), vec(any::<u8>(), len)]
}

fn record() -> impl Strategy<Value = LogRecord> {
    let head = (edge_u64(), edge_u64(), prop_oneof![0..25, any::<i32>()], text(), text());
    let values = (option::of(any_value_strategy()), pairs(), any::<u32>(), any::<u32>());
    (head, values, id_of(16), id_of(8)).prop_map(
        |(
            (time, observed, severity, severity_text, event_name),
            (body, attributes, dropped, flags),
            t,
            s,
        )| {
            LogRecord {
                time_unix_nano: time,
                observed_time_unix_nano: observed,
                severity_number: severity,
                severity_text,
                body,
                attributes,
                dropped_attributes_count: dropped,
                flags,
                trace_id: t,
                span_id: s,
                event_name,
            }
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    (edge_u64(), text(), pairs(), any::<u32>()).prop_map(|(time, name, attributes, dropped)| Event {
        time_unix_nano: time,
        name,
        attributes,
        dropped_attributes_count: dropped,
    })
}

fn link() -> impl Strategy<Value = Link> {
    let ids = (id_of(16), id_of(8));
    (ids, text(), pairs(), any::<u32>(), any::<u32>()).prop_map(
        |((t, s), state, attributes, dropped, flags)| Link {
            trace_id: t,
            span_id: s,
            trace_state: state,
            attributes,
            dropped_attributes_count: dropped,
            flags,
        },
    )
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (id_of(16), id_of(8), id_of(8), any::<u32>());
    let head = (text(), text(), any::<i32>(), edge_u64(), edge_u64());
    let lists = (pairs(), vec(event(), 0..3), vec(link(), 0..3));
    let status = option::of((text(), any::<i32>()).prop_map(|(message, code)| Status { message, code }));
    (ids, head, lists, any::<[u32; 3]>(), status).prop_map(
        |(
            (t, s, parent, flags),
            (state, name, kind, start, end),
            (attributes, events, links),
            dropped,
            status,
        )| {
            Span {
                trace_id: t,
                span_id: s,
                trace_state: state,
                parent_span_id: parent,
                flags,
                name,
                kind,
                start_time_unix_nano: start,
                end_time_unix_nano: end,
                attributes,
                dropped_attributes_count: dropped[0],
                events,
                dropped_events_count: dropped[1],
                links,
                dropped_links_count: dropped[2],
                status,
            }
        },
    )
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    let scope = (text(), text(), pairs(), any::<u32>()).prop_map(|(name, version, attributes, dropped)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count: dropped }
    });
    option::of(scope)
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    let resource = (pairs(), any::<u32>()).prop_map(|(attributes, dropped)| Resource {
        attributes,
        dropped_attributes_count: dropped,
        entity_refs: Vec::new(),
    });
    option::of(resource)
}

fn request() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope_logs = (scope(), vec(record(), 0..3), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resource_logs = (resource(), vec(scope_logs, 0..3), text())
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    vec(resource_logs, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

fn trace_request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans = (scope(), vec(span(), 0..3), text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let resource_spans = (resource(), vec(scope_spans, 0..3), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(resource_spans, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_is_what_the_other_encoder_writes(request in request()) {
        let line = request_to_json(Signal::Logs, &request.encode_to_vec()).expect("prost wrote it");
        oracle::assert_same(&line, &request);
    }

    #[test]
    fn any_trace_request_is_what_the_other_encoder_writes(request in trace_request()) {
        let line = request_to_json(Signal::Traces, &request.encode_to_vec()).expect("prost wrote it");
        oracle::assert_same(&line, &request);
    }

    #[test]
    fn cut_or_changed_bytes_never_panic(request in request(), at: prop::sample::Index, byte: u8) {
        let mut bytes = request.encode_to_vec();
        prop_assume!(!bytes.is_empty());
        let at = at.index(bytes.len());
        let _ = request_to_json(Signal::Logs, &bytes[..at]);
        bytes[at] = byte;
        if let Ok(line) = request_to_json(Signal::Logs, &bytes) {
            prop_assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
        }
    }
}

/// A request of one record that has the encoded `AnyValue` as its body.
fn with_body(body: &[u8]) -> Vec<u8> {
    [5, 2, 2, 1].iter().fold(body.to_vec(), |inner, field| {
        let mut outer = Vec::new();
        put_bytes(&mut outer, *field, &inner);
        outer
    })
}

fn body_json(body: &[u8]) -> Value {
    let line = request_to_json(Signal::Logs, &with_body(body)).expect("it is a request");
    let mut read: Value = serde_json::from_str(&line).expect("it is JSON");
    read["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"].take()
}

#[test]
fn what_is_absent_is_left_out() {
    assert_eq!(request_to_json(Signal::Logs, b""), Ok("{}".to_owned()));
    assert_eq!(request_to_json(Signal::Logs, &[1 << 3 | 2, 0]), Ok(r#"{"resourceLogs":[{}]}"#.to_owned()));
    assert_eq!(body_json(&[1 << 3 | 2, 0]), json!({ "stringValue": "" }));
    assert_eq!(body_json(&[3 << 3, 0]), json!({ "intValue": "0" }));
    assert_eq!(body_json(&[]), json!({}));
}

#[test]
fn doubles_that_json_has_no_number_for_are_named() {
    for (value, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "Infinity"), (f64::NEG_INFINITY, "-Infinity")] {
        let value = AnyValue { value: Some(Variant::DoubleValue(value)) };
        assert_eq!(body_json(&value.encode_to_vec()), json!({ "doubleValue": name }));
    }
}

#[test]
fn strings_are_escaped_no_more_than_needed() {
    let mut body = Vec::new();
    put_bytes(&mut body, 1, "\"\\\n\u{1}\u{1f}/\u{2028}\u{e9}".as_bytes());
    let line = request_to_json(Signal::Logs, &with_body(&body)).expect("it is a request");
    assert!(line.contains("{\"stringValue\":\"\\\"\\\\\\n\\u0001\\u001f/\u{2028}\u{e9}\"}"), "{line}");
}

#[test]
fn unknown_fields_are_skipped_and_the_last_of_two_counts() {
    let mut body = Vec::new();
    put_uint(&mut body, 15, 7);
    put_bytes(&mut body, 14, b"\xff");
    put_bytes(&mut body, 1, b"first");
    put_uint(&mut body, 3, 5);
    assert_eq!(body_json(&body), json!({ "intValue": "5" }));
}

#[test]
fn attributes_between_other_fields_are_one_list() {
    let mut record = Vec::new();
    for key in ["a", "b"] {
        put_header(&mut record, 6, 3);
        put_bytes(&mut record, 1, key.as_bytes());
        put_uint(&mut record, 7, 1);
    }
    let request = [2, 2, 1].iter().fold(record, |inner, field| {
        let mut outer = Vec::new();
        put_bytes(&mut outer, *field, &inner);
        outer
    });
    let line = request_to_json(Signal::Logs, &request).expect("it is a request");
    let record = r#"{"attributes":[{"key":"a"},{"key":"b"}],"droppedAttributesCount":1}"#;
    assert_eq!(line, format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#));
}

#[test]
fn what_is_malformed_is_an_error() {
    for bytes in [
        &b"\x0a"[..],                                    // no length
        b"\x0a\x05\x00",                                 // cut off
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", // longer than memory
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", // a varint of 65 bits
        b"\x00\x00",                                     // field 0
        b"\x0b\x0c",                                     // a group
        b"\x08\x00",                                     // resource_logs as a number
        b"\x80\x80\x80\x80\x80\x01\x00",                 // a field number of more than 32 bits
    ] {
        assert!(request_to_json(Signal::Logs, bytes).is_err(), "{bytes:?}");
    }
    let error = request_to_json(Signal::Logs, &with_body(b"\x0a\x01\xff")).expect_err("it is not UTF-8");
    assert_eq!(error.to_string(), "malformed protobuf: a string is not UTF-8");
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| {
        (0..levels).fold(Vec::new(), |inner, _| {
            let (mut list, mut outer) = (Vec::new(), Vec::new());
            put_bytes(&mut list, 1, &inner);
            put_bytes(&mut outer, 5, &list);
            outer
        })
    };
    assert!(request_to_json(Signal::Logs, &with_body(&nested(NESTING_LIMIT))).is_ok());
    assert!(request_to_json(Signal::Logs, &with_body(&nested(NESTING_LIMIT + 1))).is_err());
    assert!(request_to_json(Signal::Logs, &with_body(&nested(10_000))).is_err());
}
