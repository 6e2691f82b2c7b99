//! [`Record`]: a log record that a capture has.

use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::{SpanId, TraceId};

use crate::testing::stamps;

/// A log record of a test.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record {
    /// The message; empty if there is none. A body that is no string is its text.
    pub body: String,
    /// The severity: that of the event's level, or of `otel.severity_number`.
    pub severity: Severity,
    /// The event name; empty if there is none.
    pub event_name: String,
    /// The event's target.
    pub target: String,
    /// The attributes in their order: stamps, inherited fields, the event's own.
    pub attributes: Vec<(String, AnyValue)>,
    /// The trace id; `None` outside any span.
    pub trace_id: Option<TraceId>,
    /// The id of the record's span; `None` outside any span.
    pub span_id: Option<SpanId>,
    /// When the event was logged.
    pub time: SystemTime,
    /// How many attributes were dropped by the attribute count limit.
    pub dropped_attributes: u32,
    /// How many values were truncated to the value length limit.
    pub truncated_values: u32,
    pub(crate) place: Place,
}

/// Where an event was logged, as far as its ids are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// Outside any span.
    #[default]
    Outside,
    /// In the span that its ids name.
    Inside,
    /// In the span that its ids name, which is of another process.
    Remote,
    /// In the span of this name, which is not that of its ids.
    Elsewhere(String),
}

impl Record {
    pub(crate) fn new(target: &str) -> Self {
        Self {
            body: String::new(),
            severity: Severity::Info,
            event_name: String::new(),
            target: target.to_owned(),
            attributes: Vec::new(),
            trace_id: None,
            span_id: None,
            time: SystemTime::UNIX_EPOCH,
            dropped_attributes: 0,
            truncated_values: 0,
            place: Place::default(),
        }
    }

    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&AnyValue> {
        stamps::find(&self.attributes, key)
    }

    /// The value of an attribute that is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        stamps::text(&self.attributes, key)
    }

    /// The value of an attribute that is an integer.
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.attribute(key)? {
            AnyValue::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The id of the job that it was logged in.
    pub fn job_id(&self) -> Option<&str> {
        stamps::job_id(&self.attributes)
    }
}
