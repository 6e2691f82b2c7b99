//! Values on their way into a record: borrowed ones, and owned ones made of span attributes.

use opentelemetry::logs::AnyValue;
use opentelemetry::{Array, StringValue};

/// A value on its way into a record: borrowed, so that each kind of record copies it once.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A boolean.
    Bool(bool),
    /// A signed integer; unsigned and wider ones that do not fit are decimal strings.
    I64(i64),
    /// A double, NaN and infinities included.
    F64(f64),
    /// A string, or what a `Debug` or `Display` wrote.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A value that was put together before, for a span or a job.
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
    /// The value with its own memory. A string takes one allocation of exactly its size.
    // Always: see `EventVisitor::value`.
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

/// A span attribute's value as a record's.
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
        // Both enums may grow. A value that is new to us is kept readable.
        other => AnyValue::String(other.to_string().into()),
    }
}

/// A string whose clones share one allocation: each record of a span clones it.
pub(crate) fn shared(text: &str) -> StringValue {
    std::sync::Arc::<str>::from(text).into()
}
