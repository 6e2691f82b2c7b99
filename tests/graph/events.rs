//! Kinds, events and links of spans that are read back.

use opentelemetry::trace::SpanKind;
use opentelemetry::{SpanId, TraceId};
use serde_json::{json, Value};
use spanlog::graph::Reader;

use crate::fixture::{attribute, nanos, node, read, read_spans, shape, span, traces, with, TRACE};

/// A span with a member.
fn having(name: &str, id: u64, member: &str, value: Value) -> Value {
    with(span(name, id, 0, id, id + 1), json!({ member: value }))
}

#[test]
fn read_back_a_kind_is_a_number_or_a_name() {
    let kinds = [
        json!(2),
        json!("SPAN_KIND_SERVER"),
        json!("3"),
        json!("SPAN_KIND_CLIENT"),
        json!("SPAN_KIND_PRODUCER"),
        json!(5.0),
        json!("SPAN_KIND_INTERNAL"),
        json!(0),
        json!("SPAN_KIND_UNSPECIFIED"),
        json!(null),
        json!(77),
        json!("SERVER"),
    ];
    let spans: Vec<_> = kinds.into_iter().zip(1..).map(|(kind, id)| having("a", id, "kind", kind)).collect();
    let graph = read_spans(&[&spans[..], &[span("none", 99, 0, 99, 100)]].concat());
    let found: Vec<_> = graph.roots().map(|node| node.call().kind.clone()).collect();
    use SpanKind::{Client, Consumer, Internal, Producer, Server};
    let known = [Server, Server, Client, Client, Producer, Consumer, Internal];
    assert_eq!(found[..known.len()], known);
    assert_eq!(found[known.len()..], [const { Internal }; 6]);
}

#[test]
fn read_back_events_and_links_keep_their_order_and_their_attributes() {
    let events = json!([
        { "name": "exception", "timeUnixNano": nanos(3), "attributes": [attribute("exception.stacktrace", "a\n  b")] },
        null,
        { "time_unix_nano": 7, "unknown": { "a": [1] }, "droppedAttributesCount": 1 },
        {},
    ]);
    let links = json!([
        { "traceId": TRACE, "spanId": "CvdlGRbNQ90=", "traceState": "a=b", "attributes": [attribute("k", "v")] },
        { "trace_id": TRACE.to_uppercase(), "span_id": "" },
    ]);
    let graph = read_spans(&[with(span("a", 1, 0, 0, 9), json!({ "events": events, "links": links }))]);
    assert_eq!(graph.notes(), [] as [&str; 0]);
    let call = node(&graph, "a").call();
    let times: Vec<_> = call.events.iter().map(|event| (event.name.as_str(), event.time_unix_nano)).collect();
    assert_eq!(times, [("exception", nanos(3).parse().unwrap()), ("", 7), ("", 0)]);
    assert_eq!(call.events[0].attribute("exception.stacktrace"), Some("a\n  b"));
    let trace = TraceId::from_hex(TRACE).unwrap();
    let ids: Vec<_> = call.links.iter().map(|link| (link.trace_id, link.span_id)).collect();
    assert_eq!(ids, [(trace, SpanId::from_hex("0af7651916cd43dd").unwrap()), (trace, SpanId::INVALID)]);
    assert_eq!(call.links[0].attributes, [("k".to_owned(), "v".to_owned())]);
    // `null`, as some writers have it for an empty list.
    let graph = read_spans(&[with(span("a", 1, 0, 0, 9), json!({ "events": null, "links": null }))]);
    let call = node(&graph, "a").call();
    assert_eq!((call.events.len(), call.links.len(), graph.notes().len()), (0, 0, 0));
}

/// Guarantees: events of another type are told with their place, as attributes are.
#[test]
fn a_malformed_event_is_told_and_costs_no_other_message() {
    for (member, value) in
        [("events", json!(["x"])), ("events", json!(5)), ("links", json!([{ "attributes": 5 }]))]
    {
        let text = traces(&[span("a", 1, 0, 0, 1), having("b", 2, member, value)])
            + &traces(&[span("c", 3, 0, 4, 5)]);
        let graph = read(text);
        assert_eq!(shape(&graph), ["a", "c"]);
        assert!(graph.notes()[0].starts_with("file:1: invalid type: "), "{:?}", graph.notes());
    }
}

/// Lines of spans with so many copies of an event or a link each. As text: that many values take long to
/// write.
fn spans_with(spans: u64, member: &str, item: &str, copies: usize) -> String {
    let line = |id| {
        let open = traces(&[having("a", id, member, json!([null]))]);
        open.replace("[null]", &format!("[{}{item}]", format!("{item},").repeat(copies - 1)))
    };
    (1..=spans).map(line).collect()
}

/// Guarantees: of a span with more events or links than there is room for, the first ones are kept.
#[test]
fn events_and_links_without_end_are_cut_and_told() {
    for (member, copies) in [("events", 100_000), ("links", 150_000)] {
        let graph = read(spans_with(1, member, "{}", copies));
        let call = node(&graph, "a").call();
        let kept = call.events.len() + call.links.len();
        assert!((10_000..100_000).contains(&kept), "{member}: {kept}");
        let told = "file:1: attributes, events or links of the span \"a\" were truncated";
        assert_eq!(graph.notes(), [told], "{member}");
    }
    let named = |name: &str| json!({ "name": name, "attributes": [attribute("k", &"x".repeat(1 << 20))] });
    let graph = read_spans(&[having("a", 1, "events", json!(["1", "2", "3", "4", "5"].map(named)))]);
    let events = &node(&graph, "a").call().events;
    assert_eq!(events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(graph.notes().len(), 1);
    let long = attribute("exception.stacktrace", &"x".repeat(2 << 20));
    let graph = read_spans(&[having("a", 1, "events", json!([{ "attributes": [long] }]))]);
    let stack = node(&graph, "a").call().events[0].attribute("exception.stacktrace").unwrap();
    assert!(stack.len() < 2 << 20 && stack.ends_with("x…"), "{}", stack.len());
    assert_eq!(graph.notes().len(), 1);
}

/// Guarantees: events and links count towards the memory limit of a reader.
#[test]
fn spans_with_many_events_or_links_go_when_memory_is_short() {
    for member in ["events", "links"] {
        let text = spans_with(200, member, r#"{"attributes":[{"key":"k"}]}"#, 100);
        let mut reader = Reader::new().with_memory_limit(1 << 20);
        reader.read("file", text.as_bytes()).unwrap();
        let graph = reader.graph();
        // An event or a link with an attribute takes more than 100 bytes.
        let kept = graph.roots().len();
        assert!((20..100).contains(&kept), "{member}: {kept}");
        let told = format!("{} older spans were dropped: the memory limit is 1 MiB", 200 - kept);
        assert_eq!(graph.notes(), [told]);
    }
}
