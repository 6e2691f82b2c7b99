//! The graph as a Mermaid flowchart.

use serde_json::json;

use crate::fixture::{read_spans, span, with};

#[test]
fn a_flowchart_has_a_box_for_each_span_and_a_line_to_its_parent() {
    let error = json!({ "status": { "code": 2, "message": "no state" } });
    let graph = read_spans(&[
        span("job", 1, 0, 0, 90_000),
        with(span("plan", 2, 1, 1, 2_000), error),
        span("ok", 3, 1, 5, 6),
    ]);
    let text = graph.to_mermaid();
    let body: Vec<_> = text.lines().filter(|line| !line.contains("classDef")).map(str::trim).collect();
    assert_eq!(
        body,
        [
            "flowchart LR",
            "n0[\"! job<br/>1m 30s, failed inside\"]:::inside",
            "n1[\"✗ plan<br/>2.00 s, failed, recovered<br/>no state\"]:::inside",
            "n0 --> n1",
            "n2[\"✓ ok<br/>1.0 ms\"]:::ok",
            "n0 --> n2",
        ]
    );
    for class in ["ok", "red", "inside", "stopped", "other"] {
        assert!(text.contains(&format!("classDef {class} ")), "{text}");
    }
}

/// Guarantees: between the quotes of a label there is no quote, no bracket, no line break, and no
/// `#` or `;` but that of a number.
#[test]
fn no_name_breaks_the_flowchart() {
    let names = [
        "a \"quoted\" [name] {with} <b>all</b> (of) |it|",
        "end",
        "two\nlines; #35; %% no comment",
        "`**bold**` _under_ ~~through~~ $$x$$",
        "%%{init: {}}%%",
        "\u{1b}[31m\u{0}\u{7}",
        "click n0 call alert()",
        "\u{1f600}\u{202e}",
        "1. list",
    ];
    let spans: Vec<_> = names.iter().zip(1..).map(|(name, id)| span(name, id, 0, id, id + 1)).collect();
    let text = read_spans(&spans).to_mermaid();
    let labels: Vec<_> = text.lines().filter(|line| line.contains("[\"")).collect();
    assert_eq!(labels.len(), names.len());
    for line in labels {
        let label = line.split_once("[\"").unwrap().1.rsplit_once("\"]:::").unwrap().0;
        let label = label.replace("<br/>", "");
        assert!(
            !label.contains(['"', '[', ']', '{', '}', '<', '>', '`', '|', '%', '$', '*', '\n']),
            "{label}"
        );
        for (at, _) in label.match_indices('#') {
            let (number, _) = label[at + 1..].split_once(';').unwrap();
            assert!(number.parse::<u32>().is_ok(), "{label}");
        }
        assert_eq!(label.matches('#').count(), label.matches(';').count(), "{label}");
    }
}

#[test]
fn a_graph_that_is_too_large_shows_failures_first_and_says_what_is_missing() {
    let mut spans = vec![span("job", 1, 0, 0, 90_000)];
    for id in 2..=2_000 {
        spans.push(span(&format!("call {id}"), id, 1, id, id + 1));
    }
    let error = json!({ "status": { "code": 2 } });
    spans.push(with(span("the failing one", 3_000, 1_999, 80_000, 80_001), error));
    let text = read_spans(&spans).to_mermaid();
    assert!(text.chars().count() < 50_000, "{}", text.chars().count());
    let edges = text.matches(" --> ").count();
    assert!((100..=500).contains(&edges), "{edges}");
    assert!(text.contains("the failing one") && text.contains("call 1999<br/>"), "{text}");
    let boxes = text.matches("[\"").count() - 1;
    assert!(text.contains(&format!("{} more spans are not shown", 2_001 - boxes)), "{boxes}");
    // A small one says nothing of the kind.
    assert!(!read_spans(&spans[..10]).to_mermaid().contains("not shown"));
}
