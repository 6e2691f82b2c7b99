//! Plain data of the SDK's records.

use std::fmt::Write;

use opentelemetry::logs::AnyValue;
use opentelemetry_sdk::logs::SdkLogRecord;

use crate::graph::call::unix_nano;
use crate::graph::record::{Level, LogRecord};

/// `None` for one of a span that is not sampled: that span never comes.
pub(super) fn of_sdk(record: &SdkLogRecord) -> Option<LogRecord> {
    let ids = record.trace_context().filter(|ids| ids.span_id != opentelemetry::SpanId::INVALID);
    if ids.is_some_and(|ids| !ids.trace_flags.is_some_and(|flags| flags.is_sampled())) {
        return None;
    }
    let time = record.timestamp().or(record.observed_timestamp());
    Some(LogRecord {
        trace_id: ids.map(|ids| ids.trace_id),
        span_id: ids.map(|ids| ids.span_id),
        time_unix_nano: time.map_or(0, unix_nano),
        level: record.severity_number().map_or(Level::Unspecified, |number| Level::of_number(number as i64)),
        target: record.target().map_or_else(String::new, |target| target.to_string()),
        event_name: record.event_name().unwrap_or_default().to_owned(),
        body: record.body().map_or_else(String::new, text_of),
        attributes: record.attributes_iter().map(|(key, value)| (key.to_string(), text_of(value))).collect(),
    })
}

pub(crate) fn text_of(value: &AnyValue) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = match value {
        AnyValue::Int(value) => write!(text, "{value}"),
        AnyValue::Double(value) => write!(text, "{value}"),
        AnyValue::String(value) => text.write_str(value.as_str()),
        AnyValue::Boolean(value) => write!(text, "{value}"),
        AnyValue::Bytes(value) => write!(text, "{}", value.escape_ascii()),
        AnyValue::ListAny(values) => {
            let values: Vec<_> = values.iter().map(text_of).collect();
            write!(text, "[{}]", values.join(","))
        }
        AnyValue::Map(values) => {
            let mut values: Vec<_> =
                values.iter().map(|(key, value)| format!("{key}:{}", text_of(value))).collect();
            values.sort_unstable();
            write!(text, "{{{}}}", values.join(","))
        }
        _ => Ok(()),
    };
    text
}
