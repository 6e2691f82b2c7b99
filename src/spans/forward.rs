//! Attributes that the wrapped layer gets in place of a span's original ones.

use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use tracing::Metadata;
use tracing_core::field::Value;
use tracing_core::span::Attributes;

use crate::callsite::{span_metadata, Cache, NAME_FIELD};
use crate::correlate::pending_op::PendingOp;
use crate::correlate::span_state::SpanState;

/// Passes `forward` the values that were captured when the span was created. The wrapped layer
/// reads values while it holds the span's lock, and formatting the originals would run user code
/// there.
pub(crate) fn with_captured_values(
    state: &SpanState,
    attributes: &Attributes<'_>,
    forward: impl FnOnce(&Attributes<'_>),
) {
    let Some(replacements) = state.fields.replacements() else { return forward(attributes) };
    let captured: Vec<Option<CapturedValue<'_>>> =
        replacements.iter().map(|value| value.as_ref().map(CapturedValue::of)).collect();
    let values: Vec<Option<&dyn Value>> =
        captured.iter().map(|value| value.as_ref().map(CapturedValue::as_value)).collect();
    let metadata = attributes.metadata();
    let values = metadata.fields().value_set_all(&values);
    forward(&with_same_parent(attributes, metadata, &values));
}

/// Attributes with other values and the parent of `original`.
pub(crate) fn with_same_parent<'a>(
    original: &Attributes<'_>,
    metadata: &'static Metadata<'static>,
    values: &'a tracing_core::field::ValueSet<'a>,
) -> Attributes<'a> {
    match original.parent() {
        Some(parent) => Attributes::child_of(parent.clone(), metadata, values),
        None if original.is_root() => Attributes::new_root(metadata, values),
        None => Attributes::new(metadata, values),
    }
}

/// A captured value, as tracing's type for it.
enum CapturedValue<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> CapturedValue<'a> {
    fn of(value: &'a AnyValue) -> Self {
        match value {
            AnyValue::Boolean(value) => Self::Bool(*value),
            AnyValue::Int(value) => Self::Int(*value),
            AnyValue::Double(value) => Self::Double(*value),
            AnyValue::String(value) => Self::Str(value.as_str()),
            AnyValue::Bytes(value) => Self::Bytes(value),
            // Capturing makes no other variant.
            _ => Self::Str(""),
        }
    }

    fn as_value(&self) -> &dyn Value {
        match self {
            Self::Bool(value) => value,
            Self::Int(value) => value,
            Self::Double(value) => value,
            Self::Str(value) => value,
            Self::Bytes(value) => value,
        }
    }
}

/// Passes `forward` the attributes of an op's span with a callsite at the op's caller, so that
/// location and target are the caller's. The caller's module path is unknown at run time, so the
/// target is its file.
pub(crate) fn with_caller(
    pending: &Arc<PendingOp>,
    original: &Attributes<'_>,
    forward: impl FnOnce(&Attributes<'_>),
) {
    static CALLERS: Cache<(&'static str, u32), Metadata<'static>> = Cache::new();
    let Some(caller) = pending.caller else { return forward(original) };
    let metadata = CALLERS
        .get((caller.file(), caller.line()), || span_metadata("op", caller.file(), NAME_FIELD, Some(caller)));
    let name = Some(&pending.name as &dyn Value);
    let values = [name];
    let values = metadata.fields().value_set_all(&values);
    forward(&with_same_parent(original, metadata, &values));
}
