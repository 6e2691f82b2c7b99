//! What a view prints when it is finished: the complete tree, and the failures with their last log
//! lines.

use super::frame::message_line;
use crate::graph::counted::counted;
use crate::graph::duration::format_duration;
use crate::graph::escape;
use crate::graph::text::line::mark_and_outcome;
use crate::graph::text::pen::{Pen, Style};
use crate::graph::tool_call_graph::{Node, ToolCallGraph};

/// How many log lines of a failure are shown.
const MAX_LINES: usize = 20;

/// How many failures are shown after the tree.
const MAX_FAILURES: usize = 50;

/// The lines of the tree are truncated to the terminal's width, those of failures are not.
pub(super) fn summary(graph: &ToolCallGraph, columns: Option<usize>, color: bool) -> String {
    let tree = graph.text().with_color(color);
    let mut text = columns.map_or(tree, |columns| tree.with_width(columns)).to_string();
    let failures: Vec<_> = graph.nodes().filter(|node| node.fails() && !node.contains_failure()).collect();
    for node in failures.iter().take(MAX_FAILURES) {
        text.push('\n');
        for pen in failure(*node, || Pen::new(usize::MAX, color)) {
            text.push_str(&pen.finish().text);
            text.push('\n');
        }
    }
    if failures.len() > MAX_FAILURES {
        text.push_str(&format!("\n… and {} more failures\n", failures.len() - MAX_FAILURES));
    }
    text
}

fn failure(node: Node<'_>, pen: impl Fn() -> Pen) -> Vec<Pen> {
    let took = node.call().duration().map_or_else(String::new, format_duration);
    let ((style, mark), end) = mark_and_outcome(node);
    let head = pen().write(style, mark).space(1).write(Style::Plain, &path(node)).space(2);
    let mut lines = vec![head.write(Style::Faint, &took), pen().space(2).write(style, &end)];
    let of_output = || pen().space(2).write(Style::Faint, "┆").space(1);
    let records = node.own_records();
    let skipped = records.len().saturating_sub(MAX_LINES);
    let earlier = counted(skipped as u64, "earlier line", "earlier lines");
    lines.extend(earlier.map(|earlier| of_output().write(Style::Faint, &format!("… {earlier}"))));
    lines.extend(records.skip(skipped).map(|record| of_output().write(Style::Plain, &message_line(record))));
    lines
}

/// The titles of a span and its ancestors.
pub(super) fn path(node: Node<'_>) -> String {
    let mut names: Vec<_> = std::iter::successors(Some(node), |node| node.parent())
        .map(|node| escape::line(&node.call().title()))
        .collect();
    names.reverse();
    names.join(" › ")
}
