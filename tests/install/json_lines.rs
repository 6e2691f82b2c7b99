//! The JSON-lines exporters on the SDK's providers.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{
    Span, SpanBuilder, SpanId, Status, TraceContextExt, TraceFlags, TraceId, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::Resource;
use serde_json::{json, Value};
use spanlog::json_lines::{JsonLinesLogExporter, JsonLinesSpanExporter};

use crate::process::directory;

pub(crate) fn read(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the lines of a file have below these members, one after the other.
pub(crate) fn items(path: &Path, members: [&str; 3]) -> Vec<Value> {
    let mut values = read(path);
    for member in members {
        let lists = values.into_iter().map(|value| value[member].as_array().cloned().unwrap_or_default());
        values = lists.flatten().collect();
    }
    values
}

/// An attribute's value, as text.
pub(crate) fn attribute(item: &Value, key: &str) -> String {
    let attributes = item["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|pair| pair["key"] == key);
    let value = found.and_then(|pair| pair["value"].as_object()?.values().next());
    value.map_or(String::new(), |value| value.as_str().map_or(value.to_string(), str::to_owned))
}

fn resource() -> Resource {
    Resource::builder_empty().with_attribute(KeyValue::new("service.name", "files")).build()
}

#[test]
fn records_are_otlp_json() {
    let directory = directory("records");
    let path = directory.join("logs.jsonl");
    let exporter = JsonLinesLogExporter::new(&path).unwrap();
    let provider =
        SdkLoggerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
    let logger = provider.logger("");
    let emit = |target: &'static str, fill: &dyn Fn(&mut opentelemetry_sdk::logs::SdkLogRecord)| {
        let mut record = logger.create_log_record();
        record.set_target(target);
        record.set_observed_timestamp(UNIX_EPOCH + Duration::from_nanos(7));
        fill(&mut record);
        logger.emit(record);
    };
    emit("z::first", &|record| {
        record.set_timestamp(UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_001));
        record.set_severity_number(Severity::Error);
        record.set_severity_text("ERROR");
        record.set_body("broke".into());
        record.set_event_name("it.broke");
        record.set_trace_context(TraceId::from(0xab), SpanId::from(0xcd), Some(TraceFlags::SAMPLED));
        record.add_attribute("big", i64::MAX);
        record.add_attribute("zero", 0);
        record.add_attribute("no", false);
        record.add_attribute("empty", "");
        record.add_attribute("half", 0.5);
        record.add_attribute("nan", f64::NAN);
        record.add_attribute("up", f64::INFINITY);
        record.add_attribute("down", f64::NEG_INFINITY);
        record.add_attribute("bytes", AnyValue::Bytes(Box::new(vec![0, 255])));
        record.add_attribute("list", AnyValue::ListAny(Box::new(vec![1.into(), f64::NAN.into()])));
        record.add_attribute("map", AnyValue::Map(Box::new([("k".into(), 1.into())].into())));
    });
    emit("a::second", &|_| {});
    emit("z::first", &|record| record.set_trace_context(TraceId::INVALID, SpanId::INVALID, None));
    provider.force_flush().unwrap();
    emit("later", &|record| record.set_body("again".into()));
    provider.shutdown().unwrap();

    let lines = read(&path);
    assert_eq!(lines.len(), 2, "one request on each line");
    let logs = &lines[0]["resourceLogs"][0];
    assert_eq!(
        logs["resource"],
        json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "files" } }] })
    );
    let scopes: Vec<_> = logs["scopeLogs"].as_array().unwrap().iter().map(|logs| &logs["scope"]).collect();
    assert_eq!(scopes, [&json!({ "name": "z::first" }), &json!({ "name": "a::second" })]);
    let attribute = |key: &str, value: Value| json!({ "key": key, "value": value });
    assert_eq!(
        logs["scopeLogs"][0]["logRecords"],
        json!([
            {
                "timeUnixNano": "1700000000000000001",
                "observedTimeUnixNano": "7",
                "severityNumber": 17,
                "severityText": "ERROR",
                "body": { "stringValue": "broke" },
                "eventName": "it.broke",
                "traceId": "000000000000000000000000000000ab",
                "spanId": "00000000000000cd",
                "flags": 1,
                "attributes": [
                    attribute("big", json!({ "intValue": "9223372036854775807" })),
                    attribute("zero", json!({ "intValue": "0" })),
                    attribute("no", json!({ "boolValue": false })),
                    attribute("empty", json!({ "stringValue": "" })),
                    attribute("half", json!({ "doubleValue": 0.5 })),
                    attribute("nan", json!({ "doubleValue": "NaN" })),
                    attribute("up", json!({ "doubleValue": "Infinity" })),
                    attribute("down", json!({ "doubleValue": "-Infinity" })),
                    attribute("bytes", json!({ "bytesValue": "AP8=" })),
                    attribute("list", json!({ "arrayValue": { "values": [{ "intValue": "1" }, { "doubleValue": "NaN" }] } })),
                    attribute("map", json!({ "kvlistValue": { "values": [attribute("k", json!({ "intValue": "1" }))] } })),
                ],
            },
            { "observedTimeUnixNano": "7" },
        ])
    );
    // opentelemetry-proto can read what we write, where its own JSON has the values.
    let decoded: ExportLogsServiceRequest = serde_json::from_value(lines[1].clone()).unwrap();
    assert_eq!(decoded.resource_logs[0].scope_logs[0].scope.as_ref().unwrap().name, "later");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn spans_are_otlp_json() {
    let directory = directory("spans");
    let path = directory.join("traces.jsonl");
    let exporter = JsonLinesSpanExporter::new(&path).unwrap();
    let provider =
        SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
    let tracer = provider.tracer("scope");
    let root = tracer.build(SpanBuilder::from_name("root"));
    let root_id = root.span_context().span_id().to_string();
    let cx = Context::new().with_span(root);
    let mut child = tracer.start_with_context("child", &cx);
    child.set_attribute(KeyValue::new("n", 3));
    child.add_event("happened", vec![KeyValue::new("why", "so")]);
    child.add_link(cx.span().span_context().clone(), Vec::new());
    child.set_status(Status::error("broke"));
    child.end();
    cx.span().end();
    provider.force_flush().unwrap();
    let line = read(&path).remove(0);
    provider.shutdown().unwrap();

    let spans = &line["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!(line["resourceSpans"][0]["resource"]["attributes"][0]["key"], "service.name");
    assert_eq!(spans[0]["parentSpanId"], root_id);
    assert_eq!(spans[0]["status"], json!({ "code": 2, "message": "broke" }));
    assert_eq!(spans[0]["kind"], 1);
    assert!(spans[0]["startTimeUnixNano"].is_string());
    assert_eq!(spans[0]["events"][0]["name"], "happened");
    assert_eq!(spans[0]["links"][0]["spanId"], root_id);
    assert!(spans[1].get("parentSpanId").is_none(), "a root has none, not zeros");
    // serde reads the line back: no field was lost under a wrong name.
    let decoded: ExportTraceServiceRequest = serde_json::from_value(line.clone()).unwrap();
    let span = &decoded.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.events.len(), span.links.len(), span.attributes.len()), (1, 1, 1));
    assert!(span.flags != 0 && span.end_time_unix_nano >= span.start_time_unix_nano);
    fs::remove_dir_all(directory).unwrap();
}

/// Guarantees: a file that cannot be opened is an error at set-up; one that cannot be written, at
/// export.
#[test]
fn errors_of_files_are_errors() {
    let directory = directory("errors");
    fs::create_dir_all(&directory).unwrap();
    assert!(JsonLinesLogExporter::new(&directory).unwrap_err().is_setting());
    fs::remove_dir_all(&directory).unwrap();

    let full = Path::new("/dev/full");
    if full.exists() {
        let exporter = JsonLinesSpanExporter::new(full).unwrap();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
        provider.tracer("scope").start("span").end();
        let error = provider.force_flush().unwrap_err().to_string();
        assert!(error.contains("/dev/full"), "{error}");
    }
}
