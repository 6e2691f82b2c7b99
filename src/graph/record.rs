//! One log record of the graph, as plain data, and how many there are of each level.

use opentelemetry::{SpanId, TraceId};

/// A log record that was emitted inside a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord {
    /// The record's trace; `None` if it has none.
    pub trace_id: Option<TraceId>,
    /// The span that it was emitted in; `None` if it has none.
    pub span_id: Option<SpanId>,
    /// Nanoseconds since the Unix epoch; 0 if unknown.
    pub time_unix_nano: u64,
    /// How severe it is.
    pub level: Level,
    /// The name of the scope: the event's target.
    pub target: String,
    /// The name that the user gave the event; empty if none.
    pub event_name: String,
    /// The message.
    pub body: String,
    /// The record's attributes, in their order, each value as text.
    pub attributes: Vec<(String, String)>,
}

/// The range that a severity number falls into, by the [data model]'s table.
///
/// [data model]: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The record says nothing of it.
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

impl Level {
    /// Every level, the least severe first.
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

    /// The level of a record: by its number, else by its text, which need not be a level's name.
    pub(super) fn of_record(number: i64, text: &str) -> Self {
        match Self::of_number(number) {
            Self::Unspecified => {
                let named = Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(text));
                named.unwrap_or_default()
            }
            level => level,
        }
    }

    /// In lower case.
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

/// How many records there are of each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts([u64; Level::ALL.len()]);

impl RecordCounts {
    pub(super) fn add(&mut self, level: Level) {
        self.0[level as usize] += 1;
    }

    /// Those of one level.
    pub fn of(&self, level: Level) -> u64 {
        self.0[level as usize]
    }

    /// All of them.
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
