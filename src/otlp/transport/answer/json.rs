//! The two messages of answers, read from JSON.
//!
//! Protobuf's JSON has 64-bit integers as strings; readers must accept numbers too, `null` for any
//! field, and either spelling of a field's name.

use std::fmt;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::json_stream::objects;
use crate::otlp::transport::answer::partial_success::PartialSuccess;

#[derive(Default)]
struct Response {
    partial_success: Partial,
}

#[derive(Default)]
struct Partial {
    rejected: Integer,
    message: Option<Text>,
}

#[derive(Default)]
struct Status {
    message: Option<Text>,
}

objects! {
    Response { "partialSuccess" | "partial_success" => partial_success }
    Partial {
        "rejectedLogRecords" | "rejected_log_records" | "rejectedSpans" | "rejected_spans" => rejected,
        "errorMessage" | "error_message" => message
    }
    Status { "message" => message }
}

/// What the `partialSuccess` of an `ExportLogsServiceResponse` says.
pub(crate) fn partial_success(text: &[u8]) -> Option<PartialSuccess> {
    let Partial { rejected, message } = read::<Response>(text)?.partial_success;
    Some(PartialSuccess { rejected: rejected.0, message: message.unwrap_or_default().0 })
}

/// The message of a `google.rpc.Status`, unless it is empty.
pub(crate) fn status(text: &[u8]) -> Option<String> {
    let message = read::<Status>(text)?.message.unwrap_or_default().0;
    Some(message).filter(|message| !message.is_empty())
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    // `null` could also be read.
    let is_object = text.trim_ascii_start().starts_with(b"{");
    serde_json::from_str(std::str::from_utf8(text).ok().filter(|_| is_object)?).ok()
}

/// A number, perhaps as a string; `null` is 0.
#[derive(Default)]
struct Integer(i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor)
    }
}

struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
    type Value = Integer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    fn visit_unit<E>(self) -> Result<Integer, E> {
        Ok(Integer(0))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Integer, E> {
        Ok(Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Integer, E> {
        value.try_into().map(Integer).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Integer, E> {
        value.parse().map(Integer).map_err(E::custom)
    }
}

/// A text that may have an escaped half of a surrogate pair, as where it was cut between the two.
///
/// serde_json rejects those in strings, and accepts them in bytes.
#[derive(Default)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Text, E> {
        let mut text = String::with_capacity(bytes.len());
        let mut is_valid = true;
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            // Half a pair comes as three invalid bytes, with nothing valid in between.
            if !chunk.invalid().is_empty() && (is_valid || !chunk.valid().is_empty()) {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            is_valid = chunk.invalid().is_empty();
        }
        Ok(Text(text))
    }
}
