//! [`JobLogProcessor`]: puts the job's stamps on records of other appenders.

use std::time::Duration;

use opentelemetry::logs::LogRecord as _;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

use crate::correlate::dispatch::DispatchSlot;
use crate::correlate::span_state::OtelSpan;
use crate::correlate::{ambient, queries, resolve};
use crate::keys::Keys;
use crate::stats::Counters;

/// Stamps each record with the metadata of the job that the emitting thread works for, and gives it the ids
/// of the current span if it has none: for records that are not a [`LogLayer`](crate::LogLayer)'s, such as
/// those of opentelemetry-appender-tracing or of the OpenTelemetry API.
///
/// It adds what a record lacks, and replaces nothing. The ids are known if a [`SpanLayer`](crate::SpanLayer)
/// is in the subscriber; with a plain `OpenTelemetryLayer`, the SDK itself takes them from the current
/// `Context`. It cannot mend what it cannot see: an event's explicit parent, for which the appender has given
/// the ids of the current span; the fields of spans; and the tool and operation of an op.
///
/// ```
/// use opentelemetry_sdk::logs::SdkLoggerProvider;
/// use spanlog::JobLogProcessor;
///
/// let provider = SdkLoggerProvider::builder()
///     .with_log_processor(JobLogProcessor::new()) // before the exporting processor
///     .build();
/// # drop(provider);
/// ```
#[derive(Debug, Default)]
pub struct JobLogProcessor {
    keys: Keys,
    /// Where failures to start a span are counted; nobody reads them.
    counters: Counters,
}

impl JobLogProcessor {
    /// A processor that stamps under the default [`Keys`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the attribute names of the stamps.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    fn add_ids(&self, record: &mut SdkLogRecord) {
        let Some((id, state)) = queries::innermost_span() else { return };
        let span = resolve::resolve_ids(&state, &id, &DispatchSlot::default(), &self.counters);
        if let Some(OtelSpan::Known(Some(ids))) = span {
            record.set_trace_context(ids.trace_id, ids.span_id, Some(ids.flags));
        }
    }
}

impl LogProcessor for JobLogProcessor {
    fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
        if record.trace_context().is_none() {
            self.add_ids(record);
        }
        let Some(job) = ambient::ambient_job() else { return };
        for (key, value) in job.record_stamps(&self.keys) {
            if !record.attributes_iter().any(|(known, _)| *known == key) {
                record.add_attribute(key, value);
            }
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
