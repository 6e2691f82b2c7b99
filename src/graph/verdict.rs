//! One line that says how everything ended.

use super::call::Outcome;
use super::duration::format_nanoseconds;
use super::jobs::{count_jobs, Job};
use super::text::line::mark_and_outcome;
use super::text::pen::Style;
use super::tool_call_graph::ToolCallGraph;

/// How many failed jobs are named.
const MAX_NAMES: usize = 3;

/// A verdict: the mark, and the words, which may contain anything.
pub(super) struct Verdict {
    pub(super) mark: (Style, &'static str),
    /// `job.deploy (plan 6) failed after 1m 30s`, or `4 jobs: 1 failed; failed: job.plan (plan 6)`.
    pub(super) words: String,
}

impl Verdict {
    /// `None` for a graph without spans.
    pub(super) fn of(graph: &ToolCallGraph) -> Option<Self> {
        let jobs = graph.jobs();
        let is_running = |job: &&Job<'_>| job.outcome() == Outcome::Running;
        let failed = jobs.iter().find(|job| job.fails()).or_else(|| jobs.iter().find(is_running));
        let worst = failed.or_else(|| jobs.iter().find(|job| job.head().is_red())).or(jobs.first())?;
        let (mark, _) = mark_and_outcome(worst.head());
        // A root that ended well may stand for a job of which another root failed.
        let mark = if worst.fails() { (Style::Bad, "✗") } else { mark };
        if let Some(count) = count_jobs(&jobs) {
            let failed: Vec<_> = jobs.iter().filter(|job| job.fails()).map(Job::title).collect();
            let more = if failed.len() > MAX_NAMES { ", …" } else { "" };
            let names = failed[..failed.len().min(MAX_NAMES)].join(", ");
            let named = if failed.is_empty() { String::new() } else { format!("; failed: {names}{more}") };
            return Some(Self { mark, words: count + &named });
        }
        let nanos = worst.end_unix_nano().saturating_sub(worst.start_unix_nano());
        let after = match worst.outcome() {
            Outcome::Running => String::new(),
            _ => format!(" after {}", format_nanoseconds(nanos as f64)),
        };
        let id = match worst.head().label() {
            Some(_) => String::new(),
            None => format!(" ({})", worst.id()),
        };
        let words = format!("{}{id} {}{after}", worst.title(), worst.outcome().name());
        Some(Self { mark, words })
    }
}
