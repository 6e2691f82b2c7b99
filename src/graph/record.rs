//! A log record as plain data, its level, and counts of records by level.

use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::logs::SdkLogRecord;

use super::attributes::{attribute_bytes, last_value};
use super::call::Ids;
use super::moment::unix_nano;
use super::value::ValueText;

/// A log record of a [`ToolCallGraph`](super::ToolCallGraph).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord {
    /// The trace id, if there is one.
    pub trace_id: Option<TraceId>,
    /// The id of the span that the record was emitted in, if there is one.
    pub span_id: Option<SpanId>,
    /// Nanoseconds since the Unix epoch; 0 if unknown.
    pub time_unix_nano: u64,
    /// The severity.
    pub level: RecordLevel,
    /// The name of the instrumentation scope: the event's target.
    pub target: String,
    /// The event name; empty if there is none.
    pub event_name: String,
    /// The body: the message.
    pub body: String,
    /// The record's attributes in their original order, each value as text.
    pub attributes: Vec<(String, String)>,
}

impl LogRecord {
    /// A record of the SDK. `None` for one of a span that is not sampled: the recorder never sees
    /// that span.
    pub(super) fn of_sdk(record: &SdkLogRecord) -> Option<Self> {
        let ids = record.trace_context().filter(|ids| ids.span_id != SpanId::INVALID);
        if ids.is_some_and(|ids| !ids.trace_flags.is_some_and(|flags| flags.is_sampled())) {
            return None;
        }
        let time = record.timestamp().or(record.observed_timestamp());
        let level = record.severity_number().map(|number| RecordLevel::of_number(number as i64));
        let attributes = record.attributes_iter();
        let attributes = attributes.map(|(key, value)| (key.to_string(), ValueText::from(value).text));
        Some(Self {
            trace_id: ids.map(|ids| ids.trace_id),
            span_id: ids.map(|ids| ids.span_id),
            time_unix_nano: time.map_or(0, unix_nano),
            level: level.unwrap_or_default(),
            target: record.target().map(|target| target.to_string()).unwrap_or_default(),
            event_name: record.event_name().unwrap_or_default().to_owned(),
            body: record.body().map(|body| ValueText::from(body).text).unwrap_or_default(),
            attributes: attributes.collect(),
        })
    }

    /// The message, or else the name of the event.
    pub fn text(&self) -> &str {
        if self.body.is_empty() {
            &self.event_name
        } else {
            &self.body
        }
    }

    /// The value of an attribute; of several the last one.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        last_value(&self.attributes, key)
    }

    /// The bytes of all its texts.
    pub(super) fn text_bytes(&self) -> usize {
        self.target.len() + self.event_name.len() + self.body.len() + attribute_bytes(&self.attributes)
    }

    pub(super) fn ids(&self) -> Option<Ids> {
        self.trace_id.zip(self.span_id)
    }
}

/// The time of a record, or else the time at which it was observed.
pub(super) fn first_known(time_unix_nano: u64, observed_unix_nano: u64) -> u64 {
    match time_unix_nano {
        0 => observed_unix_nano,
        known => known,
    }
}

/// The severity of a record: a range of severity numbers of the [data model].
///
/// [data model]: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordLevel {
    /// The record has none.
    #[default]
    Unspecified,
    /// 1 to 4.
    Trace,
    /// 5 to 8.
    Debug,
    /// 9 to 12.
    Info,
    /// 13 to 16.
    Warn,
    /// 17 to 20.
    Error,
    /// 21 to 24.
    Fatal,
}

impl RecordLevel {
    /// All levels, least severe first.
    pub const ALL: [Self; 7] =
        [Self::Unspecified, Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// The level of a severity number; [`Unspecified`](Self::Unspecified) outside 1 to 24.
    pub fn of_number(number: i64) -> Self {
        match number {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            _ => Self::Unspecified,
        }
    }

    /// The level of a record: by its severity number, or else by its text, if that is a level's
    /// name.
    pub(super) fn of_record(number: i64, text: &str) -> Self {
        match Self::of_number(number) {
            Self::Unspecified => {
                let named = Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text));
                named.unwrap_or_default()
            }
            level => level,
        }
    }

    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// Numbers of records by level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts([u64; RecordLevel::ALL.len()]);

impl RecordCounts {
    pub(super) fn add(&mut self, level: RecordLevel) {
        self.0[level as usize] += 1;
    }

    /// The number of records of one level.
    pub fn of(&self, level: RecordLevel) -> u64 {
        self.0[level as usize]
    }

    /// The number of all records.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl std::ops::AddAssign for RecordCounts {
    fn add_assign(&mut self, other: Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other;
        }
    }
}
