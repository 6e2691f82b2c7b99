//! What a view prints when it is finished: the complete tree, the failures with their last log lines,
//! and a verdict. What ended the job is nearest to the end.

use std::collections::hash_map::{Entry, HashMap};
use std::path::Path;

use super::frame::message_line;
use super::github;
use super::link::link;
use crate::graph::duration::format_duration;
use crate::graph::escape;
use crate::graph::tail::{Tail, TailLine};
use crate::graph::text::line::{mark_and_outcome, path};
use crate::graph::text::pen::{Pen, Style};
use crate::graph::tool_call_graph::{Node, ToolCallGraph};
use crate::graph::verdict::Verdict;

/// How many log lines of a failure are shown.
const MAX_LINES: usize = 20;

/// How many failures are shown after the tree.
const MAX_FAILURES: usize = 50;

/// How many names of recovered failures are shown.
const MAX_RECOVERED: usize = 3;

/// How a summary is written.
#[derive(Clone, Copy, Default)]
pub(super) struct Form<'a> {
    /// The maximum width of the tree.
    pub(super) columns: Option<usize>,
    pub(super) is_terminal: bool,
    pub(super) color: bool,
    /// Whether it is read in the log of a GitHub workflow.
    pub(super) is_github: bool,
    /// Where the report is.
    pub(super) report: Option<&'a Path>,
}

/// The lines of the tree are truncated to the terminal's width, those of failures are not.
pub(super) fn summary(graph: &ToolCallGraph, form: Form<'_>) -> String {
    let tree = graph.text().with_color(form.color).with_folding(true);
    let tree = form.columns.map_or(tree, |columns| tree.with_width(columns)).to_string();
    let mut text = if form.is_github { github::group("Tool-call graph", &tree) } else { tree };
    let all = graph.failures();
    let (recovered, mut failures): (Vec<_>, Vec<_>) = all.iter().partition(|node| node.is_recovered());
    if !recovered.is_empty() {
        text.push_str(&format!("\n{}\n", recovered_line(&recovered, form.color)));
    }
    let more = failures.len().saturating_sub(MAX_FAILURES);
    failures.truncate(MAX_FAILURES);
    if more > 0 {
        text.push_str(&format!("\n… and {more} more failures\n"));
    }
    for node in failures.iter().rev() {
        text.push('\n');
        for pen in failure(*node, || Pen::new(usize::MAX, form.color)) {
            text.push_str(&pen.finish().text);
            text.push('\n');
        }
    }
    if form.is_github && !failures.is_empty() {
        text.push('\n');
        let shown = failures.iter().take(github::MAX_ANNOTATIONS);
        shown.for_each(|node| text.push_str(&github::error(*node)));
    }
    if let Some(verdict) = Verdict::of(graph, &all) {
        let line = Pen::new(usize::MAX, form.color).write(verdict.mark.0, verdict.mark.1).space(1);
        let line = line.write(Style::Plain, &escape::line(&verdict.words)).finish().text;
        let report =
            form.report.map_or_else(String::new, |path| format!("  {}", link(path, form.is_terminal)));
        text.push_str(&format!("\n{line}{report}\n"));
    }
    text
}

/// `6 recovered: git fetch ×2, helm test, aws get, …`.
fn recovered_line(recovered: &[Node<'_>], color: bool) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut times: HashMap<String, usize> = HashMap::new();
    for title in recovered.iter().map(|node| escape::line(&node.title())) {
        match times.entry(title) {
            Entry::Occupied(known) => *known.into_mut() += 1,
            Entry::Vacant(new) => {
                names.push(new.key().clone());
                new.insert(1);
            }
        }
    }
    let more = if names.len() > MAX_RECOVERED { ", …" } else { "" };
    let names = names.iter().take(MAX_RECOVERED).map(|name| match times[name] {
        1 => name.clone(),
        times => format!("{name} ×{times}"),
    });
    let names: Vec<_> = names.collect();
    let line = format!("{} recovered: {}{more}", recovered.len(), names.join(", "));
    Pen::new(usize::MAX, color).write(Style::Faint, &line).finish().text
}

fn failure(node: Node<'_>, pen: impl Fn() -> Pen) -> Vec<Pen> {
    let took = node.call().duration().map_or_else(String::new, format_duration);
    let ((style, mark), end) = mark_and_outcome(node);
    let head = pen().write(style, mark).space(1).write(Style::Plain, &path(node)).space(2);
    let mut lines = vec![head.write(Style::Faint, &took), pen().space(2).write(style, &end)];
    lines.extend(Tail::of(node, MAX_LINES).lines().into_iter().map(|line| {
        let pen = pen().space(2).write(Style::Faint, "┆").space(1);
        match line {
            TailLine::Record(record) => pen.write(Style::Plain, &message_line(record)),
            TailLine::LeftOut(words) => pen.write(Style::Faint, &words),
        }
    }));
    lines
}
