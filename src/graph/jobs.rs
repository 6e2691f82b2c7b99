//! The jobs in a graph: each execution, or each trace without one, with its own roots and times.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::TraceId;

use super::call::Outcome;
use super::live::jobs::JobId;
use super::tool_call_graph::{Node, ToolCallGraph};

/// A job, or a trace without one, in a [`ToolCallGraph`].
#[derive(Clone, Debug)]
pub struct Job<'a> {
    id: JobId,
    roots: Vec<Node<'a>>,
    start_unix_nano: u64,
    end_unix_nano: u64,
}

impl<'a> Job<'a> {
    /// The execution, or the trace if the roots have no execution id.
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// Its spans without a parent in the graph, at least one, ordered by start.
    pub fn roots(&self) -> &[Node<'a>] {
        &self.roots
    }

    /// The root whose title and outcome are the job's: `job.*`, or else the one that took longest.
    pub fn head(&self) -> Node<'a> {
        let job = self.roots.iter().find(|root| root.call().is_job());
        let longest = || self.roots.iter().rev().max_by_key(|root| root.call().duration());
        *job.or_else(longest).unwrap_or(&self.roots[0])
    }

    /// The title of its head.
    pub fn title(&self) -> String {
        self.head().title()
    }

    /// How it ended: as its head did, but running while any root is, and failed if another root
    /// failed.
    pub fn outcome(&self) -> Outcome {
        let outcome = self.head().call().outcome;
        match self.fails() {
            true if self.head().fails() => outcome,
            true => Outcome::Failed,
            false if self.roots.iter().any(Node::is_running) => Outcome::Running,
            false => outcome,
        }
    }

    /// Whether a root failed: the head, or if none is running any of them.
    pub fn fails(&self) -> bool {
        let any_fails = self.roots.iter().any(Node::fails);
        self.head().fails() || any_fails && !self.roots.iter().any(Node::is_running)
    }

    /// The earliest start of a span, in nanoseconds since the Unix epoch; 0 if unknown.
    pub fn start_unix_nano(&self) -> u64 {
        self.start_unix_nano
    }

    /// The latest end of a span, or the latest start if that is later, in nanoseconds since the Unix
    /// epoch.
    pub fn end_unix_nano(&self) -> u64 {
        self.end_unix_nano
    }

    /// The time from its start to its end.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end_unix_nano.saturating_sub(self.start_unix_nano))
    }
}

impl ToolCallGraph {
    /// The jobs, and the traces without one, ordered by start.
    pub fn jobs(&self) -> Vec<Job<'_>> {
        let mut executions: HashMap<TraceId, &str> = HashMap::new();
        for root in self.roots() {
            if let Some(execution) = root.call().execution() {
                executions.entry(root.call().trace_id).or_insert(execution);
            }
        }
        let mut jobs: Vec<Job<'_>> = Vec::new();
        let mut places: HashMap<JobId, usize> = HashMap::new();
        for root in self.roots() {
            let trace = root.call().trace_id;
            let execution = root.call().execution().or_else(|| executions.get(&trace).copied());
            let id = execution.map_or(JobId::Trace(trace), JobId::execution);
            let place = *places.entry(id.clone()).or_insert_with(|| {
                jobs.push(Job { id, roots: Vec::new(), start_unix_nano: u64::MAX, end_unix_nano: 0 });
                jobs.len() - 1
            });
            jobs[place].roots.push(root);
        }
        for job in &mut jobs {
            for call in job.roots.iter().flat_map(Node::subtree).map(|node| node.call()) {
                if call.start_unix_nano != 0 {
                    job.start_unix_nano = job.start_unix_nano.min(call.start_unix_nano);
                }
                let end = call.end_unix_nano.unwrap_or(0).max(call.start_unix_nano);
                job.end_unix_nano = job.end_unix_nano.max(end);
            }
            // Unknown if no span has one.
            job.start_unix_nano = job.start_unix_nano.min(job.end_unix_nano);
        }
        jobs
    }
}

/// `4 jobs: 1 failed, 1 running`; `None` unless there are several.
pub(super) fn count_jobs(jobs: &[Job<'_>]) -> Option<String> {
    if jobs.len() < 2 {
        return None;
    }
    let is_trace = |job: &Job<'_>| matches!(job.id, JobId::Trace(_));
    let what = if jobs.iter().all(is_trace) { "traces" } else { "jobs" };
    let failed = jobs.iter().filter(|job| job.fails()).count();
    let running = jobs.iter().filter(|job| job.outcome() == Outcome::Running).count();
    let counts = [(failed, "failed"), (running, "running")].into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts.map(|(count, words)| format!("{count} {words}")).collect();
    match counts.is_empty() {
        true => Some(format!("{} {what}", jobs.len())),
        false => Some(format!("{} {what}: {}", jobs.len(), counts.join(", "))),
    }
}
