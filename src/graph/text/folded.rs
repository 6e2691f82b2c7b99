//! The lines of several siblings in one.

use super::line::{failure, mark_and_outcome, Line};
use super::pen::Style;
use crate::graph::duration::format_duration;
use crate::graph::escape;
use crate::graph::record::RecordCounts;
use crate::graph::rows::SiblingRow;
use crate::graph::tool_call_graph::Node;
use crate::sorted::sort_by_key;

/// How many alike siblings are folded.
const MIN_FOLDED: usize = 10;

/// A line, and the rows below it.
pub(super) struct Folded<'a> {
    pub(super) line: Line,
    pub(super) below: Vec<SiblingRow<'a>>,
}

/// The line of a row in a tree whose alike siblings are folded, at `branch`.
pub(super) fn folded(row: SiblingRow<'_>, branch: String) -> Folded<'_> {
    match row {
        SiblingRow::One(node) => Folded { line: Line::of(node, branch), below: node.child_rows() },
        SiblingRow::Attempts(attempts) => {
            let last = attempts[attempts.len() - 1];
            let line = Line { outcome: at_attempt(last, attempts.len()), ..Line::of(last, branch) };
            Folded { line, below: last.child_rows() }
        }
        SiblingRow::Alike(rows) => {
            let line = line_of_alike(&rows, branch);
            // What failed or is running stays in sight.
            let is_shown = |row: &SiblingRow<'_>| {
                row.nodes().iter().any(|node| node.is_red() && !node.is_recovered() || node.is_running())
            };
            Folded { line, below: rows.into_iter().filter(is_shown).collect() }
        }
    }
}

/// Rows of a tree, in which fewer than ten alike siblings are not folded.
pub(super) fn unfold_few(rows: Vec<SiblingRow<'_>>) -> Vec<SiblingRow<'_>> {
    let mut unfolded = Vec::new();
    for row in rows {
        match row {
            SiblingRow::Alike(alike) if alike.len() < MIN_FOLDED => unfolded.extend(alike),
            row => unfolded.push(row),
        }
    }
    sort_by_key(&mut unfolded, |row| row.nodes().first().map(|node| node.call().start_unix_nano));
    unfolded
}

/// `ok at the 3rd attempt`.
fn at_attempt(last: Node<'_>, attempts: usize) -> String {
    let suffix = match (attempts % 10, attempts % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    let (words, message) = match last.fails() {
        true => failure(last),
        false => (mark_and_outcome(last).1, String::new()),
    };
    let words = if words.is_empty() { "ok" } else { &words };
    format!("{words} at the {attempts}{suffix} attempt{message}")
}

/// `terraform apply ×26`, `2 failed, slowest prod-eu-25 3.00 s`.
fn line_of_alike(rows: &[SiblingRow<'_>], branch: String) -> Line {
    let nodes: Vec<_> = rows.iter().map(SiblingRow::node).collect();
    let count = |is_counted: &dyn Fn(&Node<'_>) -> bool| nodes.iter().filter(|node| is_counted(node)).count();
    let failed = count(&|node| node.fails() && !node.is_recovered());
    let running = count(&|node| node.is_running());
    let recovered =
        count(&|node| node.is_red() && !node.is_running() && (!node.fails() || node.is_recovered()));
    let mut said: Vec<String> = [(failed, "failed"), (running, "running"), (recovered, "recovered")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    let ended = nodes.iter().rev().filter(|node| node.call().duration().is_some());
    if let Some(slowest) = ended.max_by_key(|node| node.call().duration()) {
        let took = format_duration(slowest.call().duration().unwrap_or_default());
        let label = slowest.label().map_or_else(String::new, |label| escape::line(label) + " ");
        said.push(format!("slowest {label}{took}"));
    }
    let mark = match (failed, running, recovered) {
        (0, 0, 0) => (Style::Good, "✓"),
        (0, 0, _) => (Style::Warning, "!"),
        (0, ..) => (Style::Busy, "…"),
        _ => (Style::Bad, "✗"),
    };
    let mut counts = RecordCounts::default();
    rows.iter().flat_map(SiblingRow::nodes).for_each(|node| counts += node.own_counts());
    Line {
        mark,
        branch,
        name: (Style::Plain, escape::line(&nodes[0].call().title())),
        detail: format!(" ×{}", nodes.len()),
        duration: format_duration(wall_time(&nodes)),
        counts,
        outcome: said.join(", "),
    }
}

/// From the first start to the last end.
fn wall_time(nodes: &[Node<'_>]) -> std::time::Duration {
    let start = nodes.iter().map(|node| node.call().start_unix_nano).min().unwrap_or(0);
    let end = nodes.iter().filter_map(|node| node.call().end_unix_nano).max().unwrap_or(0);
    std::time::Duration::from_nanos(end.saturating_sub(start))
}
