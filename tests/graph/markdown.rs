//! The graph as Markdown.

use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{attribute, logs, read, record, span, traces, with};

fn failed(span: serde_json::Value, message: &str) -> serde_json::Value {
    with(span, json!({ "status": { "code": 2, "message": message } }))
}

#[test]
fn a_summary_has_verdict_failures_slowest_and_a_flowchart() {
    let job = json!({ "attributes": [attribute("runner_job.id", "plan 6")] });
    let spans = [
        with(failed(span("job.plan", 1, 0, 0, 90_000), "init: exit status 1"), job),
        failed(span("init", 2, 1, 1, 3_001), "exit status 1"),
        span("fetch", 3, 1, 4_000, 9_000),
        failed(span("warm", 4, 3, 4_000, 4_500), "no cache"),
    ];
    let text = read(traces(&spans) + &logs(&[record("Error: no `such` subnet", 2, 5, 17)])).to_markdown();
    let expected = "\
## ✗ `job.plan (plan 6) failed after 1m 30s`

### Failures

✗ `job.plan (plan 6) › init` 3.00 s

```text
failed: exit status 1
Error: no `such` subnet
```

1 recovered

### Slowest

| | span | duration |
| --- | --- | ---: |
| ✗ | `job.plan (plan 6) › init` | 3.00 s |
| ✗ | `job.plan (plan 6) › fetch › warm` | 500.0 ms |

```mermaid
flowchart LR
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with("\n```\n"), "{text}");
}

#[test]
fn several_jobs_are_a_table() {
    let of = |name: &str, id: u64, job: &str| {
        with(
            span(name, id, 0, id, id + 3),
            json!({ "attributes": [attribute("runner_job.id", job), attribute("runner_job_execution.id", job)] }),
        )
    };
    let text = read(traces(&[of("job.plan", 1, "a|b"), failed(of("job.plan", 2, "c"), "x")])).to_markdown();
    let table = "## ✗ `2 jobs: 1 failed; failed: job.plan (c)`\n\n| | job | outcome | duration |\n| --- | --- | --- | ---: |\n\
        | ✓ | `job.plan (a\\|b)` | ok | 3.0 ms |\n| ✗ | `job.plan (c)` | failed | 3.0 ms |\n";
    assert!(text.starts_with(table), "{text}");
    assert_eq!(read(logs(&[record("x", 0, 5, 17)])).to_markdown(), "The graph has no spans.\n");
}

#[test]
fn its_size_is_bounded_whatever_the_graphs() {
    let long = "`|<x>".repeat(200);
    let spans: Vec<_> = (1..=400).map(|id| failed(span(&long, id, 0, id, id + 1), &long)).collect();
    let records: Vec<_> = (1..=20_000).map(|number| record(&long, number % 400 + 1, number, 17)).collect();
    let text = read(traces(&spans) + &logs(&records)).to_markdown();
    assert!((50_000..500_000).contains(&text.len()), "{}", text.len());
}

/// The text outside code spans and blocks, by the rules of CommonMark: a run of backticks ends with one
/// of the same length.
fn outside_code(text: &str) -> String {
    let mut outside = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        outside.push_str(&rest[..start]);
        let run = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        rest = &rest[start + run..];
        let mut from = 0;
        let end = loop {
            let Some(next) = rest[from..].find('`').map(|next| from + next) else { break None };
            let length = rest[next..].len() - rest[next..].trim_start_matches('`').len();
            if length == run {
                break Some(next + run);
            }
            from = next + length;
        };
        match end {
            Some(end) => rest = &rest[end..],
            None => outside.push_str(&"`".repeat(run)),
        }
    }
    outside + rest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Guarantees: no text of a span or a record is markup.
    #[test]
    fn text_from_programs_is_in_code_only(text in "[`|<>\\[\\]\\\\a*_\n!#:@-]{0,40}") {
        let mark = "\u{16A0}";
        let text = format!("{mark}{text}{mark}");
        let spans = [failed(span(&text, 1, 0, 0, 5), &text), span(&text, 2, 1, 1, 3)];
        let summary = read(traces(&spans) + &logs(&[record(&text, 1, 2, 17)])).to_markdown();
        prop_assert!(summary.contains(mark));
        prop_assert!(!outside_code(&summary).contains(mark), "{}", summary);
    }
}

#[test]
fn text_outside_code_is_found() {
    assert_eq!(outside_code("a `b` c ``d ` e`` f\n```\ng\n```\nh"), "a  c  f\n\nh");
    assert_eq!(outside_code("a `b c"), "a `b c");
}

/// Guarantees: the line that says why is shown, however much follows it.
#[test]
fn the_last_line_of_stderr_that_speaks_of_an_error_is_shown_whatever_its_level() {
    let line = |body: &str, at: u64, stream: &str| {
        with(record(body, 1, at, 9), json!({ "attributes": [attribute("log.iostream", stream)] }))
    };
    let mut records = vec![
        line("creating", 1, "stdout"),
        line("Error: no capacity", 2, "stderr"),
        line("  on main.tf", 3, "stderr"),
    ];
    records.extend((0..30).map(|at| line("releasing the lock", 10 + at, "stdout")));
    let text =
        read(traces(&[failed(span("apply", 1, 0, 0, 90), "exit status 1")]) + &logs(&records)).to_markdown();
    let expected =
        "failed: exit status 1\n… 1 earlier line\nError: no capacity\n… 12 more lines\nreleasing the lock\n";
    assert!(text.contains(expected), "{text}");
    // Without the stream it is one line of many.
    let plain: Vec<_> =
        records.iter().cloned().map(|record| with(record, json!({ "attributes": [] }))).collect();
    let text =
        read(traces(&[failed(span("apply", 1, 0, 0, 90), "exit status 1")]) + &logs(&plain)).to_markdown();
    assert!(!text.contains("no capacity"), "{text}");
}
