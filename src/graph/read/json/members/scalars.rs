//! What is no object and no list: names, strings, numbers, enumerations.

use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Deserializer, Error, Unexpected, Visitor};

/// Reads the name of a member: one of those that are known, or `None`.
pub(super) struct Name(pub(super) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().copied().find(|camel| *camel == name || is_snake_of(name, camel)))
    }
}

/// Whether `name` is `camel` as protobuf writes it: `trace_id` for `traceId`.
fn is_snake_of(name: &str, camel: &str) -> bool {
    let mut name = name.bytes();
    let is_same = camel.bytes().all(|byte| match byte {
        b'A'..=b'Z' => name.next() == Some(b'_') && name.next() == Some(byte.to_ascii_lowercase()),
        _ => name.next() == Some(byte),
    });
    is_same && name.next().is_none()
}

/// Reads anything that stands alone, as text. `null` is no text.
pub(super) struct Text<'a>(pub(super) &'a mut String);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.clear();
        deserializer.deserialize_any(self)
    }
}

impl Text<'_> {
    fn display<E>(self, value: impl fmt::Display) -> Result<(), E> {
        // Writing to a string does not fail.
        let _ = write!(self.0, "{value}");
        Ok(())
    }
}

impl Visitor<'_> for Text<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push_str(text);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.display(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.display(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.display(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.display(value)
    }
}

/// Reads nanoseconds since the epoch.
pub(super) struct Nanos<'a>(pub(super) &'a mut u64);

impl<'de> DeserializeSeed<'de> for Nanos<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Nanos<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nanoseconds since 1970, as a string or a number")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        *self.0 = 0;
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        *self.0 = value;
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        // `1e18` is an integer too, to protobuf's JSON.
        if value.fract() == 0.0 && (0.0..u64::MAX as f64).contains(&value) {
            *self.0 = value as u64;
            return Ok(());
        }
        Err(E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match (text.parse(), text.parse::<f64>()) {
            (Ok(value), _) => self.visit_u64(value),
            (_, Ok(value)) => self.visit_f64(value),
            _ if text.is_empty() => self.visit_unit(),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// Reads an enumeration; the function knows its names. What is unknown is 0, as protobuf has it.
pub(super) struct Code<'a>(pub(super) &'a mut i64, pub(super) fn(&str) -> i64);

impl<'de> DeserializeSeed<'de> for Code<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Code<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a name of an enumeration")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        *self.0 = 0;
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        *self.0 = value;
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        *self.0 = i64::try_from(value).unwrap_or(0);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        // Saturates, and no enumeration has a number that large.
        *self.0 = value as i64;
        Ok(())
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        *self.0 = name.parse().unwrap_or_else(|_| (self.1)(name));
        Ok(())
    }
}

pub(super) fn status_code(name: &str) -> i64 {
    match name {
        "STATUS_CODE_OK" => 1,
        "STATUS_CODE_ERROR" => 2,
        _ => 0,
    }
}

/// `SEVERITY_NUMBER_INFO` is 9, and `SEVERITY_NUMBER_INFO2` to `4` come after it.
pub(super) fn severity_number(name: &str) -> i64 {
    let Some(name) = name.strip_prefix("SEVERITY_NUMBER_") else { return 0 };
    let (name, step) = match name.as_bytes().last() {
        Some(digit @ b'2'..=b'4') => (&name[..name.len() - 1], i64::from(digit - b'1')),
        _ => (name, 0),
    };
    let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    match names.into_iter().zip((1..).step_by(4)).find(|(known, _)| *known == name) {
        Some((_, first)) => first + step,
        None => 0,
    }
}
