//! A job looks the same in a recorder and read back from its files.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt, TraceFlags, TraceState, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Array, Context, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::graph::{Call, LogRecord, Reader, Recorder, ToolCallGraph};
use spanlog::json_lines::{JsonLinesLogExporter, JsonLinesSpanExporter};
use spanlog::otlp::Pipeline;
use spanlog::{job, op, JobMetadata, JobSpanProcessor, LogLayer};
use tracing_subscriber::layer::SubscriberExt;

use crate::fixture::directory;
use crate::spans::span_layer;

const DOUBLES: [f64; 12] = [
    0.0,
    -0.0,
    0.1,
    1.0 / 3.0,
    5e-324,
    -1.7976931348623157e308,
    1e21,
    123_456_789.123_456_79,
    2.225_073_858_507_201e-308,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

const TEXTS: [&str; 5] = ["", "plain", "a \"b\" \\ \u{1f600}\r\n\t\u{0}\u{7f}", "</script>", "null"];

/// Every value that an attribute of a span can have.
fn span_values() -> Vec<KeyValue> {
    let texts = TEXTS.map(StringValue::from).to_vec();
    let values = [
        Value::Bool(true),
        Value::I64(i64::MIN),
        Value::I64(i64::MAX),
        Value::Array(Array::Bool(vec![true, false])),
        Value::Array(Array::I64(vec![i64::MIN, 0, i64::MAX])),
        Value::Array(Array::F64(DOUBLES.to_vec())),
        Value::Array(Array::String(texts)),
        Value::Array(Array::I64(Vec::new())),
    ];
    let doubles = DOUBLES.map(Value::F64);
    let texts = TEXTS.map(Value::from);
    let values = values.into_iter().chain(doubles).chain(texts).enumerate();
    values.map(|(number, value)| KeyValue::new(format!("value {number}"), value)).collect()
}

/// Every value that a log record can have, nested ones too.
fn record_values() -> Vec<AnyValue> {
    let mut values = vec![
        AnyValue::Boolean(false),
        AnyValue::Int(i64::MIN),
        AnyValue::Int(i64::MAX),
        AnyValue::Bytes(Box::new((0..=255).collect())),
        AnyValue::Bytes(Box::default()),
    ];
    values.extend(DOUBLES.map(AnyValue::Double));
    values.extend(TEXTS.map(AnyValue::from));
    let list = AnyValue::ListAny(Box::new(values.clone()));
    let keys = (0..values.len()).rev().map(|number| Key::from(format!("key \"{number}\"")));
    let mut map: HashMap<Key, AnyValue> = keys.zip(values.clone()).collect();
    map.insert("list".into(), list.clone());
    map.insert("empty".into(), AnyValue::Map(Box::default()));
    map.insert("nested".into(), AnyValue::Map(Box::new(map.clone())));
    // Deeper than is shown.
    let deep = (0..40).fold(AnyValue::Int(7), |inner, _| AnyValue::ListAny(Box::new(vec![inner])));
    values.extend([list, AnyValue::ListAny(Box::default()), AnyValue::Map(Box::new(map)), deep]);
    values
}

/// Every span with its records; the service is not compared, which only files have.
fn contents(graph: &ToolCallGraph) -> Vec<(Call, Vec<LogRecord>)> {
    let nodes = graph.nodes().map(|node| {
        let mut call = node.call().clone();
        call.service = None;
        (call, node.own_records().cloned().collect())
    });
    nodes.collect()
}

fn assert_same(live: &ToolCallGraph, read: &ToolCallGraph) {
    assert!(live.nodes().count() > 1);
    assert_eq!(live.to_text(), read.to_text());
    for ((call, records), (read_call, read_records)) in contents(live).iter().zip(contents(read)) {
        assert_eq!(*call, read_call);
        assert_eq!(*records, read_records);
    }
    assert_eq!(live.unplaced_records().collect::<Vec<_>>(), read.unplaced_records().collect::<Vec<_>>());
}

/// Guarantees: whatever values spans and records have, the text of each is the same live and read
/// back.
#[test]
fn a_job_on_the_sdk_road_looks_the_same_live_and_read_back() {
    let directory = directory("same-sdk");
    let (spans, records) = (directory.join("traces.jsonl"), directory.join("logs.jsonl"));
    let recorder = Recorder::default();
    let traces = SdkTracerProvider::builder()
        .with_span_processor(recorder.clone())
        .with_batch_exporter(JsonLinesSpanExporter::new(&spans).unwrap())
        .build();
    let logs = SdkLoggerProvider::builder()
        .with_log_processor(recorder.clone())
        .with_batch_exporter(JsonLinesLogExporter::new(&records).unwrap())
        .build();
    let (tracer, logger) = (traces.tracer("test"), logs.logger("test"));
    let linked = SpanContext::new(1.into(), 2.into(), TraceFlags::SAMPLED, true, TraceState::default());
    let job = tracer.span_builder("job.deploy").with_kind(SpanKind::Consumer);
    let mut job = job.with_links(vec![Link::new(linked, span_values(), 3)]).start(&tracer);
    job.set_attributes(span_values());
    job.add_event("exception", span_values());
    job.add_event("", Vec::new());
    job.set_status(Status::error("no \"state\"\nto be found"));
    let cx = Context::new().with_span(job);
    let step = tracer.start_with_context("step.plan", &cx);
    for (parent, is_step) in [(&cx.with_span(step), true), (&cx, false)] {
        let ids = parent.span().span_context().clone();
        for (number, value) in record_values().into_iter().enumerate() {
            let mut record = logger.create_log_record();
            record.set_trace_context(ids.trace_id(), ids.span_id(), Some(ids.trace_flags()));
            record.set_timestamp(std::time::SystemTime::now());
            record.set_severity_number(if is_step { Severity::Warn2 } else { Severity::Info });
            record.set_target("app::plan");
            record.set_event_name("said");
            record.add_attribute(format!("value {number}"), value.clone());
            record.add_attribute("last", number as i64);
            record.set_body(value);
            logger.emit(record);
        }
        parent.span().end();
    }
    let live = recorder.graph();
    traces.shutdown().unwrap();
    logs.shutdown().unwrap();
    let read = ToolCallGraph::read_files([&spans, &records]).unwrap();
    assert_same(&live, &read);
    let (job, of_job) = &contents(&live)[0];
    assert_eq!((job.kind.clone(), job.events.len(), job.links.len()), (SpanKind::Consumer, 2, 1));
    assert_eq!(job.events[0].attributes.len(), span_values().len());
    assert_eq!(of_job.len(), record_values().len());
    let text =
        |value: &str| of_job.iter().any(|record| record.body == value && record.attributes[0].1 == value);
    for value in ["-9223372036854775808", "NaN", "-Infinity", "0.3333333333333333", "-0", "AAECAw"] {
        let is_there = text(value) || of_job.iter().any(|record| record.body.starts_with(value));
        assert!(is_there, "{value}");
    }
    let deep = "[".repeat(16) + "…" + &"]".repeat(16);
    assert!(text(&deep) && text("[]") && text("null"));
    fs::remove_dir_all(&directory).unwrap();
}

/// A job on a recorder and on a pipeline at once. Returns its graph as it was live.
fn recorded_job(pipeline: &Pipeline) -> ToolCallGraph {
    let recorder = Recorder::default();
    let traces = SdkTracerProvider::builder()
        .with_span_processor(JobSpanProcessor::new())
        .with_span_processor(recorder.clone())
        .with_span_processor(pipeline.span_processor())
        .build();
    let subscriber = tracing_subscriber::registry()
        .with(span_layer(&traces))
        .with(LogLayer::direct(pipeline.clone()))
        .with(LogLayer::recording(recorder.clone()));
    tracing::subscriber::with_default(subscriber, || {
        let execution = job::execution(JobMetadata::new("j", "e"), "deploy");
        let result = execution.in_scope(|| {
            job::set("texts", Value::Array(Array::String(TEXTS.map(StringValue::from).to_vec())));
            job::set("doubles", Value::Array(Array::F64(DOUBLES.to_vec())));
            op::run("terraform", "plan", [KeyValue::new("least", i64::MIN)], || {
                for double in DOUBLES {
                    tracing::info!(double, flag = true, "a double");
                }
                for text in TEXTS {
                    tracing::warn!(name: "said", target: "app::plan", text, least = i64::MIN, "{text}");
                }
                tracing::error!(bytes = &[0_u8, 255, 10][..], large = u128::MAX, list = ?[1, 2]);
                Err::<(), _>("no \"state\"")
            })
        });
        execution.end(&result);
    });
    pipeline.flush(Duration::from_secs(10)).unwrap();
    recorder.graph()
}

/// Requires the same tree, spans and records, except the records' times: each layer reads the clock
/// itself.
fn assert_same_job(live: &ToolCallGraph, read: &ToolCallGraph) {
    let without_times = |graph: &ToolCallGraph| {
        let mut contents = contents(graph);
        contents.iter_mut().flat_map(|(_, records)| records).for_each(|record| record.time_unix_nano = 0);
        contents
    };
    assert_eq!(live.to_text(), read.to_text());
    assert_eq!(without_times(live), without_times(read));
    assert_eq!(contents(live)[1].1.len(), DOUBLES.len() + TEXTS.len() + 1);
}

/// Guarantees: the same of the records that the layer makes for a recorder, and of those that it
/// writes itself.
#[test]
fn a_job_on_the_direct_road_looks_the_same_live_and_read_back() {
    let directory = directory("same-direct");
    let (spans, records) = (directory.join("traces.jsonl"), directory.join("logs.jsonl"));
    let pipeline =
        Pipeline::builder().with_json_lines(&records).with_span_json_lines(&spans).build().unwrap();
    let live = recorded_job(&pipeline);
    assert_same_job(&live, &ToolCallGraph::read_files([&spans, &records]).unwrap());
    fs::remove_dir_all(&directory).unwrap();
}

/// Guarantees: the graph that a receiver makes of its requests is the one that was drawn live.
#[test]
fn a_job_looks_the_same_live_and_at_its_receiver() {
    let (pipeline, requests) = spanlog::testing::pipeline();
    let live = recorded_job(&pipeline);
    let mut reader = Reader::new();
    for (name, bytes) in [("spans", requests.span_bytes()), ("records", requests.bytes())] {
        for request in bytes {
            reader.read(name, &*request).unwrap();
        }
    }
    assert_same_job(&live, &reader.graph());
}
