//! Memory limits.

use std::io::Read;

use spanlog::graph::{Reader, RecordLevel, ToolCallGraph};

use crate::fixture::{logs, node, read, record, shape, span, traces};

fn limited(bytes: impl Read, limit: usize) -> ToolCallGraph {
    let mut reader = Reader::new().with_memory_limit(limit);
    reader.read("file", bytes).unwrap();
    reader.graph()
}

#[test]
fn beyond_the_limit_the_oldest_records_go_and_their_number_stays() {
    let mut text = traces(&[span("job", 1, 0, 0, 9)]);
    for at in 0..10_000 {
        text += &logs(&[record(&format!("line {at}"), 1, at, 13)]);
    }
    let graph = limited(text.as_bytes(), 1 << 20);
    let job = node(&graph, "job");
    let kept = job.own_records().len();
    assert!((100..9_000).contains(&kept), "{kept}");
    assert_eq!(job.own_records().last().unwrap().body, "line 9999");
    assert_eq!(job.own_counts().of(RecordLevel::Warn), 10_000);
    let notes = graph.notes();
    let gone = 10_000 - kept;
    assert_eq!(
        notes,
        [format!("{gone} older records were dropped, and only counted: the memory limit is 1 MiB")]
    );
    // A sufficient limit drops nothing.
    assert_eq!(limited(text.as_bytes(), 64 << 20).notes().len(), 0);
}

#[test]
fn spans_go_after_records_and_the_oldest_first() {
    let mut text = logs(&[record("gone", 1, 0, 9)]);
    for id in 1..=10_000 {
        text += &traces(&[span(&format!("span {id}"), id, 0, id, id + 1)]);
    }
    let graph = limited(text.as_bytes(), 1 << 20);
    let kept = graph.roots().len();
    assert!((100..9_000).contains(&kept), "{kept}");
    assert_eq!(graph.roots().next_back().unwrap().call().name, "span 10000");
    let notes = graph.notes().join("\n");
    assert!(notes.contains(&format!("{} older spans were dropped", 10_000 - kept)), "{notes}");
    assert!(notes.contains("1 older records"), "{notes}");
    // Nothing at all fits: still no panic.
    assert!(limited(text.as_bytes(), 0).is_empty());
}

#[test]
fn a_string_without_end_is_not_read_into_memory() {
    let before = r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#;
    let one = span("a", 1, 0, 0, 1).to_string();
    let endless = std::io::repeat(b'x').take(20 << 20);
    let after = format!("\"}}]}}]}}]}}\n{}", traces(&[span("b", 2, 0, 1, 2)]));
    let before = format!("{before}{one},{{\"name\":\"");
    let graph = limited(before.as_bytes().chain(endless).chain(after.as_bytes()), 1 << 30);
    assert_eq!(shape(&graph), ["a", "b"]);
    assert_eq!(graph.notes(), ["file:1: a string of more than 16 MiB; the rest of the message was skipped"]);
}

#[test]
fn a_value_without_end_is_cut_and_told() {
    let long = "ä".repeat(1 << 20);
    let graph = read(logs(&[record(&long, 1, 0, 9)]));
    let body = &graph.unplaced_records().next().unwrap().body;
    assert!(body.len() <= (1 << 20) + '…'.len_utf8() && body.ends_with("ä…"), "{}", body.len());
    assert_eq!(graph.notes(), ["file:1: a log record was truncated"]);

    let list = "{},".repeat(1 << 18);
    let line = format!(
        "{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{\"body\":{{\"arrayValue\":{{\"values\":[{list}{{}}]}}}},\
         \"attributes\":[{list}{{}}]}}]}}]}}]}}"
    );
    let graph = read(line);
    let record = graph.unplaced_records().next().unwrap();
    assert!(record.body.starts_with("[null,null") && record.body.len() < 2 << 20);
    assert!(record.attributes.len() < 100_000, "{}", record.attributes.len());
    assert_eq!(graph.notes().len(), 1);
}

#[test]
fn a_tree_of_ten_thousand_levels_is_drawn_in_reasonable_room() {
    let spans: Vec<_> =
        (1..=10_000).map(|id| span(&format!("level {id}"), id, id - 1, id, 30_000 - id)).collect();
    let graph = read(traces(&spans));
    assert_eq!(graph.nodes().count(), 10_000);
    let text = graph.to_text();
    assert_eq!(text.lines().count(), 10_000);
    assert!(text.len() < 10_000 * 400, "{}", text.len());
    assert!(text.contains("⋯ level 9999: level 10000"), "{}", text.lines().last().unwrap());
    assert!(graph.to_mermaid().chars().count() < 50_000);
    assert_eq!(node(&graph, "level 1").subtree().count(), 10_000);
}
