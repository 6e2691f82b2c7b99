//! The tool-call graph and its text form.

use std::time::Duration;

use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::graph::{format_duration, format_nanoseconds, Recorder, ToolCallGraph};
use spanlog::{job, op, JobMetadata, Keys};

use crate::fixture::spans::subscriber;
use crate::fixture::USUAL;

#[test]
fn a_run_is_drawn_with_tool_operation_outcome_and_log_counts() {
    let recorder = Recorder::default();
    let logs = SdkLoggerProvider::builder().with_log_processor(recorder.clone()).build();
    let traces = SdkTracerProvider::builder().with_span_processor(recorder.clone()).build();
    let dispatch = subscriber(&traces, spanlog::LogLayer::new(&logs));
    tracing::dispatcher::with_default(&dispatch, || {
        let execution = job::execution(JobMetadata::new("j", "e"), "deploy");
        let result = execution.in_scope(|| {
            execution.step("fetch").run(|| {
                op::run("git", "clone", [], || {
                    tracing::info!("one");
                    tracing::warn!("two");
                    Ok::<(), String>(())
                })
            })?;
            execution.step("plan").run(|| {
                drop(op::start("oci", "pull", []));
                op::run("terraform", "plan", [], || {
                    tracing::error!("three");
                    Err::<(), _>("no\nstate \u{1b}[31m".to_owned())
                })
            })
        });
        execution.end(&result);
    });
    let text = recorder.graph().to_text();
    // Durations are left out: they differ from run to run.
    let shape: Vec<String> = text
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let unit = words.iter().position(|word| ["ns", "µs", "ms", "s"].contains(word)).unwrap();
            [&words[..unit - 1], &words[unit + 1..]].concat().join(" ")
        })
        .collect();
    assert_eq!(
        shape,
        [
            "✗ job.deploy (j) failed inside",
            "✓ ├─ step.fetch",
            "✓ │ └─ git clone 1 warn, 1 info",
            "✗ └─ step.plan failed inside",
            "- ├─ oci pull dropped",
            "✗ └─ terraform plan 1 error failed: no ⏎ state \\u{1b}[31m",
        ],
        "{text}"
    );
    assert!(recorder.graph().is_red());
}

#[test]
fn a_failure_inside_a_span_that_is_fine_itself_is_told_apart() {
    let fixture = USUAL.build();
    fixture.run(|| {
        op::run("t", "outer", [], || {
            let _ = op::run("t", "retried", [], || Err::<(), _>("once"));
            Ok::<(), String>(())
        })
        .unwrap();
    });
    let graph = ToolCallGraph::of_spans(&fixture.spans(), &Keys::default());
    let text = graph.to_text();
    assert!(text.lines().next().unwrap().starts_with("! t outer"), "{text}");
    assert!(text.contains("failed inside"), "{text}");
    assert!(ToolCallGraph::of_spans([], &Keys::default()).is_empty());
}

#[test]
fn siblings_stand_in_order_of_start_an_unknown_parent_makes_a_root_and_circles_end() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let parent = tracing::info_span!("parent").entered();
        let (first, second) = (op::start("t", "first", []), op::start("t", "second", []));
        second.end(&Ok::<(), String>(()));
        first.end(&Ok::<(), String>(()));
        drop(parent);
    });
    let mut spans = fixture.spans();
    let names = |spans: &[opentelemetry_sdk::trace::SpanData]| {
        let text = ToolCallGraph::of_spans(spans, &Keys::default()).to_text();
        text.lines().map(|line| line.split("  ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&spans), ["✓ parent", "✓ ├─ t first", "✓ └─ t second"]);
    spans.retain(|span| span.name != "parent");
    assert_eq!(names(&spans), ["✓ t first", "✓ t second"]);
    // Two spans that are each other's parents, and one that is its own.
    let (one, two) = (spans[0].span_context.span_id(), spans[1].span_context.span_id());
    (spans[0].parent_span_id, spans[1].parent_span_id) = (two, one);
    let circle = names(&spans);
    assert_eq!(circle, ["✓ t first", "✓ └─ t second", "(1 cycle of spans that are their own ancestors)"]);
    spans[0].parent_span_id = one;
    assert_eq!(names(&spans), ["✓ t second", "✓ └─ t first", circle[2].as_str()]);
    // Two spans with one id.
    spans[0].parent_span_id = spans[1].span_context.span_id();
    spans[1] = spans[0].clone();
    assert_eq!(names(&spans).len(), 2);
    assert!(names(&spans)[1].contains("1 span with the id of another"));
}

#[test]
fn hidden_runner_spans_give_their_children_and_records_to_the_nearest_that_is_shown() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let execution = job::execution(JobMetadata::new("j", "e"), "deploy");
        let result = execution.in_scope(|| {
            op::run("runner", "prepare", [], || {
                op::run("git", "clone", [], || Err::<(), _>("gone".to_owned()))
            })
        });
        execution.end(&result);
    });
    let graph = ToolCallGraph::of_spans(&fixture.spans(), &Keys::default());
    let names = |graph: &ToolCallGraph| -> Vec<_> { graph.nodes().map(|node| node.call().title()).collect() };
    assert_eq!(names(&graph), ["job.deploy", "runner prepare", "git clone"]);
    let graph = graph.without_runner_spans();
    assert_eq!(names(&graph), ["job.deploy", "git clone"]);
    let clone = graph.nodes().last().unwrap();
    assert_eq!(clone.parent(), graph.roots().next());
    assert!(clone.fails() && graph.roots().next().unwrap().contains_failure());
}

#[test]
fn durations_have_the_unit_that_they_need() {
    for nanos in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(format_nanoseconds(nanos), "—");
    }
    for (nanos, text) in [
        (0, "—"),
        (500, "500 ns"),
        (999, "999 ns"),
        (1_000, "1.0 µs"),
        (189_552, "189.6 µs"),
        (999_949, "999.9 µs"),
        (999_999, "1.0 ms"),
        (1_000_000, "1.0 ms"),
        (500_000_000, "500.0 ms"),
        (999_949_999, "999.9 ms"),
        (999_960_000, "1.00 s"),
        (1_000_000_000, "1.00 s"),
        (2_500_000_000, "2.50 s"),
        (59_996_000_000, "1m 0s"),
        (60_000_000_000, "1m 0s"),
        (90_000_000_000, "1m 30s"),
        (125_000_000_000, "2m 5s"),
        (3_599_400_000_000, "59m 59s"),
        (3_599_600_000_000, "1h 0m"),
        (7_500_000_000_000, "2h 5m"),
        (86_369_000_000_000, "23h 59m"),
        (86_371_000_000_000, "1d 0h"),
        (273_600_000_000_000, "3d 4h"),
    ] {
        assert_eq!(format_duration(Duration::from_nanos(nanos)), text);
    }
}
