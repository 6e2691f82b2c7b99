//! Rows of `otel_traces` and `otel_logs`, as a ClickHouse engine writes them with `FORMAT JSONEachRow`.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::{json, Map, Value};
use spanlog::graph::{Reader, ToolCallGraph};

use crate::fixture::{logs, nanos, node, read, record, shape, span, traces, with, TRACE};
use crate::forms::dump;

const KINDS: [&str; 6] = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"];
const CODES: [&str; 3] = ["Unset", "Ok", "Error"];

/// How an engine writes a time, or a number of 64 bits.
#[derive(Clone, Copy, Debug)]
enum Style {
    Default,
    Iso,
    Unix,
    Quoted,
}

const STYLES: [Style; 4] = [Style::Default, Style::Iso, Style::Unix, Style::Quoted];

/// `2023-11-14 22:13:20.000000007`. The calendar is httpdate's: `Tue, 14 Nov 2023 22:13:20 GMT`.
fn time(unix_nano: u64, style: Style) -> String {
    let at = UNIX_EPOCH + Duration::from_nanos(unix_nano);
    let date = httpdate::fmt_http_date(at);
    let [_, day, month, year, clock, _] = date.split(' ').collect::<Vec<_>>()[..] else { panic!("{date}") };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = 1 + months.iter().position(|name| *name == month).unwrap();
    let nanos = unix_nano % 1_000_000_000;
    match style {
        Style::Default | Style::Quoted => format!("{year}-{month:02}-{day} {clock}.{nanos:09}"),
        Style::Iso => format!("{year}-{month:02}-{day}T{clock}.{nanos:09}Z"),
        Style::Unix => format!("{}.{nanos:09}", unix_nano / 1_000_000_000),
    }
}

fn number(value: u64, style: Style) -> Value {
    match style {
        Style::Quoted => json!(value.to_string()),
        _ => json!(value),
    }
}

/// The row of a span of OTLP's JSON, as the exporter fills it.
fn span_row(span: &Value, style: Style) -> Value {
    let text = |name: &str| span[name].as_str().unwrap_or_default().to_owned();
    let nanos_of = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let start = nanos_of(&span["startTimeUnixNano"]);
    let list = |name: &str| span[name].as_array().cloned().unwrap_or_default();
    let column =
        |name: &str, of: &dyn Fn(&Value) -> Value| -> Vec<Value> { list(name).iter().map(of).collect() };
    json!({
        "Timestamp": time(start, style),
        "TraceId": text("traceId"),
        "SpanId": text("spanId"),
        "ParentSpanId": text("parentSpanId"),
        "TraceState": "",
        "SpanName": text("name"),
        "SpanKind": KINDS[span["kind"].as_u64().unwrap_or(0) as usize],
        "ServiceName": "",
        "ResourceAttributes": {},
        "SpanAttributes": map(&span["attributes"]),
        "Duration": number(nanos_of(&span["endTimeUnixNano"]) - start, style),
        "StatusCode": CODES[span["status"]["code"].as_u64().unwrap_or(0) as usize],
        "StatusMessage": span["status"]["message"].as_str().unwrap_or_default(),
        "Events.Timestamp": column("events", &|event| json!(time(nanos_of(&event["timeUnixNano"]), style))),
        "Events.Name": column("events", &|event| event["name"].clone()),
        "Events.Attributes": column("events", &|event| map(&event["attributes"])),
        "Links.TraceId": column("links", &|link| link["traceId"].clone()),
        "Links.SpanId": column("links", &|link| link["spanId"].clone()),
        "Links.TraceState": column("links", &|_| json!("")),
        "Links.Attributes": column("links", &|link| map(&link["attributes"])),
    })
}

fn record_row(record: &Value, style: Style) -> Value {
    json!({
        "Timestamp": time(record["timeUnixNano"].as_str().unwrap().parse().unwrap(), style),
        "TraceId": record["traceId"],
        "SpanId": record["spanId"],
        "TraceFlags": 1,
        "SeverityText": "",
        "SeverityNumber": record["severityNumber"],
        "ServiceName": "",
        "Body": record["body"]["stringValue"],
        "ScopeName": "",
        "LogAttributes": map(&record["attributes"]),
        "EventName": record["eventName"],
    })
}

/// A list of attributes, all of them strings, as a column of the type Map.
fn map(attributes: &Value) -> Value {
    let pairs = attributes.as_array().into_iter().flatten();
    let pairs =
        pairs.map(|pair| (pair["key"].as_str().unwrap().to_owned(), pair["value"]["stringValue"].clone()));
    pairs.collect::<Map<_, _>>().into()
}

fn lines(rows: impl IntoIterator<Item = Value>) -> String {
    rows.into_iter().map(|row| row.to_string() + "\n").collect()
}

/// Attributes in the order of their keys, which is how `serde_json` writes a map.
fn attributes() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-z.]{1,6}", ".{0,6}", 0..3).prop_map(|pairs| {
        pairs.into_iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect()
    })
}

fn moment() -> impl Strategy<Value = u64> {
    prop_oneof![1..2_000_000_000_000_000_000_u64, 1_700_000_000_000_000_000..1_700_000_000_000_001_000_u64]
}

fn any_span() -> impl Strategy<Value = Value> {
    let events = prop::collection::vec((moment(), ".{0,6}", attributes()), 0..3);
    let links = prop::collection::vec((0..9_u64, attributes()), 0..3);
    let ids = (1..6_u64, 0..6_u64);
    let what = (".{0,8}", 0..6_u8, 0..3_u8, ".{0,8}", attributes());
    (ids, moment(), 0..10_u64.pow(12), what, events, links).prop_map(
        |(ids, start, duration, what, events, links)| {
            let (name, kind, code, message, attributes) = what;
            let events: Vec<_> = events.into_iter().map(|(time, name, attributes)| {
            json!({"timeUnixNano": time.to_string(), "name": name, "attributes": attributes})
        }).collect();
            let links: Vec<_> = links.into_iter().map(|(id, attributes)| {
            json!({"traceId": TRACE, "spanId": format!("{id:016x}"), "attributes": attributes})
        }).collect();
            with(
                span(&name, ids.0, ids.1, 0, 0),
                json!({
                    "startTimeUnixNano": start.to_string(),
                    "endTimeUnixNano": (start + duration).to_string(),
                    "kind": kind,
                    "status": {"code": code, "message": message},
                    "attributes": attributes,
                    "events": events,
                    "links": links,
                }),
            )
        },
    )
}

fn any_record() -> impl Strategy<Value = Value> {
    (0..7_u64, moment(), 0..26_u8, ".{0,8}", "[a-z]{0,4}", attributes()).prop_map(
        |(span, time, severity, body, event_name, attributes)| {
            json!({
                "traceId": TRACE, "spanId": format!("{span:016x}"), "timeUnixNano": time.to_string(),
                "severityNumber": severity, "body": {"stringValue": body}, "eventName": event_name,
                "attributes": attributes,
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Guarantees: spans and records are the same graph as rows, in each form of numbers and times, as they are
    /// as OTLP.
    #[test]
    fn rows_are_the_same_graph_as_the_messages_they_came_from(
        spans in prop::collection::vec(any_span(), 1..6),
        records in prop::collection::vec(any_record(), 0..6),
        style in 0..STYLES.len(),
    ) {
        let expected = dump(&read(traces(&spans) + &logs(&records)));
        let style = STYLES[style];
        let rows = spans.iter().map(|span| span_row(span, style));
        let rows = lines(rows.chain(records.iter().map(|record| record_row(record, style))));
        prop_assert_eq!(dump(&read(rows)), expected);
    }
}

fn job() -> Value {
    span("job.deploy", 1, 0, 0, 500)
}

fn step() -> Value {
    let failed = json!({"kind": 3, "status": {"code": 2, "message": "no state"}});
    with(span("step.plan", 2, 1, 100, 400), failed)
}

fn said(body: &str, span: u64) -> Value {
    with(record(body, span, 200, 9), json!({"eventName": ""}))
}

fn without(mut row: Value, columns: &[&str]) -> Value {
    for column in columns {
        assert!(row.as_object_mut().unwrap().remove(*column).is_some(), "{column}");
    }
    row
}

#[test]
fn rows_of_both_tables_and_messages_may_be_mixed() {
    let rows = lines([record_row(&said("planned", 2), Style::Default), span_row(&step(), Style::Iso)]);
    let text = rows + &traces(&[job()]) + &lines([record_row(&said("begins", 1), Style::Unix)]);
    let graph = read(text);
    assert_eq!(graph.notes(), [] as [&str; 0]);
    assert_eq!(
        graph.to_text(),
        "! job.deploy    500.0 ms  1 info  failed inside\n\
         ✗ └─ step.plan  300.0 ms  1 info  failed: no state (recovered)\n"
    );
    assert_eq!(node(&graph, "step.plan").call().start_unix_nano.to_string(), nanos(100));
}

/// Guarantees: what exporters wrote before names of kinds and states were short is read, too.
#[test]
fn names_of_older_exporters_are_read() {
    let row = with(
        span_row(&step(), Style::Default),
        json!({"SpanKind": "SPAN_KIND_CLIENT", "StatusCode": "STATUS_CODE_ERROR"}),
    );
    let graph = read(lines([row]));
    let call = node(&graph, "step.plan").call();
    assert!(call.is_error && call.kind == opentelemetry::trace::SpanKind::Client, "{call:?}");
}

/// Guarantees: a column with fewer digits than nanoseconds, of a table of one's own, is read, too.
#[test]
fn a_time_may_have_any_precision() {
    for (text, nanos) in [
        ("2023-11-14 22:13:20", 0),
        ("2023-11-14 22:13:20.5", 500_000_000),
        ("2023-11-14T22:13:20.000001Z", 1_000),
        ("1700000000", 0),
        ("1700000000.25", 250_000_000),
    ] {
        let graph = read(lines([with(span_row(&job(), Style::Default), json!({ "Timestamp": text }))]));
        let start = node(&graph, "job.deploy").call().start_unix_nano;
        assert_eq!(start, 1_700_000_000_000_000_000 + nanos, "{text}");
    }
}

/// Guarantees: a clock that was set back makes no duration of centuries.
#[test]
fn a_duration_below_zero_is_none() {
    for duration in [json!(-5), json!("-5"), json!(u64::MAX - 4), json!((u64::MAX - 4).to_string())] {
        let graph = read(lines([with(span_row(&job(), Style::Default), json!({ "Duration": duration }))]));
        let call = node(&graph, "job.deploy").call();
        assert_eq!((call.duration(), graph.notes().len()), (None, 0), "{duration}");
        assert_eq!(call.end_unix_nano.map(|end| call.start_unix_nano - end), Some(5));
    }
}

fn notes(rows: impl IntoIterator<Item = Value>) -> Vec<String> {
    let graph = read(lines(rows));
    graph.notes().to_vec()
}

fn refused(text: &str) -> String {
    Reader::new().read("file", text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_row_that_is_bad_is_told_with_its_line_and_skipped() {
    let row = |members: Value| with(span_row(&step(), Style::Default), members);
    for (bad, why) in [
        (
            json!({"Timestamp": "yesterday"}),
            "invalid value: \"yesterday\", expected a time as 2023-11-14 22:13:20.123456789",
        ),
        (
            json!({"Timestamp": "2023-13-14 22:13:20"}),
            "invalid value: \"2023-13-14 22:13:20\", expected a time as 2023-11-14 22:13:20.123456789",
        ),
        (
            json!({"Timestamp": "2023-11-14 22:13:+2"}),
            "invalid value: \"2023-11-14 22:13:+2\", expected a time as 2023-11-14 22:13:20.123456789",
        ),
        (json!({"Duration": "1 s"}), "invalid value: \"1 s\", expected nanoseconds"),
        (json!({"SpanName": ["a"]}), "invalid type: sequence, expected a string"),
        (
            json!({"Events.Name": "a"}),
            "invalid type: string \"a\", expected a list, as in a column of the type Array",
        ),
        (
            json!({"SpanAttributes": "{}"}),
            "invalid type: string \"{}\", expected an object, as in a column of the type Map",
        ),
        (
            json!({"SpanAttributes": {"runner_job": {"id": "job-1"}}}),
            "invalid type: map, expected a string, as in a column of the type Map(String, String), not JSON",
        ),
    ] {
        let graph = read(lines([
            span_row(&job(), Style::Default),
            row(bad.clone()),
            span_row(&span("after", 3, 1, 0, 1), Style::Default),
        ]));
        assert_eq!(shape(&graph), ["job.deploy", "-after"], "{bad}");
        assert_eq!(graph.notes(), [format!("file:2: {why}; the rest of the message was skipped")]);
    }
}

#[test]
fn a_row_without_ids_is_told_and_a_record_without_them_is_kept() {
    let without_ids = with(span_row(&step(), Style::Default), json!({"TraceId": "", "SpanId": ""}));
    let graph = read(lines([
        span_row(&job(), Style::Default),
        without_ids.clone(),
        with(record_row(&said("alone", 1), Style::Default), json!({"TraceId": "", "SpanId": ""})),
    ]));
    assert_eq!(graph.notes(), ["file:2: a span without a valid trace_id and span_id was skipped"]);
    assert_eq!(graph.unplaced_records().map(|record| record.body.as_str()).collect::<Vec<_>>(), ["alone"]);
    let why = "file has nothing that can be used: 1: a span without a valid trace_id and span_id was skipped";
    assert_eq!(refused(&lines([without_ids])), why);
}

/// Guarantees: a table of another version of the exporter, or a query that leaves out columns, is reported once, with
/// the columns.
#[test]
fn missing_columns_are_told_once() {
    let old =
        |id| without(span_row(&span("old", id, 0, 0, 1), Style::Default), &["StatusMessage", "Links.SpanId"]);
    assert_eq!(
        notes((1..50).map(old)),
        ["file: rows lack these columns of a span: StatusMessage, Links.SpanId"]
    );
    let short = |_| json!({"SpanId": format!("{:016x}", 1), "TraceId": TRACE, "Body": "short"});
    let graph = read(lines(std::iter::once(span_row(&job(), Style::Default)).chain((0..50).map(short))));
    let missing = "Timestamp, SeverityNumber, SeverityText, ScopeName, LogAttributes";
    assert_eq!(graph.notes(), [format!("file: rows lack these columns of a log record: {missing}")]);
    assert_eq!(node(&graph, "job.deploy").records().len(), 50);
    // The limit of a note's length does not make it another one.
    let mut reader = Reader::new();
    reader.read(&"name".repeat(100), lines((1..50).map(old)).as_bytes()).unwrap();
    assert_eq!(reader.graph().notes(), [format!("{}…", "name".repeat(75))]);
    // An event has what is left of its columns.
    let event = json!([{"timeUnixNano": "7", "name": "queued", "attributes": []}]);
    let row = span_row(&with(job(), json!({ "events": event })), Style::Default);
    let graph = read(lines([without(row, &["Events.Name"])]));
    let [event] = &node(&graph, "job.deploy").call().events[..] else { panic!("{:?}", graph.notes()) };
    assert_eq!((event.time_unix_nano, event.name.as_str()), (7, ""));
    // What a table has in addition, and an order of its own, change nothing.
    let added = with(json!({"JobId": "job-1", "a": [{}]}), span_row(&job(), Style::Default));
    assert_eq!(notes([added]), [] as [&str; 0]);
}

#[test]
fn what_is_no_row_and_an_empty_result_are_told() {
    let other = lines([without(span_row(&job(), Style::Default), &["SpanName"])]);
    let why = "a JSON object without resourceSpans, resourceLogs, SpanName or Body";
    assert!(refused(&other).contains(&format!("(file:1: {why})")), "{}", refused(&other));
    assert!(refused(&other).contains("rows of otel_traces or otel_logs as JSONEachRow"));
    let graph = read(other + &lines([span_row(&job(), Style::Default)]));
    assert_eq!(graph.notes(), [format!("file:1: {why}")]);
    assert_eq!(read("").notes(), ["file: empty: no message and no row"]);
}

/// Guarantees: what both tables have is not mixed up. A row of a JOIN has one `Timestamp` for a span and a record.
#[test]
fn a_row_of_both_tables_is_refused() {
    let joined = with(record_row(&said("planned", 2), Style::Default), span_row(&step(), Style::Default));
    let why =
        "1: a row with both SpanName and Body, as of a JOIN, was skipped: select spans and log records apart";
    assert_eq!(refused(&lines([joined.clone()])), format!("file has nothing that can be used: {why}"));
    let graph = read(lines([joined, span_row(&job(), Style::Default)]));
    assert_eq!((shape(&graph), graph.notes()), (vec!["job.deploy".to_owned()], &[format!("file:{why}")][..]));
}

/// Guarantees: wherever a row is truncated, no later one is lost.
#[test]
fn a_cut_row_costs_only_itself() {
    let attributes = json!([{"key": "k\"\\", "value": {"stringValue": "{\"Timestamp\"\n"}}]);
    let first = span_row(&with(job(), json!({ "attributes": attributes })), Style::Default).to_string();
    let second = lines([span_row(&step(), Style::Default)]);
    for end in 1..first.len() {
        let graph = read(format!("{}\n{second}", &first[..end]));
        assert_eq!(shape(&graph), ["step.plan"], "{end}");
        assert!(graph.notes()[0].contains("file:1: the message is truncated"), "{:?}", graph.notes());
    }
}

/// Guarantees: the limits of what is kept of a span hold for rows, too.
#[test]
fn what_is_too_large_in_a_row_is_truncated_with_a_note() {
    let names = vec!["x".repeat(1 << 20); 6];
    let row = with(span_row(&job(), Style::Default), json!({ "Events.Name": names }));
    let graph: ToolCallGraph = read(lines([row]));
    let call = node(&graph, "job.deploy").call();
    assert!((1..5).contains(&call.events.len()), "{}", call.events.len());
    let note = "file:1: attributes, events or links of the span \"job.deploy\" were truncated";
    assert_eq!(graph.notes(), [note]);
}
