//! The fields of a span, each formatted once for all our layers.

use std::error::Error;
use std::fmt;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, KeyValue};
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Record as SpanRecord};

use crate::fields::{Fields, Sink};
use crate::format::{with_text, Formatted, Limit};
use crate::keys;
use crate::keys::is_control;
use crate::value::{any_value, shared, Value};
use crate::wire::scalar::Scalar;

/// The fields of a span, each formatted once.
#[derive(Debug, Default)]
pub(crate) struct SpanFieldValues {
    fields: Vec<(Key, AnyValue)>,
    /// By position in the span's field set, control fields included: what a span layer is shown
    /// instead of the values themselves. `None`: show it the values.
    shown: Option<Vec<Option<AnyValue>>>,
}

impl SpanFieldValues {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Key, AnyValue)> {
        self.fields.iter()
    }

    /// Adds attributes that tracing's static field sets have no room for.
    pub(crate) fn append(&mut self, attributes: &[KeyValue]) {
        for attribute in attributes.iter().filter(|attribute| !is_control(attribute.key.as_str())) {
            let value = any_value(attribute.value.clone());
            self.fields.push((attribute.key.clone(), value));
        }
    }

    /// The values in place of which a span layer may not see the originals, because they are
    /// formatted by user code and it would run that code again, with the span locked.
    pub(crate) fn shown(&self) -> Option<&[Option<AnyValue>]> {
        self.shown.as_deref()
    }
}

/// Reads the fields of a span that is being created.
pub(crate) fn capture(attributes: &Attributes<'_>) -> SpanFieldValues {
    let set = attributes.metadata().fields();
    let mut sink = Fields(CaptureSink::new(set.len()));
    let mut positions = Positions { inner: &mut sink, at: 0 };
    attributes.record(&mut positions);
    let CaptureSink { fields, by_position, formatted, errors, hostile, .. } = sink.0;
    SpanFieldValues {
        fields,
        // An error is shown as it is, for its chain, unless something about the span's values went wrong.
        shown: (formatted && (!errors || hostile)).then_some(by_position),
    }
}

/// Reads the values that `Span::record` gives.
pub(crate) fn capture_later(values: &SpanRecord<'_>) -> Vec<(Key, AnyValue)> {
    let mut sink = Fields(CaptureSink::new(0));
    values.record(&mut sink);
    sink.0.fields
}

/// Keeps a span's values, owned so that every record can share them.
#[derive(Debug)]
struct CaptureSink {
    fields: Vec<(Key, AnyValue)>,
    by_position: Vec<Option<AnyValue>>,
    at: usize,
    formatted: bool,
    errors: bool,
    /// A value could not be formatted as a whole. The layer's counters are for events.
    hostile: bool,
}

impl CaptureSink {
    fn new(count: usize) -> Self {
        Self {
            fields: Vec::with_capacity(count),
            by_position: vec![None; count],
            at: 0,
            formatted: false,
            errors: false,
            hostile: false,
        }
    }

    fn keep(&mut self, name: &'static str, value: AnyValue) {
        if let Some(shown) = self.by_position.get_mut(self.at) {
            *shown = Some(value.clone());
        }
        if !is_control(name) {
            self.fields.push((keys::key(name), value));
        }
    }
}

impl Sink for CaptureSink {
    fn value<'a>(&mut self, field: &Field, value: impl Scalar<'a>) {
        self.keep(
            field.name(),
            match value.into() {
                Value::Str(value) => AnyValue::String(shared(value)),
                value => value.to_owned(),
            },
        );
    }

    fn text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        let formatted = with_text(Limit::NONE, text, |text| self.value(field, text));
        self.hostile |= formatted != Formatted::Whole;
    }

    fn error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        self.errors = true;
        self.text(field, format_args!("{error}"));
    }
}

/// Tells a [`CaptureSink`] which field of the set is being visited, and that user code formats it.
struct Positions<'a> {
    inner: &'a mut Fields<CaptureSink>,
    at: usize,
}

impl Positions<'_> {
    fn note(&mut self, field: &Field) {
        self.at = field.index();
        self.inner.0.at = self.at;
    }
}

macro_rules! forward {
    ($($method:ident($type:ty);)*) => {
        $(fn $method(&mut self, field: &Field, value: $type) {
            self.note(field);
            self.inner.$method(field, value);
        })*
    };
}

impl Visit for Positions<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.note(field);
        self.inner.0.formatted = true;
        self.inner.record_debug(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.note(field);
        self.inner.0.formatted = true;
        self.inner.record_error(field, value);
    }

    forward! {
        record_str(&str);
        record_bool(bool);
        record_i64(i64);
        record_u64(u64);
        record_i128(i128);
        record_u128(u128);
        record_f64(f64);
        record_bytes(&[u8]);
    }
}
