//! Records for any OpenTelemetry `LoggerProvider`, and with it every SDK processor and exporter.
//!
//! A record's scope is its target. A logger of the logs API has one scope, but its records have a
//! target of their own, which the SDK's exporters write as the scope's name. So one logger serves
//! all targets, as in opentelemetry-appender-tracing.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, Severity};
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, Key, SpanId, TraceId};

use crate::diagnostics::report_once;
use crate::forked::ForkedMutex;
use crate::record::inherited::InheritedAttributes;
use crate::record::{Ids, Record, Records, Target};
use crate::stats::Thread;
use crate::value::Value;

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
    type Record<'a> = L::LogRecord;
    type Permit<'a> = ();

    fn is_enabled(&self, severity: Severity, target: &str, name: Option<&'static str>) -> bool {
        self.logger.event_enabled(severity, target, name)
    }

    #[inline]
    fn reserve(&self, _thread: Thread, _severity: Severity) -> Option<()> {
        Some(())
    }

    // `always`: moving a record copies half a kilobyte. So the target is set later, in place.
    #[inline(always)]
    fn open<'a>(&'a self, _permit: (), _target: Target<'a>) -> Self::Record<'a> {
        self.logger.create_log_record()
    }

    #[inline(always)]
    fn emit(&self, record: Self::Record<'_>) -> bool {
        self.logger.emit(record);
        true
    }
}

/// For the logs API's own record type, without a wrapper: taking it out of one would copy it.
impl<R: LogRecord> Record for R {
    fn set_target(&mut self, target: Target<'_>) {
        match target {
            Target::Static(target) => LogRecord::set_target(self, target),
            Target::Borrowed(target) => LogRecord::set_target(self, target.to_owned()),
        }
    }

    fn set_time(&mut self, time: SystemTime) {
        let time = time.max(UNIX_EPOCH);
        self.set_timestamp(time);
        self.set_observed_timestamp(time);
    }

    fn set_severity(&mut self, severity: Severity) {
        self.set_severity_number(severity);
        self.set_severity_text(severity.name());
    }

    fn set_event_name(&mut self, name: &'static str) {
        LogRecord::set_event_name(self, name);
    }

    fn set_run_time_name(&mut self, name: &str) -> bool {
        let kept = keep_name(name);
        if let Some(name) = kept {
            LogRecord::set_event_name(self, name);
        }
        kept.is_some()
    }

    fn set_trace_context(&mut self, ids: Option<&Ids>) {
        match ids {
            Some(ids) => {
                LogRecord::set_trace_context(self, ids.trace_id, ids.span_id, Some(ids.flags));
            }
            // `SdkLogger::emit` fills in the active span's context if the record has none. An
            // invalid context, which OTLP defines as none, prevents that. Where no span is active,
            // the field can stay unset.
            None if Context::map_current(TraceContextExt::has_active_span) => {
                LogRecord::set_trace_context(self, TraceId::INVALID, SpanId::INVALID, None);
            }
            None => {}
        }
    }

    fn set_body(&mut self, body: Value<'_>) {
        LogRecord::set_body(self, body.to_owned());
    }

    // `always`: see `EventVisitor::value`.
    #[inline(always)]
    fn add_attribute(&mut self, key: Key, value: Value<'_>) {
        LogRecord::add_attribute(self, key, value.to_owned());
    }

    fn add_inherited(&mut self, inherited: &InheritedAttributes) {
        for (key, value) in &inherited.attributes {
            let value = match value {
                // The usual variant. Its clone can be inlined, that of the whole enum cannot.
                AnyValue::String(text) => AnyValue::String(text.clone()),
                other => other.clone(),
            };
            LogRecord::add_attribute(self, key.clone(), value);
        }
    }

    /// The logs API has no such field. `Stats` counts it.
    fn set_dropped_attributes(&mut self, _count: u32) {}
}

/// How many different names made at run time are kept.
const MAX_NAMES: usize = 512;

/// `name`, kept for the life of the program: the logs API takes a static name only. `None` beyond
/// [`MAX_NAMES`], or in a forked child whose parent held the lock.
fn keep_name(name: &str) -> Option<&'static str> {
    static NAMES: OnceLock<ForkedMutex<HashSet<&'static str>>> = OnceLock::new();
    let mut names = NAMES.get_or_init(ForkedMutex::default).lock()?;
    if let Some(known) = names.get(name) {
        return Some(known);
    }
    if names.len() >= MAX_NAMES {
        report_once(format_args!(
            "the SDK's records take {MAX_NAMES} different `otel.event_name`s made at run time; \
             records with further ones have no name"
        ));
        return None;
    }
    let name: &'static str = Box::leak(name.into());
    names.insert(name);
    Some(name)
}
