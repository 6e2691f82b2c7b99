//! The two messages of answers, read from JSON.
//!
//! Protobuf's JSON has 64-bit integers as strings; readers must accept numbers too, `null` for any
//! field, and either spelling of a field's name.

use std::fmt;

use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::otlp::transport::answer::partial_success::PartialSuccess;

#[derive(Default, Deserialize)]
struct Response {
    #[serde(rename = "partialSuccess", alias = "partial_success")]
    partial_success: Option<Partial>,
}

#[derive(Default, Deserialize)]
struct Partial {
    #[serde(
        rename = "rejectedLogRecords",
        alias = "rejected_log_records",
        alias = "rejectedSpans",
        alias = "rejected_spans"
    )]
    rejected: Option<Integer>,
    #[serde(rename = "errorMessage", alias = "error_message")]
    message: Option<Text>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Integer {
    Number(i64),
    Quoted(String),
}

#[derive(Default, Deserialize)]
struct Status {
    message: Option<Text>,
}

/// What the `partialSuccess` of an `ExportLogsServiceResponse` says.
pub(crate) fn partial_success(text: &[u8]) -> Option<PartialSuccess> {
    let partial = read::<Response>(text)?.partial_success.unwrap_or_default();
    let rejected = match partial.rejected {
        Some(Integer::Number(count)) => count,
        Some(Integer::Quoted(count)) => count.parse().ok()?,
        None => 0,
    };
    Some(PartialSuccess { rejected, message: partial.message.unwrap_or_default().0 })
}

/// The message of a `google.rpc.Status`, unless it is empty.
pub(crate) fn status(text: &[u8]) -> Option<String> {
    let message = read::<Status>(text)?.message.unwrap_or_default().0;
    Some(message).filter(|message| !message.is_empty())
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    // A derived struct could also be read from an array.
    let is_object = text.trim_ascii_start().starts_with(b"{");
    serde_json::from_str(std::str::from_utf8(text).ok().filter(|_| is_object)?).ok()
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
