//! The SDK's log records as plain data.

use opentelemetry_sdk::logs::SdkLogRecord;

use crate::graph::call::unix_nano;
use crate::graph::record::{Level, LogRecord};
use crate::graph::value::ValueText;

/// `None` for a record of a span that is not sampled: the recorder never sees that span.
pub(super) fn of_sdk(record: &SdkLogRecord) -> Option<LogRecord> {
    let ids = record.trace_context().filter(|ids| ids.span_id != opentelemetry::SpanId::INVALID);
    if ids.is_some_and(|ids| !ids.trace_flags.is_some_and(|flags| flags.is_sampled())) {
        return None;
    }
    let time = record.timestamp().or(record.observed_timestamp());
    let attributes = record.attributes_iter();
    Some(LogRecord {
        trace_id: ids.map(|ids| ids.trace_id),
        span_id: ids.map(|ids| ids.span_id),
        time_unix_nano: time.map_or(0, unix_nano),
        level: record.severity_number().map_or(Level::Unspecified, |number| Level::of_number(number as i64)),
        target: record.target().map_or_else(String::new, |target| target.to_string()),
        event_name: record.event_name().unwrap_or_default().to_owned(),
        body: record.body().map_or_else(String::new, |body| ValueText::from(body).text),
        attributes: attributes.map(|(key, value)| (key.to_string(), ValueText::from(value).text)).collect(),
    })
}
