//! The traits between the layer and the kinds of record that it can fill.
//!
//! There are two kinds for users, and the layer does not know which one it fills: [`sdk`] emits
//! through any `LoggerProvider`, [`otlp::record`](crate::otlp::record) encodes OTLP bytes. A third
//! feeds the graph's recorder.

pub(crate) mod inherited;
pub(crate) mod sdk;

use std::fmt;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::trace::{SpanContext, TraceFlags};
use opentelemetry::{Key, SpanId, TraceId};
use tracing_core::field::Field;

use crate::format::{with_text, Formatted, Limit};
use crate::keys;
use crate::record::inherited::InheritedAttributes;
use crate::stats::Thread;
use crate::value::Value;
use crate::wire::scalar::{EncodedKey, Scalar};

/// The ids of a record's span. Both are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) flags: TraceFlags,
}

impl Ids {
    /// `None` if the context is invalid: the tracer is a no-op one, or was shut down.
    pub(crate) fn of(span: &SpanContext) -> Option<Self> {
        span.is_valid().then(|| Self {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            flags: span.trace_flags(),
        })
    }
}

/// Encodes inherited attributes once, for all the records that start with them.
pub(crate) type EncodeInherited = fn(&[(Key, AnyValue)]) -> Box<[u8]>;

/// A log record being filled. No method fails: what cannot be kept is counted.
pub trait Record {
    /// Sets the target of the event, for records that are not opened with it.
    fn set_target(&mut self, _target: Target<'_>) {}

    /// Sets the time of the event, which is also the time at which it was observed. A time before
    /// 1970 becomes 0, as OTLP cannot express it.
    fn set_time(&mut self, time: SystemTime);

    /// Sets the severity's number and text. The last call counts.
    fn set_severity(&mut self, severity: Severity);

    /// Sets the name that the user gave to the event.
    fn set_event_name(&mut self, name: &'static str);

    /// Sets a name that was made at run time. False if that is not possible.
    fn set_run_time_name(&mut self, name: &str) -> bool;

    /// Sets the id of the account of the record's job; 0 if it is in none.
    fn set_job(&mut self, _job: u64) {}

    /// Sets the ids. `None`: the record has none, whatever span is current.
    fn set_trace_context(&mut self, ids: Option<&Ids>);

    /// Sets the body. The last call counts.
    fn set_body(&mut self, body: Value<'_>);

    /// Sets the body to a text that is yet to be formatted, by a `Debug` that may panic.
    fn format_body(&mut self, text: fmt::Arguments<'_>) -> Formatted {
        with_text(Limit::NONE, text, |text| self.set_body(Value::Str(text)))
    }

    /// Adds an attribute. The caller makes sure that keys are unique.
    fn add_attribute(&mut self, key: Key, value: Value<'_>);

    /// Adds an attribute for a field of the event's callsite.
    // `always`: see `EventVisitor::value`.
    #[inline(always)]
    fn add_field<'a>(&mut self, field: &Field, _key: &EncodedKey, value: impl Scalar<'a>) {
        self.add_attribute(keys::key(field.name()), value.into());
    }

    /// Adds the inherited attributes. Called at most once, before any other attribute.
    ///
    /// The thread's stack is borrowed during this call, so it must not run user code.
    fn add_inherited(&mut self, inherited: &InheritedAttributes);

    /// Sets how many attributes were dropped because of the limits.
    fn set_dropped_attributes(&mut self, count: u32);
}

/// Makes and emits records of one kind.
pub trait Records: Send + Sync + 'static {
    /// The record.
    type Record<'a>: Record
    where
        Self: 'a;

    /// The right to emit one record. That of the direct kind counts the record as lost if it is
    /// dropped before a record is opened; other kinds cannot refuse a record and have `()`.
    type Permit<'a>
    where
        Self: 'a;

    /// How inherited attributes are encoded for records of this kind.
    fn encode_inherited() -> EncodeInherited {
        |_| Box::default()
    }

    /// Whether anything wants a record like this. Only a logger of the SDK can say no.
    #[inline]
    fn is_enabled(&self, severity: Severity, target: &str, name: Option<&'static str>) -> bool {
        let _ = (severity, target, name);
        true
    }

    /// Asks for the right to emit one record, before any work is done for it. `None`, and counted,
    /// if the record would be dropped.
    fn reserve(&self, thread: Thread, severity: Severity) -> Option<Self::Permit<'_>>;

    /// Starts a record. One of the direct kind that is dropped before it is emitted counts itself
    /// as lost.
    fn open<'a>(&'a self, permit: Self::Permit<'a>, target: Target<'a>) -> Self::Record<'a>;

    /// Counts a record that has no ids, though its event is in a span.
    fn count_without_ids(&self) {}

    /// Counts a record that was refused, for the job with this account; 0 is none.
    fn count_refused(&self, _job: u64) {}

    /// Emits a finished record. False if it was dropped, which is counted below.
    fn emit(&self, record: Self::Record<'_>) -> bool;
}

/// The target of an event: a literal at the callsite, or that of a `log` record, which may be made
/// at run time.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Lives as long as the program.
    Static(&'static str),
    /// Lives as long as the event.
    Borrowed(&'a str),
}

/// Every severity, in the order of their numbers, which begin at 1.
pub(crate) const ALL_SEVERITIES: [Severity; 24] = [
    Severity::Trace,
    Severity::Trace2,
    Severity::Trace3,
    Severity::Trace4,
    Severity::Debug,
    Severity::Debug2,
    Severity::Debug3,
    Severity::Debug4,
    Severity::Info,
    Severity::Info2,
    Severity::Info3,
    Severity::Info4,
    Severity::Warn,
    Severity::Warn2,
    Severity::Warn3,
    Severity::Warn4,
    Severity::Error,
    Severity::Error2,
    Severity::Error3,
    Severity::Error4,
    Severity::Fatal,
    Severity::Fatal2,
    Severity::Fatal3,
    Severity::Fatal4,
];

/// The severity of a number in 1..=24.
pub(crate) fn severity_of_number(number: i64) -> Option<Severity> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    ALL_SEVERITIES.get(index).copied()
}

/// The severity of a level: the first of its four.
pub(crate) fn severity_of_level(level: tracing::Level) -> Severity {
    match level {
        tracing::Level::TRACE => Severity::Trace,
        tracing::Level::DEBUG => Severity::Debug,
        tracing::Level::INFO => Severity::Info,
        tracing::Level::WARN => Severity::Warn,
        tracing::Level::ERROR => Severity::Error,
    }
}
