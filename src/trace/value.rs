//! [`Value`] and [`Fields`]: the fields of a span, a logger or an entry.
//!
//! `docs/mapping.md` lists how values are converted.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::fmt::Write;
use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, KeyValue, StringValue};

use crate::diagnostics;
use crate::format::{with_text, Formatted, Limit};
use crate::keys::is_control;
use crate::value::any_value;

/// The value of a field.
///
/// Booleans, integers, floating-point numbers and strings keep their type; integers that do not fit
/// `i64` become exact decimal strings. For everything else, choose how it is formatted:
///
/// ```
/// use spanlog::trace::Value;
///
/// assert_eq!(Value::from(7_u8).to_string(), "7");
/// assert_eq!(Value::from(u64::MAX).to_string(), "18446744073709551615");
/// assert_eq!(Value::display(&std::net::Ipv4Addr::LOCALHOST).to_string(), "127.0.0.1");
/// assert_eq!(Value::debug(&[1, 2]).to_string(), "[1, 2]");
/// assert_eq!(Value::error(&std::io::Error::other("no room")).to_string(), "no room");
/// ```
///
/// `None` is no attribute. It removes an earlier value of the same key.
#[derive(Clone, Debug, PartialEq)]
pub struct Value(Option<opentelemetry::Value>);

impl Value {
    /// The `Display` text of `value`. It is formatted here, once, and a panic is caught.
    pub fn display(value: &(impl fmt::Display + ?Sized)) -> Self {
        Self::text(format_args!("{value}"))
    }

    /// The `Debug` text of `value`. It is formatted here, once, and a panic is caught.
    pub fn debug(value: &(impl fmt::Debug + ?Sized)) -> Self {
        Self::text(format_args!("{value:?}"))
    }

    /// The text of an error, without its sources.
    pub fn error(error: &dyn Error) -> Self {
        Self::text(format_args!("{error}"))
    }

    fn text(text: fmt::Arguments<'_>) -> Self {
        let mut value = Self(None);
        formatted(text, |text| value = text.into());
        value
    }

    fn decimal(number: impl fmt::Display) -> Self {
        number.to_string().into()
    }

    fn any(&self) -> Option<AnyValue> {
        Some(match self.0.as_ref()? {
            // Shares the memory of the string.
            opentelemetry::Value::String(text) => AnyValue::String(text.clone()),
            other => any_value(other.clone()),
        })
    }
}

impl fmt::Display for Value {
    /// Writes nothing for an absent value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => Ok(()),
        }
    }
}

macro_rules! from {
    ($($type:ty => |$value:ident| $make:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $make
            }
        }
    )*};
    (integers $($type:ty)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self(Some(opentelemetry::Value::I64(value.into())))
            }
        }
    )*};
    (wide integers $($type:ty)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                match i64::try_from(value) {
                    Ok(value) => value.into(),
                    Err(_) => Self::decimal(value),
                }
            }
        }
    )*};
}

from!(integers i8 i16 i32 i64 u8 u16 u32);

from!(wide integers isize usize u64 i128 u128);

from! {
    bool => |value| Self(Some(value.into()));
    f32 => |value| f64::from(value).into();
    f64 => |value| Self(Some(value.into()));
    char => |value| (&*value.encode_utf8(&mut [0; 4])).into();
    // Shared, as the span and every entry get a clone.
    &str => |value| StringValue::from(Arc::<str>::from(value)).into();
    String => |value| value.as_str().into();
    &String => |value| value.as_str().into();
    Cow<'_, str> => |value| value.as_ref().into();
    Arc<str> => |value| StringValue::from(value).into();
    StringValue => |value| Self(Some(value.into()));
    opentelemetry::Value => |value| Self(Some(value));
    fmt::Arguments<'_> => |value| Self::text(value);
    &dyn Error => |value| Self::error(value);
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(None), Into::into)
    }
}

/// Formats `text` once and passes it to `read`. A panic is caught: `read` gets what was written
/// before it.
pub(crate) fn formatted(text: fmt::Arguments<'_>, read: impl FnOnce(&str)) {
    if let Formatted::Failed | Formatted::Panicked = with_text(Limit::NONE, text, read) {
        // No layer is at hand to count it.
        diagnostics::report_once(format_args!(
            "a value or message of `spanlog::trace` was cut short: its Display or Debug failed or panicked"
        ));
    }
}

/// Fields of a span, a logger or an entry. Keys are unique.
///
/// ```
/// use spanlog::trace::{Fields, Value};
///
/// let mut fields = Fields::from([("pod", Value::from("web-0")), ("attempt", 1.into())]);
/// fields.set("attempt", 2);
/// assert_eq!(fields.to_string(), "pod=\"web-0\" attempt=2");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<(Key, Value)>);

impl Fields {
    pub(crate) const EMPTY: Self = Self(Vec::new());

    /// No fields.
    pub fn new() -> Self {
        Self::EMPTY
    }

    /// Sets a field. The last value of a key wins, and keeps the place of the first.
    pub fn set(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => self.0.push((key, value)),
        }
    }

    /// These fields and `later` ones, which take precedence.
    #[must_use]
    pub fn merged(&self, later: &Self) -> Self {
        let mut all = self.clone();
        all.extend(later.clone());
        all
    }

    /// Whether there are no fields, not even absent ones.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys and values of the fields that have one, in the order of first use.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &opentelemetry::Value)> {
        self.0.iter().filter_map(|(key, value)| Some((key, value.0.as_ref()?)))
    }

    /// The attributes for a span and its events.
    pub(crate) fn span_attributes(&self) -> impl Iterator<Item = KeyValue> + '_ {
        self.iter()
            .filter(|(key, _)| !is_control(key.as_str()))
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
    }

    /// The attributes for a record, including control fields, which the layer handles.
    pub(crate) fn record_attributes(&self) -> impl Iterator<Item = (Key, AnyValue)> + '_ {
        self.0.iter().filter_map(|(key, value)| Some((key.clone(), value.any()?)))
    }
}

impl<K: Into<Key>, V: Into<Value>> Extend<(K, V)> for Fields {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, fields: I) {
        for (key, value) in fields {
            self.set(key, value);
        }
    }
}

impl<K: Into<Key>, V: Into<Value>> FromIterator<(K, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(fields: I) -> Self {
        let mut all = Self::new();
        all.extend(fields);
        all
    }
}

impl<K: Into<Key>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Fields {
    fn from(fields: [(K, V); N]) -> Self {
        fields.into_iter().collect()
    }
}

impl IntoIterator for Fields {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Fields {
    /// Writes `key=value` pairs, with strings in quotes, and control characters escaped so that it
    /// stays on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.iter().enumerate() {
            if index > 0 {
                f.write_char(' ')?;
            }
            let mut line = OneLine(&mut *f);
            match value {
                opentelemetry::Value::String(text) => write!(line, "{key}={:?}", text.as_str())?,
                other => write!(line, "{key}={other}")?,
            }
        }
        Ok(())
    }
}

/// Escapes control characters.
struct OneLine<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(char::is_control) {
            match piece.char_indices().next_back() {
                Some((start, last)) if last.is_control() => {
                    write!(self.0, "{}{}", &piece[..start], last.escape_default())?;
                }
                _ => self.0.write_str(piece)?,
            }
        }
        Ok(())
    }
}
