//! [`Output`]: the outcome of the records or spans of one exporter.

use std::fmt;

/// The outcome of the records or spans of one exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// `logs` or `traces`.
    pub signal: &'static str,
    /// `otlp`, `json-lines` or `console`.
    pub exporter: &'static str,
    /// Received by the batch processor or the pipeline.
    pub taken: u64,
    /// Delivered.
    pub exported: u64,
    /// Lost by the exporter after its retries; in a pipeline, rejected or dropped for any reason.
    pub failed: u64,
}

impl Output {
    /// Neither exported nor failed: pending, or dropped because the queue was full or the deadline
    /// passed.
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
