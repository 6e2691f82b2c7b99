//! The kind of record that any OpenTelemetry `LoggerProvider` takes, and with it every SDK processor and exporter.
//!
//! The scope of a record is its target. The logs API has one logger for one scope, but also a
//! target on the record, which the SDK's exporters write as the scope's name; one logger serves all
//! targets that way, as it does in opentelemetry-appender-tracing.

use std::time::{Duration, SystemTime};

use opentelemetry::logs::{LogRecord, Logger, Severity};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, Key, SpanId, TraceId};

use crate::correlate::Ids;
use crate::inherit::Block;
use crate::record::{Record, Records, Target, Value};

/// Records of one logger.
#[derive(Debug)]
pub struct SdkRecords<L> {
    logger: L,
}

impl<L> SdkRecords<L> {
    pub(crate) fn new(logger: L) -> Self {
        Self { logger }
    }
}

impl<L> Records for SdkRecords<L>
where
    L: Logger + Send + Sync + 'static,
{
    type Record<'a> = SdkRecord<L::LogRecord>;

    fn is_enabled(&self, severity: Severity, target: &str, name: Option<&'static str>) -> bool {
        self.logger.event_enabled(severity, target, name)
    }

    fn open<'a>(&'a self, target: Target<'a>) -> Self::Record<'a> {
        let mut record = self.logger.create_log_record();
        match target {
            Target::Static(target) => record.set_target(target),
            Target::Short(target) => record.set_target(target.to_owned()),
        }
        SdkRecord { record }
    }

    fn emit<'a>(&'a self, record: Self::Record<'a>) {
        self.logger.emit(record.record);
    }
}

/// A record of the SDK, or of another implementation of the logs API.
#[derive(Debug)]
pub struct SdkRecord<R> {
    record: R,
}

impl<R: LogRecord> Record for SdkRecord<R> {
    fn set_unix_nanos(&mut self, unix_nanos: u64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(unix_nanos);
        self.record.set_timestamp(time);
        self.record.set_observed_timestamp(time);
    }

    fn set_severity(&mut self, severity: Severity) {
        self.record.set_severity_number(severity);
        self.record.set_severity_text(severity.name());
    }

    fn set_event_name(&mut self, name: &'static str) {
        self.record.set_event_name(name);
    }

    fn set_trace_context(&mut self, ids: Option<Ids>) {
        match ids {
            Some(ids) => self.record.set_trace_context(ids.trace_id, ids.span_id, Some(ids.flags)),
            // `SdkLogger::emit` gives a record without a trace context that of the active span. The
            // invalid one, which OTLP defines as none, stops it; where no span is active none is better.
            None if Context::map_current(TraceContextExt::has_active_span) => {
                self.record.set_trace_context(TraceId::INVALID, SpanId::INVALID, None);
            }
            None => {}
        }
    }

    fn set_body(&mut self, body: Value<'_>) {
        self.record.set_body(body.to_owned());
    }

    fn add_block(&mut self, block: &Block) {
        for (key, value) in &block.attributes {
            self.record.add_attribute(key.clone(), value.clone());
        }
    }

    fn add_attribute(&mut self, key: Key, value: Value<'_>) {
        self.record.add_attribute(key, value.to_owned());
    }

    /// The SDK's record has no place for it; `Stats` counts it.
    fn set_dropped_attributes(&mut self, _count: u32) {}
}
