//! Attribute values and record bodies as text.
//!
//! There is one writer, whatever a value comes from: the SDK, the layer, JSON or protobuf. So a job
//! looks the same live and read back. A value on its own is written as it is, bytes in base64;
//! inside a list or a map it is written as JSON, a map in the order of its keys.

use std::mem::size_of;

use base64::prelude::{Engine, BASE64_STANDARD};
use opentelemetry::logs::AnyValue;
use opentelemetry::{Array, Value};

/// The longest text of one value; what is longer is truncated and ends with `…`.
const MAX_BYTES: usize = 1 << 20;

/// The most that is kept of the elements of a list or a map, of the attributes of a span or record,
/// of the events of a span, or of its links.
pub(super) const MAX_BYTES_TOGETHER: usize = 4 << 20;

/// How deep lists and maps are written; what is nested deeper becomes `…`.
pub(crate) const MAX_DEPTH: usize = 16;

/// A value as text. The default is that of an absent value: no text, and `null` inside a list or a
/// map.
#[derive(Debug, Default)]
pub(crate) struct ValueText {
    pub(crate) text: String,
    /// Inside a list or a map a string is quoted.
    is_string: bool,
    pub(crate) is_truncated: bool,
}

impl ValueText {
    pub(crate) fn string(text: impl Into<String>) -> Self {
        Self { is_string: true, ..Self::literal(text.into()) }
    }

    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        Self::string(BASE64_STANDARD.encode(bytes))
    }

    /// JSON has no infinities and no NaN: OTLP/JSON writes these names.
    pub(crate) fn double(value: f64) -> Self {
        match value {
            f64::INFINITY => Self::literal("Infinity"),
            f64::NEG_INFINITY => Self::literal("-Infinity"),
            value => Self::literal(value),
        }
    }

    /// A boolean or a number, which is not quoted anywhere.
    pub(crate) fn literal(value: impl ToString) -> Self {
        let mut text = value.to_string();
        let is_truncated = text.len() > MAX_BYTES;
        if is_truncated {
            text.truncate(text.floor_char_boundary(MAX_BYTES));
            text.push('…');
            text.shrink_to_fit();
        }
        Self { text, is_string: false, is_truncated }
    }

    /// In place of a list or a map that is nested deeper than [`MAX_DEPTH`].
    pub(crate) fn too_deep() -> Self {
        Self::literal("…")
    }

    fn any(value: &AnyValue, depth: usize) -> Self {
        match value {
            AnyValue::Boolean(value) => Self::literal(value),
            AnyValue::Int(value) => Self::literal(value),
            AnyValue::Double(value) => Self::double(*value),
            AnyValue::String(value) => Self::string(value.as_str()),
            AnyValue::Bytes(value) => Self::bytes(value),
            AnyValue::ListAny(_) | AnyValue::Map(_) if depth == MAX_DEPTH => Self::too_deep(),
            AnyValue::ListAny(values) => list(values.iter(), |value| Self::any(value, depth + 1)),
            AnyValue::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| (key.to_string(), Self::any(value, depth + 1)));
                entries.collect::<Values>().into_map()
            }
            _ => Self::default(),
        }
    }

    fn into_json(self) -> String {
        match self.text.as_str() {
            // A string is always valid JSON.
            text if self.is_string => serde_json::to_string(text).unwrap_or_default(),
            "" => "null".to_owned(),
            _ => self.text,
        }
    }
}

impl From<&AnyValue> for ValueText {
    fn from(value: &AnyValue) -> Self {
        Self::any(value, 0)
    }
}

/// The value of a span's attribute.
impl From<&Value> for ValueText {
    fn from(value: &Value) -> Self {
        match value {
            Value::Bool(value) => Self::literal(value),
            Value::I64(value) => Self::literal(value),
            Value::F64(value) => Self::double(*value),
            Value::String(value) => Self::string(value.as_str()),
            Value::Array(Array::Bool(values)) => list(values, Self::literal),
            Value::Array(Array::I64(values)) => list(values, Self::literal),
            Value::Array(Array::F64(values)) => list(values, |value| Self::double(*value)),
            Value::Array(Array::String(values)) => list(values, |value| Self::string(value.as_str())),
            _ => Self::default(),
        }
    }
}

fn list<T>(values: impl IntoIterator<Item = T>, text: impl Fn(T) -> ValueText) -> ValueText {
    let values = values.into_iter().map(|value| (String::new(), text(value)));
    values.collect::<Values>().into_list()
}

/// Attributes, the entries of a map, or the elements of a list, which have no keys; up to a limit.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) pairs: Vec<(String, String)>,
    bytes: usize,
    /// Whether they are part of a list or a map, and so written as JSON.
    is_nested: bool,
    /// Whether a value was truncated or dropped.
    pub(crate) is_truncated: bool,
}

impl Values {
    pub(crate) fn nested() -> Self {
        Self { is_nested: true, ..Self::default() }
    }

    pub(crate) fn push(&mut self, key: String, value: ValueText) {
        let is_truncated = value.is_truncated;
        let text = if self.is_nested { value.into_json() } else { value.text };
        let bytes = size_of::<(String, String)>() + key.len() + text.len();
        let fits = self.bytes + bytes <= MAX_BYTES_TOGETHER;
        self.is_truncated |= is_truncated || !fits;
        if fits {
            self.bytes += bytes;
            self.pairs.push((key, text));
        }
    }

    /// The value of `key`; the last one, if it is there more than once.
    pub(crate) fn find(&self, key: &str) -> Option<&str> {
        let found = self.pairs.iter().rfind(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn into_list(self) -> ValueText {
        let items: Vec<_> = self.pairs.into_iter().map(|(_, json)| json).collect();
        let value = ValueText::literal(format!("[{}]", items.join(",")));
        ValueText { is_truncated: value.is_truncated || self.is_truncated, ..value }
    }

    pub(crate) fn into_map(mut self) -> ValueText {
        self.pairs.sort_by(|(key, _), (other, _)| key.cmp(other));
        let entries =
            self.pairs.into_iter().map(|(key, json)| ValueText::string(key).into_json() + ":" + &json);
        let entries: Vec<_> = entries.collect();
        let value = ValueText::literal(format!("{{{}}}", entries.join(",")));
        ValueText { is_truncated: value.is_truncated || self.is_truncated, ..value }
    }
}

/// Those of a list or a map.
impl FromIterator<(String, ValueText)> for Values {
    fn from_iter<T: IntoIterator<Item = (String, ValueText)>>(pairs: T) -> Self {
        let mut values = Self::nested();
        pairs.into_iter().for_each(|(key, value)| values.push(key, value));
        values
    }
}
