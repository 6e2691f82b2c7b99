//! Attribute values in tests: what a test expects, and how a value is shown.

use std::fmt;

use opentelemetry::logs::AnyValue;

use crate::sorted::sort;

/// The value that a test expects of an attribute: made from strings, integers, floats and booleans.
///
/// A value has to be of the same kind: `3` is neither `3.0` nor `"3"`. Integers beyond 64 bits are
/// decimal strings on records, and equal to their number here.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Expected {
    /// A string, or the text of a `Debug` or `Display`.
    Text(String),
    /// An integer of any width.
    Integer(i128),
    /// A float.
    Float(f64),
    /// A boolean.
    Boolean(bool),
}

macro_rules! from {
    ($($type:ty => $variant:ident($convert:expr);)*) => {
        $(impl From<$type> for Expected {
            fn from(value: $type) -> Self {
                Self::$variant($convert(value))
            }
        })*
    };
}

from! {
    &str => Text(str::to_owned);
    String => Text(String::from);
    &String => Text(String::clone);
    bool => Boolean(bool::from);
    f32 => Float(f64::from);
    f64 => Float(f64::from);
    i8 => Integer(i128::from);
    i16 => Integer(i128::from);
    i32 => Integer(i128::from);
    i64 => Integer(i128::from);
    i128 => Integer(i128::from);
    u8 => Integer(i128::from);
    u16 => Integer(i128::from);
    u32 => Integer(i128::from);
    u64 => Integer(i128::from);
    usize => Integer(|value| i128::try_from(value).unwrap_or(i128::MAX));
    isize => Integer(|value| i128::try_from(value).unwrap_or(i128::MAX));
}

impl Expected {
    /// Whether an attribute has this value.
    pub fn matches(&self, value: &AnyValue) -> bool {
        match (self, value) {
            (Self::Text(expected), AnyValue::String(text)) => expected == text.as_str(),
            (Self::Integer(expected), AnyValue::Int(number)) => *expected == i128::from(*number),
            (Self::Integer(expected), AnyValue::String(text)) => {
                i64::try_from(*expected).is_err() && expected.to_string() == text.as_str()
            }
            (Self::Float(expected), AnyValue::Double(number)) => {
                expected == number || (expected.is_nan() && number.is_nan())
            }
            (Self::Boolean(expected), AnyValue::Boolean(value)) => expected == value,
            _ => false,
        }
    }
}

/// As it is written in Rust.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Boolean(value) => write!(f, "{value}"),
        }
    }
}

/// A value as it is written in Rust.
pub(crate) fn shown(value: &AnyValue) -> String {
    match value {
        AnyValue::String(text) => format!("{:?}", text.as_str()),
        AnyValue::Int(number) => number.to_string(),
        AnyValue::Double(number) => format!("{number:?}"),
        AnyValue::Boolean(value) => value.to_string(),
        AnyValue::Bytes(bytes) => format!("{:?}", bytes.as_slice()),
        AnyValue::ListAny(values) => {
            format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        AnyValue::Map(map) => {
            let mut entries: Vec<_> =
                map.iter().map(|(key, value)| format!("{key}: {}", shown(value))).collect();
            sort(&mut entries);
            format!("{{{}}}", entries.join(", "))
        }
        // The enum may grow.
        other => format!("{other:?}"),
    }
}

/// A body as text: a string as it is, without quotes.
pub(crate) fn text(value: &AnyValue) -> String {
    match value {
        AnyValue::String(text) => text.as_str().to_owned(),
        other => shown(other),
    }
}
