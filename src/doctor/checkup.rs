//! What a check-up found.

use std::fmt;

use opentelemetry::TraceId;

use crate::doctor::finding::{Finding, Problem};
use crate::examined::NAME;

/// The result of a check-up. Its `Display` is for people: what was found and what to do, then what is as
/// it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkup {
    /// What is wrong: problems first, then warnings.
    pub findings: Vec<Finding>,
    /// What was seen, one line each: where telemetry goes, what the filters let pass.
    pub facts: Vec<String>,
    /// The trace of the span and the record that were sent. `None`: the span has no ids.
    pub trace_id: Option<TraceId>,
    /// How many records log layers made.
    pub(crate) records: usize,
    /// A span was started.
    pub(crate) has_span: bool,
}

impl Checkup {
    /// Nothing was found but, perhaps, [warnings](Problem::is_warning).
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.problem.is_warning())
    }

    /// Whether this was found.
    pub fn has(&self, problem: Problem) -> bool {
        self.findings.iter().any(|finding| finding.problem == problem)
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        let is_warning = |finding: &Finding| finding.problem.is_warning();
        let place = self.findings.partition_point(|known| is_warning(known) <= is_warning(&finding));
        self.findings.insert(place, finding);
    }

    pub(crate) fn fact(&mut self, fact: String) {
        self.facts.push(fact);
    }

    /// Removes what is only a consequence of something else.
    pub(crate) fn settle(&mut self) {
        let explains =
            |cause| matches!(cause, Problem::ShutDown | Problem::NotDelivered | Problem::Unreachable);
        if self.findings.iter().any(|finding| explains(finding.problem)) {
            // A queue that is closed, or full during an outage, takes no record.
            self.findings.retain(|finding| finding.problem != Problem::NoRecord);
        }
    }
}

impl fmt::Display for Checkup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warnings = self.findings.iter().filter(|finding| finding.problem.is_warning()).count();
        let count = |count: usize, what: &str| match count {
            0 => format!("no {what}"),
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let problems = count(self.findings.len() - warnings, "problem");
        write!(f, "spanlog {}: {problems}, {}", env!("CARGO_PKG_VERSION"), count(warnings, "warning"))?;
        for finding in &self.findings {
            write!(f, "\n{finding}")?;
        }
        for fact in &self.facts {
            write!(f, "\n- {fact}")?;
        }
        if let Some(trace) = self.trace_id.filter(|_| self.is_healthy()) {
            write!(f, "\n- look for the trace {trace}, whose span and record are named {}", NAME)?;
        }
        Ok(())
    }
}
