//! The formats of OTLP files, ours and others'.

use std::fs;
use std::io::Write;

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
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
use opentelemetry_sdk::trace::SdkTracerProvider;
use prost::Message;
use spanlog::graph::{Reader, RecordLevel, ToolCallGraph};
use spanlog::json_lines::JsonLinesSpanExporter;
use spanlog::otlp::Pipeline;
use spanlog::LogLayer;

use crate::fixture::{directory, node, read, shape};
use crate::spans::subscriber;

const TRACE_BYTES: [u8; 16] = [0xab; 16];

fn value(variant: Variant) -> AnyValue {
    AnyValue { value: Some(variant) }
}

fn string(text: &str) -> AnyValue {
    value(Variant::StringValue(text.to_owned()))
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn resource() -> Option<Resource> {
    let attributes = vec![pair("host.name", string("h")), pair("service.name", string("runner"))];
    Some(Resource { attributes, ..Resource::default() })
}

fn every_kind_of_value() -> Vec<KeyValue> {
    let list = |values| value(Variant::ArrayValue(ArrayValue { values }));
    vec![
        pair("string", string("a \"b\" \u{1f600}\n")),
        pair("empty", string("")),
        pair("yes", value(Variant::BoolValue(true))),
        pair("int", value(Variant::IntValue(i64::MIN))),
        pair("double", value(Variant::DoubleValue(0.5))),
        pair("nan", value(Variant::DoubleValue(f64::NAN))),
        pair("bytes", value(Variant::BytesValue(vec![0, 255]))),
        pair("list", list(vec![string("x"), value(Variant::IntValue(1)), AnyValue::default(), list(vec![])])),
        pair(
            "map",
            value(Variant::KvlistValue(KeyValueList {
                values: vec![pair("k", string("v")), pair("n", AnyValue::default())],
            })),
        ),
    ]
}

fn event(name: &str, attributes: Vec<KeyValue>) -> Event {
    let time_unix_nano = 1_700_000_000_000_000_007;
    Event { time_unix_nano, name: name.to_owned(), attributes, dropped_attributes_count: 1 }
}

fn link(attributes: Vec<KeyValue>) -> Link {
    let (trace_id, span_id) = (vec![0xcd; 16], vec![0xef; 8]);
    Link { trace_id, span_id, trace_state: "a=b".to_owned(), attributes, flags: 1, ..Link::default() }
}

fn trace_request() -> ExportTraceServiceRequest {
    let span = |name: &str, id: u8, parent: Option<u8>, code: i32| Span {
        trace_id: TRACE_BYTES.to_vec(),
        span_id: vec![id; 8],
        parent_span_id: parent.map_or_else(Vec::new, |parent| vec![parent; 8]),
        name: name.to_owned(),
        kind: i32::from(id),
        start_time_unix_nano: 1_700_000_000_000_000_000 + u64::from(id),
        end_time_unix_nano: 1_700_000_000_500_000_000 + u64::from(id),
        attributes: every_kind_of_value(),
        events: vec![event("queued", vec![]), event("exception", every_kind_of_value())],
        links: vec![Link::default(), link(vec![]), link(every_kind_of_value())],
        status: Some(Status { code, message: "as it is".to_owned() }),
        flags: 1,
        ..Span::default()
    };
    let spans = vec![span("plan", 2, Some(1), 2), span("job.deploy", 1, None, 0)];
    let scope = Some(InstrumentationScope { name: "spanlog".to_owned(), ..Default::default() });
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource(),
            scope_spans: vec![ScopeSpans { scope, spans, ..Default::default() }],
            ..Default::default()
        }],
    }
}

fn log_request() -> ExportLogsServiceRequest {
    let record = |span: u8, severity: i32, body: &str| LogRecord {
        time_unix_nano: 1_700_000_000_000_000_100 + u64::from(span),
        severity_number: severity,
        severity_text: "ignored".to_owned(),
        body: Some(string(body)),
        attributes: every_kind_of_value(),
        flags: 1,
        trace_id: TRACE_BYTES.to_vec(),
        span_id: vec![span; 8],
        event_name: "said".to_owned(),
        ..LogRecord::default()
    };
    // The smallest record there is could be taken for a span with a name.
    let bare = LogRecord { body: Some(string("alone")), ..LogRecord::default() };
    let scope = Some(InstrumentationScope { name: "app::plan".to_owned(), ..Default::default() });
    let log_records = vec![record(2, 17, "no state"), record(1, 9, "begins"), bare];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(),
            scope_logs: vec![ScopeLogs { scope, log_records, ..Default::default() }],
            ..Default::default()
        }],
    }
}

/// As opentelemetry-proto writes it, except for NaN, which it cannot write.
fn as_json(message: &impl serde::Serialize) -> serde_json::Value {
    let text = serde_json::to_string(message).unwrap();
    serde_json::from_str(&text.replace("\"doubleValue\":null", "\"doubleValue\":\"NaN\"")).unwrap()
}

/// Everything that was read, as text.
pub(crate) fn dump(graph: &ToolCallGraph) -> String {
    let mut text = graph.to_text();
    for node in graph.nodes() {
        text += &format!("{:#?}\n", node.call());
        for record in node.own_records() {
            text += &format!("{record:#?}\n");
        }
    }
    for record in graph.unplaced_records() {
        text += &format!("unplaced {record:#?}\n");
    }
    text
}

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let frame = |message: &Vec<u8>| [&(message.len() as u32).to_be_bytes()[..], message].concat();
    messages.iter().flat_map(frame).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn every_form_of_the_same_messages_is_the_same_graph() {
    let (spans, records) = (trace_request(), log_request());
    let (spans_json, logs_json) = (as_json(&spans), as_json(&records));
    let lines = format!("{spans_json}\n{logs_json}\n");
    let pretty = format!("{spans_json:#}\n{logs_json:#}");
    let together = ["resourceSpans", "resourceLogs"].map(|name| {
        let message = if name == "resourceSpans" { &spans_json } else { &logs_json };
        format!("\"{name}\":{}", message[name])
    });
    let (spans, records) = (spans.encode_to_vec(), records.encode_to_vec());
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("lines", lines.clone().into_bytes()),
        ("lines in the other order", format!("{logs_json}\n\n{spans_json}").into_bytes()),
        ("lines as Windows ends them", lines.replace('\n', "\r\n").into_bytes()),
        ("lines behind a byte order mark", format!("\u{feff}{lines}").into_bytes()),
        ("documents", pretty.clone().into_bytes()),
        ("documents behind empty lines", format!("\n \n{pretty}").into_bytes()),
        ("both signals in one object", format!("{{{}}}", together.join(",")).into_bytes()),
        ("lines, gzip", gzip(lines.as_bytes())),
        ("two gzip streams", [gzip(&lines.as_bytes()[..9]), gzip(&lines.as_bytes()[9..])].concat()),
        ("protobuf, one behind the other", [spans.clone(), records.clone()].concat()),
        ("protobuf with lengths", framed(&[records.clone(), spans.clone()])),
        ("protobuf with lengths, gzip", gzip(&framed(&[records.clone(), Vec::new(), spans.clone()]))),
        ("lines, zstd", zstd(lines.as_bytes())),
        ("two zstd frames", [zstd(&lines.as_bytes()[..9]), zstd(&lines.as_bytes()[9..])].concat()),
        ("protobuf with lengths, zstd", zstd(&framed(&[records.clone(), spans.clone()]))),
        (
            "each JSON message zstd",
            framed(&[spans_json, logs_json].map(|json| zstd(json.to_string().as_bytes()))),
        ),
        ("each protobuf message zstd", framed(&[zstd(&records), Vec::new(), zstd(&spans)])),
        ("each message zstd, gzip", gzip(&framed(&[zstd(&records), zstd(&spans)]))),
    ];
    let expected = dump(&read(&forms[0].1));
    let parts = ["no state", "service: Some(", "\"runner\"", "app::plan", "level: Error", "said", "alone"];
    let of_spans = [
        "kind: Server",
        "kind: Internal",
        "name: \"exception\"",
        "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
        "1700000000000000007",
    ];
    for part in parts.into_iter().chain(of_spans) {
        assert!(expected.contains(part), "{part}: {expected}");
    }
    for (form, bytes) in &forms {
        let graph = read(bytes);
        assert_eq!(dump(&graph), expected, "{form}");
        assert_eq!(graph.notes(), [] as [&str; 0], "{form}");
    }
}

#[test]
fn values_read_as_in_an_attribute_list() {
    let graph = read(as_json(&trace_request()).to_string());
    let attributes = &node(&graph, "plan").call().attributes;
    let expected = [
        ("string", "a \"b\" \u{1f600}\n"),
        ("empty", ""),
        ("yes", "true"),
        ("int", "-9223372036854775808"),
        ("double", "0.5"),
        ("nan", "NaN"),
        ("bytes", "AP8="),
        ("list", "[\"x\",1,null,[]]"),
        ("map", "{\"k\":\"v\",\"n\":null}"),
    ];
    let read: Vec<_> = attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(read, expected);
}

/// As the documentation of the file exporter and of OTLP's JSON describes it: these were not
/// written by a Collector.
#[test]
fn a_collectors_lines_and_all_that_receivers_must_accept() {
    let collector = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"runner"}}]},"scopeSpans":[{"scope":{"name":"lib","version":"1"},"spans":[{"traceId":"ABABABABABABABABABABABABABABABAB","spanId":"0101010101010101","parentSpanId":"","flags":257,"name":"job.deploy","kind":1,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000002500000000","attributes":[{"key":"n","value":{"intValue":"7"}}],"events":[{"timeUnixNano":"1","name":"e"}],"status":{}}]}],"schemaUrl":"https://opentelemetry.io/schemas/1.26.0"}]}"#;
    let graph = read(collector);
    assert_eq!(graph.to_text(), "✓ job.deploy  2.50 s\n");
    let call = node(&graph, "job.deploy").call();
    assert_eq!(call.service.as_deref(), Some("runner"));
    assert_eq!(call.attributes, [("n".to_owned(), "7".to_owned())]);

    let liberal = r#"{"resource_logs":[{"resource":null,"unknown":{"a":[1,{"b":2}]},"scope_logs":[{"log_records":[
        {"trace_id":"abababababababababababababababab","span_id":"0101010101010101","time_unix_nano":1700000000000000001,
         "severity_number":"SEVERITY_NUMBER_WARN2","body":{"int_value":5},"attributes":[{"key":"d","value":{"double_value":"Infinity"}}]},
        {"observed_time_unix_nano":1.7e18,"severity_text":"Fatal","body":{"string_value":"late"}}
       ],"scope":{"name":"app"}}]}]}"#;
    let mut reader = Reader::new();
    reader.read("spans", collector.as_bytes()).unwrap();
    reader.read("logs", liberal.as_bytes()).unwrap();
    let graph = reader.graph();
    let records = node(&graph, "job.deploy").records();
    let [warning] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(
        (warning.level, warning.body.as_str(), warning.target.as_str()),
        (RecordLevel::Warn, "5", "app")
    );
    assert_eq!(warning.attributes, [("d".to_owned(), "Infinity".to_owned())]);
    let late = graph.unplaced_records().next().unwrap();
    assert_eq!((late.level, late.time_unix_nano), (RecordLevel::Fatal, 1_700_000_000_000_000_000));
    assert_eq!((late.target.as_str(), late.body.as_str()), ("app", "late"));
}

#[test]
fn what_our_own_writers_wrote_is_read_back() {
    let directory = directory("own");
    let (spans, records) = (directory.join("traces.jsonl"), directory.join("logs.jsonl"));
    let exporter = JsonLinesSpanExporter::new(&spans).unwrap();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let pipeline = Pipeline::builder().with_json_lines(&records).build().unwrap();
    let dispatch = subscriber(&provider, LogLayer::direct(pipeline.clone()));
    tracing::dispatcher::with_default(&dispatch, || {
        let result: Result<(), String> = spanlog::op::run("terraform", "plan", [], || {
            tracing::warn!(changes = 3, "planned");
            Err("no state".to_owned())
        });
        result.unwrap_err();
    });
    provider.tracer("api").start("made with the API").end();
    provider.shutdown().unwrap();
    pipeline.shutdown(std::time::Duration::from_secs(10));

    let graph = ToolCallGraph::read_files([&spans, &records]).unwrap();
    assert_eq!(shape(&graph), ["terraform.plan", "made with the API"]);
    let plan = node(&graph, "terraform.plan");
    assert_eq!(plan.call().tool.as_deref(), Some("terraform"));
    assert_eq!(plan.call().message, "no state");
    assert!(plan.fails());
    let records: Vec<_> = plan.own_records().collect();
    let [planned] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((planned.level, planned.body.as_str()), (RecordLevel::Warn, "planned"));
    assert!(planned.attributes.contains(&("changes".to_owned(), "3".to_owned())));
    assert_eq!(planned.target, module_path!());
    fs::remove_dir_all(&directory).unwrap();
}

/// Guarantees: ids in base64, as protobuf's own JSON writes them, are the same as in hexadecimal.
#[test]
fn ids_may_be_base64() {
    let line = |trace: &str, parent: &str, span: &str| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"name":"{span}","traceId":"{trace}","spanId":"{span}",
            "parentSpanId":"{parent}","startTimeUnixNano":"1","endTimeUnixNano":"2"}}]}}]}}]}}"#
        )
        .replace('\n', "")
    };
    let hex = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"];
    let base64 = ["CvdlGRbNQ92ESOshHIAxnA==", "t61rcWkgMzE=", "APBnqgupArc="];
    // A child in one form finds its parent in the other.
    let text = [line(hex[0], "", hex[1]), line(base64[0], base64[1], base64[2])].join("\n");
    let graph = read(text);
    assert!(graph.notes().is_empty(), "{:?}", graph.notes());
    assert_eq!(shape(&graph), [hex[1], &format!("-{}", base64[2])]);
}
