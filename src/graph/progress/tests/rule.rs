//! The rule of a live view, over random trees and terminals from 40x10 up: each job has a row, and no
//! failure is hidden by a log line of what did not fail.

use std::collections::HashSet;

use proptest::prelude::*;

use super::{texts, Stage};
use crate::graph::progress::frame::{live, Area};
use crate::graph::progress::selection::select;
use crate::graph::tool_call_graph::ToolCallGraph;

/// A span: its parent as a share of the spans before it, its end, how many lines it has.
#[derive(Clone, Debug)]
struct Sketch {
    is_job: bool,
    parent: f64,
    end: End,
    lines: usize,
}

#[derive(Clone, Copy, Debug)]
enum End {
    None,
    Ok,
    Failed,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let end = prop_oneof![3 => Just(End::None), 3 => Just(End::Ok), 2 => Just(End::Failed)];
    (prop::bool::weighted(0.08), 0.0..1.0, end, 0usize..7).prop_map(|(is_job, parent, end, lines)| Sketch {
        is_job,
        parent,
        end,
        lines,
    })
}

fn graph(sketches: &[Sketch]) -> ToolCallGraph {
    let mut stage = Stage::default();
    for (index, sketch) in sketches.iter().enumerate() {
        let number = index as u64 + 1;
        let is_job = index == 0 || sketch.is_job;
        let parent = if is_job { 0 } else { 1 + (sketch.parent * index as f64) as u64 };
        let end = (!matches!(sketch.end, End::None)).then_some(200 + number);
        stage = stage.call(number, parent, &format!("call {number}"), 100 + number, end);
        if is_job {
            stage = stage.executes(&format!("execution {number}"));
        }
        if let End::Failed = sketch.end {
            stage = stage.fails("exit code 1");
        }
        let mark = if let End::Failed = sketch.end { "BAD" } else { "GOOD" };
        stage = stage.lines(number, std::iter::repeat_n(mark, sketch.lines));
    }
    stage.graph()
}

/// What a view breaks of the rule: `shown` are the numbers of its spans.
fn broken(graph: &ToolCallGraph, shown: &HashSet<usize>, rows: &[&str], most: usize) -> Option<&'static str> {
    let is_hidden = |index: usize| !shown.contains(&index);
    let hides_failure = graph.nodes().any(|node| node.is_cause() && is_hidden(node.index));
    if hides_failure && rows.iter().any(|row| row.contains("GOOD")) {
        return Some("a failure is hidden by a line of what did not fail");
    }
    let jobs = graph.roots().len();
    if jobs + 2 <= most && graph.roots().any(|root| is_hidden(root.index)) {
        return Some("a job has no row");
    }
    let hides_running = graph.nodes().any(|node| {
        node.is_running() && !node.subtree().skip(1).any(|below| below.is_running()) && is_hidden(node.index)
    });
    (hides_running && rows.iter().any(|row| row.contains('┆')))
        .then_some("a running span is hidden by a line")
}

fn check(graph: &ToolCallGraph, columns: usize, rows: usize) -> Option<&'static str> {
    let area = Area::of_terminal(columns, rows, false);
    let drawn = live(graph, 300_000_000_000, area);
    assert!(drawn.len() <= area.rows && drawn.iter().all(|row| row.columns <= area.columns));
    let items = select(graph, area.rows - 1);
    let shown: HashSet<usize> = items.iter().filter_map(|item| item.node).map(|node| node.index).collect();
    let texts = texts(&drawn);
    if columns > 200 {
        // There is room for each name: what is selected is drawn.
        let is_drawn = |title: &str| texts.iter().any(|text| text.contains(&format!("{title} ")));
        let nodes = graph.nodes().filter(|node| shown.contains(&node.index));
        nodes.for_each(|node| assert!(is_drawn(&node.title()), "{}", node.title()));
    }
    broken(graph, &shown, &texts, area.rows - 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_failure_is_hidden_by_a_healthy_line_and_each_job_has_a_row(
        sketches in prop::collection::vec(sketch(), 1..90),
        columns in 40usize..220,
        rows in 10usize..70,
    ) {
        prop_assert_eq!(check(&graph(&sketches), columns, rows), None);
    }
}

/// Guarantees: the rule can be broken.
#[test]
fn a_view_that_hides_a_failure_or_a_job_breaks_the_rule() {
    let of = |is_job, end| Sketch { is_job, parent: 0.0, end, lines: 1 };
    let graph =
        graph(&[of(true, End::None), of(false, End::None), of(false, End::Failed), of(true, End::Ok)]);
    let all: HashSet<usize> = graph.nodes().map(|node| node.index).collect();
    assert_eq!(broken(&graph, &all, &["┆ GOOD"], 8), None);
    for (what, is_hidden) in [
        ("a failure is hidden by a line of what did not fail", "call 3"),
        ("a running span is hidden by a line", "call 2"),
        ("a job has no row", "call 4"),
    ] {
        let is_shown = |index: &usize| {
            graph.nodes().any(|node| node.index == *index && node.call().title() != is_hidden)
        };
        let shown = all.iter().copied().filter(is_shown).collect();
        assert_eq!(broken(&graph, &shown, &["┆ GOOD"], 8), Some(what));
    }
}

/// The picture that the rule came from: four jobs and 31 ops at 80x24.
#[test]
fn four_jobs_with_31_ops_at_80x24_show_each_job_and_each_failure() {
    let mut sketches = vec![Sketch { is_job: true, parent: 0.0, end: End::None, lines: 5 }; 4];
    for number in 0..31 {
        let end = if number % 4 == 1 { End::Failed } else { End::None };
        sketches.push(Sketch { is_job: false, parent: f64::from(number % 4) / 40.0, end, lines: 5 });
    }
    let graph = graph(&sketches);
    assert_eq!(check(&graph, 80, 24), None);
    let text = live(&graph, 300_000_000_000, Area::of_terminal(80, 24, false));
    let text = texts(&text).join("\n");
    assert_eq!(text.matches("✗").count(), 8, "{text}");
    assert!(text.contains("  4 jobs: 4 running  "), "{text}");
}
