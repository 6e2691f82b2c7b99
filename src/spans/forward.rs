//! What the wrapped layer is shown in place of what the program said.

use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use tracing::Metadata;
use tracing_core::field::Value;
use tracing_core::span::Attributes;

use crate::callsite::{span_metadata, Cache, NAME_FIELD};
use crate::correlate::op_seed::OpSeed;
use crate::correlate::span_state::SpanState;

/// Shows the wrapped layer values that were formatted before. It holds the span's lock while it reads them.
pub(crate) fn with_shown(
    state: &SpanState,
    attributes: &Attributes<'_>,
    forward: impl FnOnce(&Attributes<'_>),
) {
    let Some(shown) = state.fields.shown() else { return forward(attributes) };
    let strings: Vec<Option<Shown<'_>>> = shown.iter().map(|value| value.as_ref().map(Shown::of)).collect();
    let values: Vec<Option<&dyn Value>> =
        strings.iter().map(|value| value.as_ref().map(Shown::as_value)).collect();
    let metadata = attributes.metadata();
    let values = metadata.fields().value_set_all(&values);
    forward(&like(attributes, metadata, &values));
}

/// Attributes with the same parent as `original`.
pub(crate) fn like<'a>(
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
enum Shown<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Shown<'a> {
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
    seed: &Arc<OpSeed>,
    original: &Attributes<'_>,
    forward: impl FnOnce(&Attributes<'_>),
) {
    static CALLERS: Cache<(&'static str, u32), Metadata<'static>> = Cache::new();
    let Some(caller) = seed.caller else { return forward(original) };
    let metadata = CALLERS
        .get((caller.file(), caller.line()), || span_metadata("op", caller.file(), NAME_FIELD, Some(caller)));
    let name = Some(&seed.name as &dyn Value);
    let values = [name];
    let values = metadata.fields().value_set_all(&values);
    forward(&like(original, metadata, &values));
}
