//! Spans and records as OTLP JSON, and reading them.

use std::fs;
use std::path::PathBuf;

use serde_json::{json, Value};
use spanlog::graph::{Node, Reader, ToolCallGraph};

pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A span of some milliseconds. Ids and times are small numbers; a parent of 0 is none.
pub(crate) fn span(name: &str, id: u64, parent: u64, begin: u64, end: u64) -> Value {
    json!({
        "traceId": TRACE,
        "spanId": format!("{id:016x}"),
        "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") },
        "name": name,
        "startTimeUnixNano": nanos(begin),
        "endTimeUnixNano": if end == 0 { "0".to_owned() } else { nanos(end) },
    })
}

pub(crate) fn nanos(milliseconds: u64) -> String {
    (1_700_000_000_000_000_000 + milliseconds * 1_000_000).to_string()
}

/// The span with more members.
pub(crate) fn with(mut span: Value, members: Value) -> Value {
    span.as_object_mut().unwrap().append(&mut members.as_object().unwrap().clone());
    span
}

pub(crate) fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

pub(crate) fn record(body: &str, span: u64, at: u64, severity: u8) -> Value {
    json!({
        "traceId": TRACE,
        "spanId": format!("{span:016x}"),
        "timeUnixNano": nanos(at),
        "severityNumber": severity,
        "body": { "stringValue": body },
    })
}

pub(crate) fn traces(spans: &[Value]) -> String {
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] }).to_string() + "\n"
}

pub(crate) fn logs(records: &[Value]) -> String {
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] }).to_string() + "\n"
}

pub(crate) fn read(bytes: impl AsRef<[u8]>) -> ToolCallGraph {
    let mut reader = Reader::new();
    reader.read("file", bytes.as_ref()).unwrap();
    reader.graph()
}

pub(crate) fn read_spans(spans: &[Value]) -> ToolCallGraph {
    read(traces(spans))
}

pub(crate) fn node<'a>(graph: &'a ToolCallGraph, name: &str) -> Node<'a> {
    graph.nodes().find(|node| node.call().name == name).unwrap_or_else(|| panic!("no {name}"))
}

/// Every span with its level.
pub(crate) fn shape(graph: &ToolCallGraph) -> Vec<String> {
    let mut levels = Vec::new();
    let mut shape = Vec::new();
    for node in graph.nodes() {
        let parent = node.parent().map(|parent| parent.call().span_id);
        while levels.last().copied() != parent && levels.pop().is_some() {}
        shape.push(format!("{}{}", "-".repeat(levels.len()), node.call().name));
        levels.push(node.call().span_id);
    }
    shape
}

pub(crate) fn bodies(node: Node<'_>) -> Vec<&str> {
    node.records().iter().map(|record| record.body.as_str()).collect()
}

/// A directory of this test's own.
pub(crate) fn directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("spanlog-graph-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}
