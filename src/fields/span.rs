//! The fields of a span, each formatted once for all our layers.

use std::error::Error;
use std::fmt;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, KeyValue};
use tracing_core::field::Field;
use tracing_core::span::{Attributes, Record as SpanRecord};

use crate::fields::{Fields, Sink};
use crate::format::{with_text, Formatted, Limit};
use crate::keys::{self, is_control};
use crate::value::{any_value, shared, Value};
use crate::wire::scalar::Scalar;

/// The fields of a span, each formatted once.
#[derive(Debug, Default)]
pub(crate) struct SpanFieldValues {
    fields: Vec<(Key, AnyValue)>,
    /// By index in the span's field set, control fields included: what a span layer is shown instead of the
    /// original values. `None`: it is shown the originals.
    replacements: Option<Vec<Option<AnyValue>>>,
}

impl SpanFieldValues {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Key, AnyValue)> {
        self.fields.iter()
    }

    /// Adds attributes with names made at run time, which tracing's static field sets cannot hold.
    pub(crate) fn append(&mut self, attributes: &[KeyValue]) {
        for attribute in attributes.iter().filter(|attribute| !is_control(attribute.key.as_str())) {
            let value = any_value(attribute.value.clone());
            self.fields.push((attribute.key.clone(), value));
        }
    }

    /// What a span layer must be shown instead of the original values: it would run the user code that formats
    /// them once more, with the span locked.
    pub(crate) fn replacements(&self) -> Option<&[Option<AnyValue>]> {
        self.replacements.as_deref()
    }
}

/// Reads the fields of a span that is being created.
pub(crate) fn capture(attributes: &Attributes<'_>) -> SpanFieldValues {
    let count = attributes.metadata().fields().len();
    let mut visitor = Fields(CaptureSink::new(count));
    attributes.record(&mut visitor);
    let CaptureSink { fields, by_index, has_formatted, has_error, has_failed } = visitor.0;
    // An error is shown as it is, for its chain, unless formatting a value of the span failed.
    let replacements = (has_formatted && (!has_error || has_failed)).then_some(by_index);
    SpanFieldValues { fields, replacements }
}

/// Reads the values that `Span::record` gives.
pub(crate) fn capture_later(values: &SpanRecord<'_>) -> Vec<(Key, AnyValue)> {
    let mut visitor = Fields(CaptureSink::new(0));
    values.record(&mut visitor);
    visitor.0.fields
}

/// Keeps a span's values, owned so that every record can share them.
#[derive(Debug)]
struct CaptureSink {
    fields: Vec<(Key, AnyValue)>,
    by_index: Vec<Option<AnyValue>>,
    /// User code formatted a value.
    has_formatted: bool,
    has_error: bool,
    /// A value could not be formatted completely. It is not counted: the layer's counters are for events.
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
