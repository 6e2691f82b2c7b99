//! The tree as text: colours, columns, counts.

use serde_json::json;
use spanlog::graph::ToolCallGraph;
use unicode_width::UnicodeWidthStr;

use crate::fixture::{attribute, logs, read, record, span, traces, with};

fn sample() -> ToolCallGraph {
    let error = json!({ "status": { "code": 2, "message": "no \u{1b}[31mstate\u{202e} at all, and a long word about it" } });
    let spans = [
        span("job", 1, 0, 0, 90_000),
        with(span("計画 plan with a name that is longer than a narrow terminal", 2, 1, 1, 2_000), error),
        span("short", 3, 1, 3_000, 3_001),
    ];
    let levels = [9, 9, 13, 17, 5, 1, 21, 0];
    let records: Vec<_> = levels.iter().map(|level| record("x", 2, 5, *level)).collect();
    read(traces(&spans) + &logs(&records))
}

#[test]
fn every_level_that_occurs_is_counted_the_most_severe_first() {
    let text = sample().to_text();
    let line = text.lines().nth(1).unwrap();
    assert!(line.contains("1 fatal, 1 error, 1 warn, 2 info, 1 debug, 1 trace, 1 unspecified"), "{line}");
    assert!(!text.lines().next().unwrap().contains(','), "{text}");
}

#[test]
fn plain_text_has_nothing_in_it_that_a_terminal_would_obey() {
    let text = sample().to_text();
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    assert!(!text.contains('\u{202e}') && text.contains("\\u{202e}"), "{text}");
    assert!(text.contains("failed: no \\u{1b}[31mstate"), "{text}");
}

#[test]
fn colour_is_added_and_changes_nothing_else() {
    let graph = sample();
    let colored = graph.text().with_color(true).to_string();
    assert!(colored.contains("\u{1b}[31m✗\u{1b}[0m"), "{colored:?}");
    let mut plain = colored.clone();
    for code in ["\u{1b}[0m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, graph.to_text());
    assert_ne!(plain, colored);
}

#[test]
fn lines_fit_the_width_that_they_are_given() {
    let graph = sample();
    for width in [0, 1, 2, 5, 10, 20, 40, 79, 80, 200] {
        for color in [false, true] {
            let text = graph.text().with_width(width).with_color(color).to_string();
            for line in text.lines() {
                let line = ["0", "2", "31", "32", "33"]
                    .iter()
                    .fold(line.to_owned(), |line, code| line.replace(&format!("\u{1b}[{code}m"), ""));
                assert!(line.width() <= width, "{width}: {line:?} has {}", line.width());
            }
        }
    }
    let narrow = graph.text().with_width(60).to_string();
    let line = narrow.lines().nth(1).unwrap();
    assert!(line.starts_with("✗ ├─ 計画") && line.contains('…') && line.contains("2.00 s"), "{narrow}");
    // If there is room, nothing is truncated.
    assert_eq!(graph.text().with_width(1_000).to_string(), graph.to_text());
}

/// Guarantees: in little space, many counts leave room for names and for a failure's message.
#[test]
fn counts_of_many_levels_crowd_nothing_out() {
    let text = sample().text().with_width(80).to_string();
    let drawn = r"
! job                         1m 30s  failed inside
✗ ├─ 計画 plan with a name …  2.00 s  1 fatal, 1 error, …  failed: no \u{1b}[31…
✓ └─ short                    1.0 ms
";
    assert_eq!(format!("\n{text}"), drawn);
}

/// Guarantees: an error that is passed up is shown once; another message of an enclosing span is
/// not lost.
#[test]
fn a_message_is_not_repeated_on_its_way_up() {
    let failing = |message: &str| json!({ "status": { "code": 2, "message": message } });
    let graph = read(traces(&[
        with(span("job", 1, 0, 0, 3), failing("the job is over")),
        with(span("step", 2, 1, 0, 2), failing("no state")),
        with(span("plan", 3, 2, 0, 1), failing("no state")),
    ]));
    let drawn = "
✗ job         3.0 ms  failed inside: the job is over
✗ └─ step     2.0 ms  failed inside
✗    └─ plan  1.0 ms  failed: no state
";
    assert_eq!(format!("\n{}", graph.to_text()), drawn);
}

#[test]
fn columns_stand_below_each_other_whatever_the_characters() {
    let graph = read(traces(&[span("計画", 1, 0, 0, 1), span("plan", 2, 0, 1, 2)]));
    assert_eq!(graph.to_text(), "✓ 計画  1.0 ms\n✓ plan  1.0 ms\n");
    // One very long name does not make every line long.
    let long = "x".repeat(100_000);
    let graph = read(traces(&[span(&long, 1, 0, 0, 1), span("plan", 2, 0, 1, 2)]));
    let text = graph.to_text();
    assert!(text.contains(&long) && text.lines().last().unwrap().len() < 200);
}

/// Guarantees: in little space a name gives way to what tells it apart.
#[test]
fn a_label_is_in_sight_where_its_name_is_truncated() {
    let apply = |id: u64, label: &str| {
        let attributes = [attribute("op.label", label)];
        let failed = json!({ "attributes": attributes, "status": { "code": 2, "message": "exit status 1" } });
        with(span("terraform apply of everything", id, 0, id, id + 1), failed)
    };
    let graph = read(traces(&[apply(1, "prod-eu-12"), apply(2, "prod-eu-13")]));
    let text = graph.text().with_width(56).to_string();
    assert!(text.contains("… (prod-eu-12)  ") && text.contains("… (prod-eu-13)  "), "{text}");
}
