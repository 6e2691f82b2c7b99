//! Files that other programs wrote: the Python and the JavaScript SDK, and a Collector. How they were made
//! is in `foreign/README.md`.

use std::fmt::Write;
use std::iter::successors;
use std::path::PathBuf;

use spanlog::graph::{Node, ToolCallGraph};

use crate::fixture::node;

/// What the Python SDK sent, as [`describe`] writes it. `<0>` to `<6>` are the ids of traces and spans.
const CHECKOUT: &str = include_str!("foreign/checkout.txt");

/// What the JavaScript SDK sent.
const STOREFRONT: &str = include_str!("foreign/storefront.txt");

const PYTHON: &str = "4bd1a44b83adec1b68f278687ec70d90 93e478cde228366e 9116488114378e58 385018a5b371e53f \
    8e8cc3ca4337392a 4a8416ee484ddcb983aaa6f068738a6a 50c0d6fbb16306f6";
const PYTHON_GZIP: &str =
    "92715845b0dd8909388c6bde9e15e352 fa4ea3cccfda967c 3f90208236ad3296 4bd57cc7d3997c76 \
    71d28717374a866f baf45323262ed829358e976c4c2a0db2 38d2d43dc439bceb";
const JAVASCRIPT_JSON: &str =
    "4dfd9e05bc4de5fd8bc560f41c590857 40583fb50f1b7805 4fbbadb0138f6080 2c2466e0e4a853b6 \
    a0f25ed09a58f9bc d38bf7d745a4b2eb612e1beef19991aa dba57bc2e3f4b744";
const JAVASCRIPT_PROTO: &str = "88469e8f4dc3c71bebbae65c0adfb159 87fd746848692b17 8c12a2da320e3369 \
    81d9c27fffe78898 b4e31995dfac7329 fd97d0772a3a574edeb8dc125082ab48 b6cb31bb70cbfa33";
const COLLECTOR: [&str; 2] = [
    "ba6ea459c2c9d500d8d47fae3afc94e8 0e8346791bf4dbbd ba4a410fd33bea97 bbf60d17d635587c e4b50c1f49f07e02 \
     8f8a75b5c61932aab052f053a02a372c cf3cc08c52407002",
    "8bbb65fbfacf69cccab785770ef3027d e10deca6974c1884 9bafc8bfd887309b eea9c35bfeb88191 03129626a6fa96b6 \
     c4b26de115a64059a4e776eb5eefb7df c98e70d8fdd27b25",
];

/// The forms in which a Collector's file exporter writes the same messages.
const COLLECTOR_FILES: [&str; 5] =
    ["collector.jsonl", "collector.pb", "collector.json.zst", "collector.pb.zst", "collector.lines.zst"];

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/graph/foreign").join(file)
}

fn read(files: &[&str]) -> ToolCallGraph {
    let graph = ToolCallGraph::read_files(files.iter().map(|file| path(file))).unwrap();
    assert_eq!(graph.notes(), [] as [&str; 0], "{files:?}");
    assert_eq!(graph.unplaced_records().len(), 0, "{files:?}");
    graph
}

/// Everything of a graph but its times.
fn describe(graph: &ToolCallGraph) -> String {
    graph.nodes().map(describe_node).collect()
}

fn describe_node(node: Node<'_>) -> String {
    let call = node.call();
    let indent = "  ".repeat(successors(node.parent(), Node::parent).count());
    let service = call.service.as_deref().unwrap_or("no service");
    let mut text = format!("{indent}{}: {:?} of {service}, ", call.name, call.kind);
    writeln!(text, "{:?}, trace {}, span {}", call.outcome, call.trace_id, call.span_id).unwrap();
    if !call.message.is_empty() {
        writeln!(text, "{indent}  {}", call.message).unwrap();
    }
    attributes(&mut text, &format!("{indent}  "), &call.attributes);
    for event in &call.events {
        let span = call.start_unix_nano..=call.end_unix_nano.unwrap();
        assert!(span.contains(&event.time_unix_nano), "{event:?} in {call:?}");
        writeln!(text, "{indent}  event {}", event.name).unwrap();
        attributes(&mut text, &format!("{indent}    "), &event.attributes);
    }
    for link in &call.links {
        writeln!(text, "{indent}  link to trace {}, span {}", link.trace_id, link.span_id).unwrap();
        attributes(&mut text, &format!("{indent}    "), &link.attributes);
    }
    for record in node.own_records() {
        writeln!(text, "{indent}  {:?} of {}: {}", record.level, record.target, record.body).unwrap();
        attributes(&mut text, &format!("{indent}    "), &record.attributes);
    }
    text
}

fn attributes(text: &mut String, indent: &str, attributes: &[(String, String)]) {
    for (key, value) in attributes {
        writeln!(text, "{indent}{key} = {value:?}").unwrap();
    }
}

/// The text with these ids.
fn with_ids(text: &str, ids: &str) -> String {
    let ids = ids.split_whitespace().enumerate();
    ids.fold(text.to_owned(), |text, (number, id)| text.replace(&format!("<{number}>"), id))
}

fn assert_is(graph: &ToolCallGraph, expected: &str) {
    let found = describe(graph);
    // Not assert_eq, which would print each as one line.
    assert!(found == expected, "expected:\n{expected}\nfound:\n{found}");
}

#[test]
fn what_the_python_sdk_sends_is_read() {
    assert_is(&read(&["python.traces.pb", "python.logs.pb"]), &with_ids(CHECKOUT, PYTHON));
    assert_is(&read(&["python.pb.gz"]), &with_ids(CHECKOUT, PYTHON_GZIP));
}

#[test]
fn what_the_javascript_sdk_sends_is_read() {
    assert_is(&read(&["javascript.json"]), &with_ids(STOREFRONT, JAVASCRIPT_JSON));
    let files = ["javascript.traces.pb", "javascript.logs.json"];
    assert_is(&read(&files), &with_ids(STOREFRONT, JAVASCRIPT_PROTO));
}

/// Guarantees: each form of a Collector's file exporter gives the same graph, which is what the SDKs sent.
#[test]
fn what_a_collectors_file_exporter_writes_is_read() {
    let expected = with_ids(CHECKOUT, COLLECTOR[0]) + &with_ids(STOREFRONT, COLLECTOR[1]);
    for file in COLLECTOR_FILES {
        assert_is(&read(&[file]), &expected);
    }
}

/// Guarantees: the rows of an engine, which rotel wrote, are the same graph as the files of the Collector that
/// sent them to rotel. Only lists and maps differ, which rotel writes as OTLP's JSON.
#[test]
fn the_rows_of_a_clickhouse_engine_are_read() {
    let expected = with_ids(CHECKOUT, COLLECTOR[0]) + &with_ids(STOREFRONT, COLLECTOR[1]);
    let mut as_rotel = expected.clone();
    for (is, written) in [
        (r#""[1,2]""#, r#"{"values":[{"intValue":"1"},{"intValue":"2"}]}"#),
        (r#""[\"a\",\"b\"]""#, r#"{"values":[{"stringValue":"a"},{"stringValue":"b"}]}"#),
        (r#""{\"small\":1}""#, r#"{"values":[{"key":"small","value":{"intValue":"1"}}]}"#),
    ] {
        assert!(as_rotel.contains(is), "{is}");
        as_rotel = as_rotel.replace(is, &format!("{written:?}"));
    }
    assert_is(&read(&["clickhouse.traces.jsonl", "clickhouse.logs.jsonl"]), &as_rotel);
}

#[test]
fn an_exception_is_an_event_with_its_stack_trace() {
    let graph = read(&["collector.pb.zst"]);
    let exceptions = ["charge card", "fetch prices"].map(|name| {
        let exception = node(&graph, name).call().events.iter().find(|event| event.name == "exception");
        exception.and_then(|exception| exception.attribute("exception.stacktrace")).unwrap()
    });
    assert!(exceptions[0].contains("the direct cause of the following exception"), "{exceptions:?}");
    assert!(exceptions[0].ends_with("\nValueError: no charge of 950 €\n"), "{exceptions:?}");
    assert!(
        exceptions[1].starts_with("TypeError: prices is undefined\n    at file:///app/"),
        "{exceptions:?}"
    );
}
