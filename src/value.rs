//! Attribute values: borrowed ones on their way into a record, and owned ones made from span
//! attributes.

use opentelemetry::logs::AnyValue;
use opentelemetry::{Array, StringValue};

/// A value on its way into a record. Borrowed, so that each kind of record copies it only once.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A boolean.
    Bool(bool),
    /// A signed integer. Unsigned and wider ones that do not fit become decimal strings.
    I64(i64),
    /// A double, NaN and infinities included.
    F64(f64),
    /// A string, or the text of a `Debug` or `Display`.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An owned value, of a span or a job for example.
    Any(&'a AnyValue),
}

macro_rules! from {
    ($($variant:ident($type:ty);)*) => {
        $(impl<'a> From<$type> for Value<'a> {
            #[inline(always)]
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        })*
    };
}

from! {
    Bool(bool);
    I64(i64);
    F64(f64);
    Str(&'a str);
    Bytes(&'a [u8]);
}

impl Value<'_> {
    /// Clones the value into owned memory. A string takes one allocation of exactly its size.
    // `always`: see `EventVisitor::value`.
    #[inline(always)]
    pub(crate) fn to_owned(self) -> AnyValue {
        match self {
            Self::Bool(value) => AnyValue::Boolean(value),
            Self::I64(value) => AnyValue::Int(value),
            Self::F64(value) => AnyValue::Double(value),
            Self::Str(value) => AnyValue::String(String::from(value).into()),
            Self::Bytes(value) => AnyValue::Bytes(Box::new(value.to_vec())),
            Self::Any(value) => value.clone(),
        }
    }
}

/// Converts a span attribute's value to a record's.
pub(crate) fn any_value(value: opentelemetry::Value) -> AnyValue {
    use opentelemetry::Value as V;
    match value {
        V::Bool(value) => value.into(),
        V::I64(value) => value.into(),
        V::F64(value) => value.into(),
        V::String(value) => AnyValue::String(shared(value.as_str())),
        V::Array(Array::Bool(values)) => values.into_iter().collect(),
        V::Array(Array::I64(values)) => values.into_iter().collect(),
        V::Array(Array::F64(values)) => values.into_iter().collect(),
        V::Array(Array::String(values)) => values.into_iter().collect(),
        // Both enums are non-exhaustive. The text of an unknown variant is kept.
        other => AnyValue::String(other.to_string().into()),
    }
}

/// Converts a value to that of an attribute of a span or its events. Bytes, which it cannot have, become
/// the text that tracing shows them as.
pub(crate) fn span_value(value: Value<'_>) -> opentelemetry::Value {
    match value {
        Value::Bool(value) | Value::Any(&AnyValue::Boolean(value)) => value.into(),
        Value::I64(value) | Value::Any(&AnyValue::Int(value)) => value.into(),
        Value::F64(value) | Value::Any(&AnyValue::Double(value)) => value.into(),
        Value::Str(text) => text.to_owned().into(),
        Value::Any(AnyValue::String(text)) => text.clone().into(),
        Value::Bytes(bytes) => format!("{bytes:02x?}").replace(',', "").into(),
        // Lists and maps, which fields never are, but those of a `trace` entry may be.
        Value::Any(other) => format!("{other:?}").into(),
    }
}

/// A string whose clones share one allocation, as each record of a span clones it.
pub(crate) fn shared(text: &str) -> StringValue {
    std::sync::Arc::<str>::from(text).into()
}
