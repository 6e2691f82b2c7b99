//! The record that the layer fills.
//!
//! Fourth step of the walk. The layer knows this trait only; what stands behind it is one of the
//! kinds of record: [`sdk`](crate::sdk) for any `LoggerProvider`, [`otlp::record`](crate::otlp::record)
//! straight to bytes.

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

/// The ids that a record gets, all valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) flags: TraceFlags,
}

impl Ids {
    /// `None` for the invalid context: of a tracer that was shut down, or of a no-op one.
    pub(crate) fn of(span: &SpanContext) -> Option<Self> {
        span.is_valid().then(|| Self {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            flags: span.trace_flags(),
        })
    }
}

/// Encodes the attributes of a [`InheritedAttributes`].
pub(crate) type Prepare = fn(&[(Key, AnyValue)]) -> Box<[u8]>;

/// One log record being filled. No method fails: what cannot be kept is counted.
pub trait Record {
    /// The target of the event, for records that are not opened with it.
    fn set_target(&mut self, _target: Target<'_>) {}

    /// The time of the event, which is also the time at which it was observed. The clock can be
    /// set before 1970; OTLP has no time for that but 0.
    fn set_time(&mut self, time: SystemTime);

    /// Number and text of the severity.
    fn set_severity(&mut self, severity: Severity);

    /// A name that the user gave to the event.
    fn set_event_name(&mut self, name: &'static str);

    /// The ids. `None` says that there are none, whatever span is current.
    fn set_trace_context(&mut self, ids: Option<&Ids>);

    /// The body. Set at most once.
    fn set_body(&mut self, body: Value<'_>);

    /// The body, of a text that is still to be formatted, by a `Debug` that may panic.
    fn format_body(&mut self, text: fmt::Arguments<'_>) -> Formatted {
        with_text(Limit::NONE, text, |text| self.set_body(Value::Str(text)))
    }

    /// One attribute. The caller sees to it that keys are unique.
    fn add_attribute(&mut self, key: Key, value: Value<'_>);

    /// One attribute, for a field of the event's callsite.
    // Always: see `EventVisitor::value`.
    #[inline(always)]
    fn add_field<'a>(&mut self, field: &Field, _key: &EncodedKey, value: impl Scalar<'a>) {
        self.add_attribute(keys::key(field.name()), value.into());
    }

    /// Adds everything that the record inherits. Called at most once, before any other attribute.
    ///
    /// The thread's stack is borrowed meanwhile: this runs no user code.
    fn add_inherited(&mut self, inherited: &InheritedAttributes);

    /// How many attributes the limits cut.
    fn set_dropped_attributes(&mut self, count: u32);
}

/// Makes and takes the records of one kind.
pub trait Records: Send + Sync + 'static {
    /// The record.
    type Record<'a>: Record
    where
        Self: 'a;

    /// Room for one record. Dropped before a record is opened in it, it counts the record as lost.
    type Permit<'a>
    where
        Self: 'a;

    /// Encodes inherited attributes once, for records that can use that.
    fn prepare() -> Prepare {
        |_| Box::default()
    }

    /// Whether a record like this is wanted at all.
    fn is_enabled(&self, severity: Severity, target: &str, name: Option<&'static str>) -> bool;

    /// Reserves room for one record. `None` if there is no room, which is counted.
    fn reserve(&self, thread: Thread) -> Option<Self::Permit<'_>>;

    /// An empty record in the room that was reserved. Dropped before it is emitted, it counts itself as lost.
    fn open<'a>(&'a self, permit: Self::Permit<'a>, target: Target<'a>) -> Self::Record<'a>;

    /// Takes a finished record.
    fn emit(&self, record: Self::Record<'_>);
}

/// The target of an event: a literal of the callsite, or that of a `log` record, which may be made up at run time.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Lives for the program.
    Static(&'static str),
    /// Lives for the event.
    Short(&'a str),
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
