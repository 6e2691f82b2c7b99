//! What one exporter was given, and what of it arrived.

use std::fmt;

/// What became of the records or spans that one exporter was given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// `logs` or `traces`.
    pub signal: &'static str,
    /// `otlp`, `json-lines` or `console`.
    pub exporter: &'static str,
    /// Given to the batch processor, or the pipeline.
    pub taken: u64,
    /// Arrived.
    pub exported: u64,
    /// Lost by the exporter, after its retries; of a pipeline also what was rejected, or dropped for any other reason.
    pub failed: u64,
}

impl Output {
    /// Neither arrived nor failed: pending, or dropped because the queue was full or the deadline passed.
    pub fn unsettled(&self) -> u64 {
        self.taken.saturating_sub(self.exported + self.failed)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, exporter, taken, exported, failed } = self;
        write!(f, "{exporter} got {exported} of {taken} {signal}, {failed} failed")
    }
}
