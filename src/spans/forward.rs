//! What the wrapped layer is shown in place of what the program said.

use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use tracing::Metadata;
use tracing_core::field::Value;
use tracing_core::span::Attributes;

use crate::callsite::{span_metadata, Cache, NAME_FIELD};
use crate::correlate::pending_op::PendingOp;
use crate::correlate::span_state::SpanState;

/// Shows the wrapped layer values that were formatted before. It holds the span's lock while it reads them.
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

/// Attributes with the same parent as `original`.
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

/// A captured value as one of tracing's.
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
            // Capturing makes no other kind.
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

/// Shows `forward` the attributes of an op span as if its callsite were the caller's, so that location and
/// target name the caller. The module path cannot be known at run time; the file stands for it as the target.
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
