//! One line that says how everything ended.

use super::call::Outcome;
use super::duration::format_duration;
use super::jobs::{count_jobs, Job};
use super::text::line::mark_and_outcome;
use super::text::pen::Style;
use super::tool_call_graph::{Node, ToolCallGraph};

/// How many failed jobs are named.
const MAX_NAMES: usize = 3;

/// A verdict: the mark, and the words, which may contain anything.
pub(super) struct Verdict {
    pub(super) mark: (Style, &'static str),
    /// `job.deploy (plan 6) failed after 1m 30s`, or `4 jobs: 1 failed; failed: job.plan (plan 6)`.
    pub(super) words: String,
}

impl Verdict {
    /// `None` for a graph without spans. `failures` are its own.
    pub(super) fn of(graph: &ToolCallGraph, failures: &[Node<'_>]) -> Option<Self> {
        let jobs = graph.jobs();
        let is_running = |job: &&Job<'_>| job.outcome() == Outcome::Running;
        let failed = jobs.iter().find(|job| job.fails()).or_else(|| jobs.iter().find(is_running));
        let worst = failed.or_else(|| jobs.iter().find(|job| job.head().is_red())).or(jobs.first())?;
        let mark = mark_of(worst);
        if let Some(count) = count_jobs(&jobs) {
            let failed: Vec<_> = jobs.iter().filter(|job| job.fails()).map(Job::title).collect();
            let more = if failed.len() > MAX_NAMES { ", …" } else { "" };
            let names = failed[..failed.len().min(MAX_NAMES)].join(", ");
            let named = if failed.is_empty() { String::new() } else { format!("; failed: {names}{more}") };
            return Some(Self { mark, words: count + &named });
        }
        let after = match worst.outcome() {
            Outcome::Running => String::new(),
            _ => format!(" after {}", format_duration(worst.duration())),
        };
        let id = match worst.head().label() {
            Some(_) => String::new(),
            None => format!(" ({})", worst.id()),
        };
        let recovered = failures.iter().filter(|node| node.is_recovered()).count();
        let rest = match recovered {
            _ if worst.fails() => message(worst, failures),
            0 => String::new(),
            recovered => format!(", {recovered} recovered"),
        };
        let words = format!("{}{id} {}{after}{rest}", worst.title(), worst.outcome().name());
        Some(Self { mark, words })
    }
}

/// The mark of a job: that of its head, unless another root failed or is running.
pub(super) fn mark_of(job: &Job<'_>) -> (Style, &'static str) {
    match job.outcome() {
        _ if job.fails() => (Style::Bad, "✗"),
        Outcome::Running => (Style::Busy, "…"),
        _ => mark_and_outcome(job.head()).0,
    }
}

/// What the job's status says beside what its failures say.
fn message(job: &Job<'_>, failures: &[Node<'_>]) -> String {
    let head = job.head().call();
    match head.message.is_empty() || failures.iter().any(|node| head.repeats(node.call())) {
        true => String::new(),
        false => format!(": {}", head.message),
    }
}
