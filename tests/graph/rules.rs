//! The rules of the tree, on spans and records that were read back.

use serde_json::json;
use spanlog::graph::{Outcome, RecordLevel};

use crate::fixture::{attribute, bodies, logs, node, read, read_spans, record, shape, span, traces, with};

#[test]
fn read_back_siblings_stand_by_start_and_an_unknown_parent_makes_a_root() {
    let graph = read_spans(&[
        span("late", 4, 1, 30, 40),
        span("orphan", 5, 99, 20, 25),
        span("early", 3, 1, 10, 15),
        span("job", 1, 0, 0, 50),
        span("inner", 6, 3, 11, 12),
    ]);
    assert_eq!(shape(&graph), ["job", "-early", "--inner", "-late", "orphan"]);
}

#[test]
fn read_back_what_fails_is_told_apart_from_what_contains_it() {
    let error = json!({ "status": { "code": 2, "message": "no state" } });
    let graph = read_spans(&[
        span("job", 1, 0, 0, 50),
        span("step", 2, 1, 1, 49),
        with(span("plan", 3, 2, 2, 40), error),
        span("fetch", 4, 1, 45, 46),
    ]);
    let of = |name| {
        let node = node(&graph, name);
        (node.is_red(), node.fails(), node.contains_failure())
    };
    assert_eq!(of("job"), (true, false, true));
    assert_eq!(of("step"), (true, false, true));
    assert_eq!(of("plan"), (true, true, false));
    assert_eq!(of("fetch"), (false, false, false));
    assert_eq!(node(&graph, "plan").call().message, "no state");
    assert!(graph.is_red());
    assert!(!read_spans(&[with(span("a", 1, 0, 0, 1), json!({ "status": { "code": 1 } }))]).is_red());
}

#[test]
fn read_back_every_way_to_end_is_told_apart() {
    let ended = |name: &str, id: u64, outcome: &str| {
        with(span(name, id, 0, id, id + 1), json!({ "attributes": [attribute("op.outcome", outcome)] }))
    };
    let graph = read_spans(&[
        ended("a", 1, "cancelled"),
        ended("b", 2, "timed_out"),
        ended("c", 3, "panicked"),
        ended("d", 4, "dropped"),
        ended("e", 5, "something else"),
        ended("g", 7, "interrupted"),
        with(span("f", 6, 0, 6, 7), json!({ "status": { "code": "STATUS_CODE_ERROR" } })),
    ]);
    let outcomes: Vec<_> = graph.roots().map(|node| (node.call().outcome, node.is_red())).collect();
    use Outcome::{Cancelled, Dropped, Failed, Interrupted, Ok, Panicked, TimedOut};
    assert_eq!(
        outcomes,
        [
            (Cancelled, false),
            (TimedOut, true),
            (Panicked, true),
            (Dropped, false),
            (Ok, false),
            (Failed, true),
            (Interrupted, true)
        ]
    );
}

#[test]
fn read_back_a_span_without_an_end_or_without_duration_was_skipped() {
    let graph = read_spans(&[
        span("never ended", 1, 0, 1, 0),
        span("took no time", 2, 0, 2, 2),
        span("went back in time", 3, 0, 3, 1),
        span("ran", 4, 0, 4, 5),
    ]);
    let outcomes: Vec<_> = graph.roots().map(|node| node.call().outcome).collect();
    use Outcome::{Ok, Skipped};
    assert_eq!(outcomes, [Skipped, Skipped, Skipped, Ok]);
    let text = graph.to_text();
    assert_eq!(text.matches("—  skipped").count(), 3, "{text}");
}

#[test]
fn read_back_hidden_runner_spans_give_children_and_records_to_the_nearest_that_is_shown() {
    let runner = |name: &str, id, parent, begin, end| {
        with(span(name, id, parent, begin, end), json!({ "attributes": [attribute("nuon.tool", "runner")] }))
    };
    let spans = [
        runner("job.deploy", 1, 0, 0, 90),
        runner("step.plan", 2, 1, 1, 80),
        runner("runner.prepare", 3, 2, 2, 70),
        runner("runner.inner", 4, 3, 3, 60),
        with(span("terraform.plan", 5, 4, 4, 50), json!({ "status": { "code": 2 } })),
        span("git.clone", 6, 3, 55, 56),
    ];
    let graph = read(traces(&spans) + &logs(&[record("prepared", 4, 5, 9), record("planned", 5, 6, 9)]));
    assert_eq!(
        shape(&graph),
        [
            "job.deploy",
            "-step.plan",
            "--runner.prepare",
            "---runner.inner",
            "----terraform.plan",
            "---git.clone"
        ]
    );
    let graph = graph.without_runner_spans();
    assert_eq!(shape(&graph), ["job.deploy", "-step.plan", "--terraform.plan", "--git.clone"]);
    let step = node(&graph, "step.plan");
    assert_eq!(step.own_records().map(|record| record.body.as_str()).collect::<Vec<_>>(), ["prepared"]);
    assert_eq!(step.own_counts().of(RecordLevel::Info), 1);
    assert!(step.contains_failure());
    // And back.
    assert_eq!(shape(&graph.showing(|_| true)).len(), 6);
}

#[test]
fn read_back_a_node_has_its_own_records_and_its_descendants() {
    let spans =
        [span("job", 1, 0, 0, 9), span("a", 2, 1, 1, 4), span("b", 3, 1, 5, 8), span("c", 4, 2, 2, 3)];
    let records = [
        record("in b", 3, 6, 17),
        record("in c", 4, 3, 13),
        record("in a", 2, 2, 9),
        record("in job", 1, 4, 5),
        record("elsewhere", 77, 5, 9),
        json!({ "body": { "stringValue": "nowhere" }, "timeUnixNano": "1" }),
    ];
    // Records may come before their spans.
    let graph = read(logs(&records) + &traces(&spans));
    assert_eq!(bodies(node(&graph, "job")), ["in a", "in c", "in job", "in b"]);
    assert_eq!(bodies(node(&graph, "a")), ["in a", "in c"]);
    assert_eq!(bodies(node(&graph, "c")), ["in c"]);
    let unplaced: Vec<_> = graph.unplaced_records().map(|record| record.body.as_str()).collect();
    assert_eq!(unplaced, ["nowhere", "elsewhere"]);
    assert!(graph.to_text().ends_with("(2 log records belong to no span shown here)\n"));
}

#[test]
fn read_back_circles_and_double_ids_are_told() {
    let graph = read_spans(&[
        span("one", 1, 2, 0, 9),
        span("two", 2, 1, 1, 8),
        span("itself", 3, 3, 2, 7),
        span("first", 4, 0, 3, 6),
        span("second", 4, 0, 4, 5),
    ]);
    assert_eq!(shape(&graph), ["one", "-two", "itself", "first"]);
    let notes = graph.notes().join("\n");
    assert!(notes.contains("1 span with the id of another"), "{notes}");
    assert!(notes.contains("2 cycles of spans"), "{notes}");
    // Equal ids in another trace are other spans.
    let other = with(span("second", 4, 0, 4, 5), json!({ "traceId": "ffffffffffffffffffffffffffffffff" }));
    let graph = read_spans(&[span("first", 4, 0, 3, 6), other]);
    assert_eq!((shape(&graph).len(), graph.notes().len()), (2, 0));
}
