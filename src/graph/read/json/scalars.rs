//! Strings, numbers and enumerations. Each may be written as a string or as a number.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

use crate::graph::call::STATUS_CODE_ERROR;

/// A string, number or boolean as text; `null` is no text.
#[derive(Default)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

macro_rules! visit {
    ($($visit:ident($type:ty))*) => {
        $(fn $visit<E>(self, value: $type) -> Result<Text, E> {
            Ok(Text(value.to_string()))
        })*
    };
}

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text::default())
    }

    visit! { visit_str(&str) visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) }
}

/// Nanoseconds since the Unix epoch.
#[derive(Default)]
pub(super) struct Nanos(pub(super) u64);

/// Reads a type from a text or a number, by its `TryFrom<Text>`.
macro_rules! from_text {
    ($type:ident) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text: Text = serde::Deserialize::deserialize(deserializer)?;
                Self::try_from(text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use from_text;

from_text!(Nanos);

impl TryFrom<Text> for Nanos {
    type Error = String;

    fn try_from(Text(text): Text) -> Result<Self, String> {
        if let Ok(value) = text.parse() {
            return Ok(Self(value));
        }
        // `1e18` is an integer too, to protobuf's JSON.
        let is_integer = |value: &f64| value.fract() == 0.0 && (0.0..u64::MAX as f64).contains(value);
        match text.parse().ok().filter(is_integer) {
            Some(value) => Ok(Self(value as u64)),
            None if text.is_empty() => Ok(Self(0)),
            None => Err(format!("invalid value: {text:?}, expected nanoseconds since 1970")),
        }
    }
}

/// Whether a status code is Error. As in protobuf, an unknown name is the number 0. A row has `Error`,
/// or, from older exporters, the name as in JSON.
pub(super) fn is_error(code: &str) -> bool {
    matches!(code, "STATUS_CODE_ERROR" | "Error") || integer(code) == Some(STATUS_CODE_ERROR)
}

/// The number of a span's kind: `SPAN_KIND_SERVER`, or `Server` as in a row, is 2.
pub(super) fn span_kind(text: &str) -> i64 {
    match text {
        "SPAN_KIND_INTERNAL" | "Internal" => 1,
        "SPAN_KIND_SERVER" | "Server" => 2,
        "SPAN_KIND_CLIENT" | "Client" => 3,
        "SPAN_KIND_PRODUCER" | "Producer" => 4,
        // rotel 0.0.1a15 writes `client` for a consumer, and `Client` for a client.
        "SPAN_KIND_CONSUMER" | "Consumer" | "client" => 5,
        _ => integer(text).unwrap_or(0),
    }
}

/// The number of a severity: `SEVERITY_NUMBER_INFO` is 9, and `INFO2` to `INFO4` come after it.
pub(super) fn severity_number(text: &str) -> i64 {
    let Some(name) = text.strip_prefix("SEVERITY_NUMBER_") else { return integer(text).unwrap_or(0) };
    let (name, step) = match name.as_bytes().last() {
        Some(digit @ b'2'..=b'4') => (&name[..name.len() - 1], i64::from(digit - b'1')),
        _ => (name, 0),
    };
    let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    let found = names.into_iter().zip((1..).step_by(4)).find(|(known, _)| *known == name);
    found.map_or(0, |(_, first)| first + step)
}

fn integer(text: &str) -> Option<i64> {
    // The cast saturates, and no enumeration has a number that large.
    text.parse().ok().or_else(|| Some(text.parse::<f64>().ok()? as i64))
}
