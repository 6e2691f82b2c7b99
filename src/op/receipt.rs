//! Receipts: the outcomes of everything that a job has emitted.

use std::fmt;
use std::time::Duration;

use crate::correlate::ambient;
use crate::job_account::{Account, Tally};
use crate::otlp::pipeline::settle;

/// The outcomes of a job's records and spans, at the moment at which it was made.
///
/// It counts what went into the pipelines of the process: with two of them, each record counts twice. What
/// goes through the SDK's exporters is not known, nor are spans that the OpenTelemetry API has started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The outcomes of its log records.
    pub logs: Tally,
    /// The outcomes of its spans.
    pub spans: Tally,
}

impl Receipt {
    /// Everything that the job has emitted so far was delivered.
    pub fn is_complete(&self) -> bool {
        [self.logs, self.spans].iter().all(|tally| tally.delivered == tally.emitted)
    }

    /// Delivers what the account's job has emitted, for at most `deadline`.
    pub(crate) fn of(account: &Account, deadline: Duration) -> Self {
        let [logs, spans] = settle(account, deadline);
        Self { logs, spans }
    }

    /// Logs one record `telemetry.loss` if something was lost, where the caller is: inside the job.
    pub(crate) fn report_loss(&self) {
        let (logs, spans) = (self.logs.lost(), self.spans.lost());
        if logs + spans == 0 {
            return;
        }
        let mut reasons = Vec::new();
        for (signal, tally) in [("logs", self.logs), ("traces", self.spans)] {
            let dropped = tally.reasons().into_iter().chain([("rejected", tally.rejected)]);
            let dropped = dropped.filter(|(_, count)| *count > 0);
            reasons.extend(dropped.map(|(reason, count)| format!("{signal} {reason}: {count}")));
        }
        tracing::warn!(
            otel.event_name = "telemetry.loss",
            telemetry.lost_logs = logs,
            telemetry.lost_spans = spans,
            telemetry.loss_reasons = reasons.join(", "),
            "{logs} log records and {spans} spans of this job were lost"
        );
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "logs: {}; spans: {}", self.logs, self.spans)
    }
}

/// Delivers everything that the current job has emitted so far, and returns its receipt. `None` outside any
/// job.
///
/// It blocks for at most `deadline`: in async code, call it on a thread that may block. If something was
/// lost, one record with the event name `telemetry.loss` says how much and why. For an execution there is
/// [`Execution::close`](super::execution::Execution::close), which ends it first.
///
/// ```
/// use std::time::Duration;
/// use spanlog::{job, JobMetadata};
///
/// job::scope(JobMetadata::new("job-1", "exec-1"), || {
///     tracing::info!("some work");
///     let receipt = job::close(Duration::from_secs(5)).expect("this is inside a job");
///     assert_eq!(receipt.logs.pending, 0);
/// });
/// ```
pub fn close(deadline: Duration) -> Option<Receipt> {
    let job = ambient::ambient_job()?;
    let receipt = Receipt::of(&job.account, deadline);
    receipt.report_loss();
    Some(receipt)
}
