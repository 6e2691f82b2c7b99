//! The graph as Markdown, for the summary of a CI job.
//!
//! All text from programs is in code spans and code blocks, in which nothing is markup.

use std::cmp::Reverse;
use std::fmt::Write;

use super::duration::format_duration;
use super::escape;
use super::jobs::Job;
use super::mermaid;
use super::record::LogRecord;
use super::tail::Tail;
use super::text::line::{mark_and_outcome, path};
use super::tool_call_graph::{Node, ToolCallGraph};
use super::verdict::{mark_of, Verdict};
use crate::sorted::sort_by_key;

/// How many failures are shown with their last lines.
const MAX_FAILURES: usize = 20;

/// How many log lines of a failure are shown.
const MAX_LINES: usize = 20;

/// Lines are truncated to this.
const MAX_LINE_BYTES: usize = 500;

/// How many of the slowest spans are listed.
const SLOWEST: usize = 10;

/// How many spans the flowchart has.
const MAX_BOXES: usize = 40;

/// How many notes are listed.
const MAX_NOTES: usize = 100;

/// How many jobs are listed.
const MAX_JOBS: usize = 100;

impl ToolCallGraph {
    /// A summary in GitHub's [Markdown], such as for `$GITHUB_STEP_SUMMARY`: how the jobs ended, the
    /// failures with their last log lines, the one that ended the job first, the ten slowest spans, and a
    /// small flowchart of what leads to the failures.
    ///
    /// Its size is bounded, whatever the graph's: half a megabyte.
    ///
    /// ```
    /// # let graph = spanlog::graph::Recorder::default().graph();
    /// if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
    ///     std::fs::write(path, graph.to_markdown())?;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// [Markdown]: https://github.github.com/gfm/
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        let failures = self.failures();
        let Some(verdict) = Verdict::of(self, &failures) else {
            return "The graph has no spans.\n".to_owned();
        };
        let _ = writeln!(text, "## {} {}", verdict.mark.1, code(&verdict.words));
        let jobs = self.jobs();
        if jobs.len() > 1 {
            write_jobs(&mut text, &jobs);
        }
        write_failures(&mut text, &failures);
        write_slowest(&mut text, self);
        let _ = writeln!(text, "\n```mermaid\n{}```", mermaid::of_at_most(self, MAX_BOXES));
        for note in self.notes().iter().take(MAX_NOTES) {
            let _ = writeln!(text, "\n{}", code(note));
        }
        text
    }
}

fn write_jobs(text: &mut String, jobs: &[Job<'_>]) {
    text.push_str("\n| | job | outcome | duration |\n| --- | --- | --- | ---: |\n");
    for job in jobs.iter().take(MAX_JOBS) {
        let (_, mark) = mark_of(job);
        let (title, outcome) = (cell(&job.title()), job.outcome().name());
        let _ = writeln!(text, "| {mark} | {title} | {outcome} | {} |", format_duration(job.duration()));
    }
    if jobs.len() > MAX_JOBS {
        let _ = writeln!(text, "\n… and {} more", jobs.len() - MAX_JOBS);
    }
}

fn write_failures(text: &mut String, failures: &[Node<'_>]) {
    let recovered = failures.iter().filter(|node| node.is_recovered()).count();
    let failures = &failures[..failures.len() - recovered];
    if !failures.is_empty() {
        text.push_str("\n### Failures\n");
    }
    for node in failures.iter().take(MAX_FAILURES) {
        let took = node.call().duration().map_or_else(String::new, format_duration);
        let _ = writeln!(text, "\n✗ {} {took}\n", code(&path(*node)));
        let (_, outcome) = mark_and_outcome(*node);
        let lines = Tail::of(*node, MAX_LINES).texts(line);
        block(text, std::iter::once(cut(&outcome)).chain(lines));
    }
    if failures.len() > MAX_FAILURES {
        let _ = writeln!(text, "\n… and {} more failures", failures.len() - MAX_FAILURES);
    }
    if recovered > 0 {
        let _ = writeln!(text, "\n{recovered} recovered");
    }
}

/// Of spans without children: others last as long as what is in them.
fn write_slowest(text: &mut String, graph: &ToolCallGraph) {
    let leaves = graph.nodes().filter(|node| node.children().len() == 0 && node.call().duration().is_some());
    let mut leaves: Vec<_> = leaves.collect();
    sort_by_key(&mut leaves, |node| Reverse(node.call().duration()));
    if leaves.is_empty() {
        return;
    }
    text.push_str("\n### Slowest\n\n| | span | duration |\n| --- | --- | ---: |\n");
    for node in leaves.into_iter().take(SLOWEST) {
        let ((_, mark), _) = mark_and_outcome(node);
        let took = format_duration(node.call().duration().unwrap_or_default());
        let _ = writeln!(text, "| {mark} | {} | {took} |", cell(&path(node)));
    }
}

/// A record on one line.
fn line(record: &LogRecord) -> String {
    cut(&escape::line(record.text()))
}

fn cut(text: &str) -> String {
    match text.floor_char_boundary(MAX_LINE_BYTES) {
        end if end < text.len() => text[..end].to_owned() + "…",
        _ => text.to_owned(),
    }
}

/// A code span. Its fence is longer than any run of backticks in it.
fn code(text: &str) -> String {
    let text = cut(&escape::line(text));
    let fence = "`".repeat(longest_run(&text) + 1);
    // Spaces, so that a backtick at an end is not part of the fence. Markdown takes them off.
    let space = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// A code span in a table, in which a bar would end the cell.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

fn block(text: &mut String, lines: impl Iterator<Item = String>) {
    let lines: Vec<_> = lines.collect();
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    let _ = writeln!(text, "{fence}text\n{}\n{fence}", lines.join("\n"));
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}
