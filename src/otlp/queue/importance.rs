//! Which records lose their place when memory is short: by importance, and by job.

use std::collections::HashMap;

use opentelemetry::logs::Severity;
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;

use crate::keys::Keys;
use crate::otlp::signal::Signal;
use crate::otlp::sync::{lock_unless_forked, AtomicU64, Mutex, Ordering};
use crate::wire::log_record::field;
use crate::wire::read::{each, Malformed};

/// How much a record or span matters when there is not enough room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Importance {
    /// TRACE and DEBUG.
    Low,
    /// INFO, and spans.
    Normal,
    /// WARN and above, and the spans of ops, steps and jobs.
    High,
}

impl Importance {
    /// That of a record with this severity number.
    pub(crate) fn of(severity: u8) -> Self {
        match severity {
            0..9 => Self::Low,
            9..13 => Self::Normal,
            _ => Self::High,
        }
    }

    /// The lowest severity number that matters more.
    pub(crate) fn next_severity(self) -> u8 {
        match self {
            Self::Low => 9,
            Self::Normal => 13,
            Self::High => 25,
        }
    }

    /// That of an encoded `LogRecord` or `Span`. What cannot be read is kept longest.
    pub(crate) fn of_encoded(signal: Signal, record: &[u8]) -> Self {
        let found = match signal {
            Signal::Logs => severity(record).map(Self::of),
            Signal::Traces => is_important_span(record).map(|is_important| match is_important {
                true => Self::High,
                false => Self::Normal,
            }),
        };
        found.unwrap_or(Self::High)
    }

    /// What must stay free of `limit` bytes after such a record is stored. `is_noisy`: its job uses
    /// more than half of what is used.
    pub(crate) fn reserve(self, limit: usize, is_noisy: bool) -> usize {
        let sixteenths = match (self, is_noisy) {
            (Self::Low, true) => 5,
            (Self::Low, false) => 4,
            (Self::Normal, true) => 3,
            (Self::Normal, false) => 2,
            (Self::High, true) => 1,
            (Self::High, false) => 0,
        };
        limit / 16 * sixteenths
    }
}

/// Whether an attribute is the tool of an op, under the name of either preset.
fn is_of_op(key: &str) -> bool {
    [Keys::nuon().tool(), Keys::cicd().tool()].contains(&key)
}

/// The severity number that a span counts as. The graph of a run is made of the spans of ops, steps and
/// jobs.
pub(crate) fn severity_of_span(span: &SpanData) -> u8 {
    let mut keys = span.attributes.iter().map(|own| own.key.as_str());
    match matches!(span.status, Status::Error { .. }) || keys.any(is_of_op) {
        true => Severity::Error as u8,
        false => Severity::Info as u8,
    }
}

fn severity(record: &[u8]) -> Result<u8, Malformed> {
    let mut severity = 0;
    each(record, |number, raw| {
        if number == u64::from(field::SEVERITY_NUMBER) {
            severity = u8::try_from(raw.varint()?).unwrap_or(u8::MAX);
        }
        Ok(())
    })?;
    Ok(severity)
}

/// Whether an encoded `Span` is an op's or failed.
fn is_important_span(span: &[u8]) -> Result<bool, Malformed> {
    let mut is_important = false;
    each(span, |number, raw| match number {
        9 => each(raw.bytes()?, |number, raw| {
            is_important |= number == 1 && is_of_op(raw.text()?);
            Ok(())
        }),
        15 => each(raw.bytes()?, |number, raw| {
            is_important |= number == 3 && raw.varint()? == 2;
            Ok(())
        }),
        _ => Ok(()),
    })?;
    Ok(is_important)
}

/// How much of the memory each job has used since it became short. It is counted where threads lease
/// memory, which is rare: a lease counts for the job of the record that needed it.
#[derive(Debug, Default)]
pub(crate) struct JobUsage {
    jobs: Mutex<HashMap<u64, usize>>,
    /// The job that has used more than half; 0 if none has.
    noisy: AtomicU64,
}

/// So many jobs are told apart. Further ones count as quiet.
const MAX_JOBS: usize = 4096;

impl JobUsage {
    /// A thread has leased `bytes` for a record of `job`. `is_short`: less than half is available.
    /// `process`: the one that has the worker.
    pub(crate) fn leased(&self, job: u64, bytes: usize, is_short: bool, process: u32) {
        let Some(mut jobs) = lock_unless_forked(&self.jobs, process) else { return };
        if !is_short {
            if !jobs.is_empty() {
                jobs.clear();
                self.noisy.store(0, Ordering::Relaxed);
            }
            return;
        }
        if jobs.len() < MAX_JOBS || jobs.contains_key(&job) {
            *jobs.entry(job).or_default() += bytes;
        }
        let all: usize = jobs.values().sum();
        let most = jobs.iter().max_by_key(|(_, used)| **used);
        let noisy = most.filter(|(_, used)| **used > all / 2).map_or(0, |(job, _)| *job);
        self.noisy.store(noisy, Ordering::Relaxed);
    }

    /// The job that has used more than half, if one has. What belongs to no job is not one.
    pub(crate) fn noisy(&self) -> Option<u64> {
        Some(self.noisy.load(Ordering::Relaxed)).filter(|job| *job != 0)
    }
}
