//! The fields of a span, formatted once for all layers of this crate.

use std::error::Error;
use std::fmt;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, KeyValue};
use tracing_core::field::{Field, Visit};
use tracing_core::span::Attributes;

use crate::fields::{Fields, Sink};
use crate::format::{with_text, Formatted, Limit};
use crate::keys::{self, is_control};
use crate::value::{any_value, shared, Value};
use crate::wire::scalar::Scalar;

/// The fields of a span, each formatted once.
#[derive(Debug, Default)]
pub(crate) struct SpanFieldValues {
    /// Without control fields.
    fields: Vec<(Key, AnyValue)>,
    /// The values that the wrapped span layer gets in place of the originals, by index in the
    /// span's field set, control fields included. `None`: it gets the originals.
    replacements: Option<Vec<Option<AnyValue>>>,
}

impl SpanFieldValues {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Key, AnyValue)> {
        self.fields.iter()
    }

    /// Adds attributes whose names were made at run time, which tracing's static field sets cannot
    /// hold.
    pub(crate) fn append(&mut self, attributes: &[KeyValue]) {
        for attribute in attributes.iter().filter(|attribute| !is_control(attribute.key.as_str())) {
            let value = any_value(attribute.value.clone());
            self.fields.push((attribute.key.clone(), value));
        }
    }

    /// The values that the wrapped span layer gets in place of the originals. It would format those
    /// a second time, running user code while the span is locked.
    pub(crate) fn replacements(&self) -> Option<&[Option<AnyValue>]> {
        self.replacements.as_deref()
    }
}

/// Captures the fields of a span that is being created.
pub(crate) fn capture(attributes: &Attributes<'_>) -> SpanFieldValues {
    let count = attributes.metadata().fields().len();
    let mut visitor = Fields(CaptureSink::new(count));
    attributes.record(&mut visitor);
    let CaptureSink { fields, by_index, has_formatted, has_error, has_failed } = visitor.0;
    // An error is passed on as it is, for its sources, unless formatting one of the span's values
    // failed.
    let replacements = (has_formatted && (!has_error || has_failed)).then_some(by_index);
    SpanFieldValues { fields, replacements }
}

/// Captures the values that `record` visits: those of a `Span::record` call, or of an event.
pub(crate) fn capture_fields(record: impl FnOnce(&mut dyn Visit)) -> Vec<(Key, AnyValue)> {
    let mut visitor = Fields(CaptureSink::new(0));
    record(&mut visitor);
    visitor.0.fields
}

/// Captures values as owned ones, which all records of the span share.
#[derive(Debug)]
struct CaptureSink {
    /// Without control fields.
    fields: Vec<(Key, AnyValue)>,
    /// By index in the field set, control fields included.
    by_index: Vec<Option<AnyValue>>,
    /// Whether user code formatted a value.
    has_formatted: bool,
    /// Whether a value is an error, whose sources its text lacks.
    has_error: bool,
    /// Whether formatting a value failed or panicked. Not counted, as a layer's counters are about
    /// events.
    has_failed: bool,
}

impl CaptureSink {
    fn new(count: usize) -> Self {
        Self {
            fields: Vec::with_capacity(count),
            by_index: vec![None; count],
            has_formatted: false,
            has_error: false,
            has_failed: false,
        }
    }
}

impl Sink for CaptureSink {
    fn value<'a>(&mut self, field: &Field, value: impl Scalar<'a>) {
        let value = match value.into() {
            Value::Str(value) => AnyValue::String(shared(value)),
            value => value.to_owned(),
        };
        if let Some(slot) = self.by_index.get_mut(field.index()) {
            *slot = Some(value.clone());
        }
        if !is_control(field.name()) {
            self.fields.push((keys::key(field.name()), value));
        }
    }

    fn wide(&mut self, field: &Field, digits: fmt::Arguments<'_>) {
        let formatted = with_text(Limit::NONE, digits, |text| self.value(field, text));
        self.has_failed |= formatted != Formatted::Complete;
    }

    fn text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        self.has_formatted = true;
        self.wide(field, text);
    }

    fn error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        self.has_error = true;
        self.text(field, format_args!("{error}"));
    }
}
