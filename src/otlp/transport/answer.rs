//! What an HTTP answer means, and what answers of either kind consist of. The last step of the walk, seen from its end.
//!
//! The status decides, as the [specification] has it; a body only adds to it, and one that cannot be
//! read adds nothing.
//!
//! [specification]: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response

mod json;
pub(crate) mod protobuf;
pub(crate) mod partial_success;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use crate::otlp::transport::answer::partial_success::{PartialSuccess, MAX_RETRY_AFTER};
use crate::otlp::transport::Answer;

/// How much of what a receiver says is kept: enough for a person to know what it is about.
pub(crate) const MOST_TEXT_CHARS: usize = 300;

/// An answer as it came, its body perhaps cut short.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl From<PartialSuccess> for Answer {
    fn from(said: PartialSuccess) -> Self {
        Self::Accepted {
            // Less than none makes no sense; a receiver that says so refused nothing.
            rejected: u64::try_from(said.rejected).unwrap_or(0),
            message: printable(&said.message),
        }
    }
}

impl Reply {
    pub(crate) fn meaning(&self, now: SystemTime) -> Answer {
        if self.status.is_success() {
            return self.partial_success().unwrap_or_default().into();
        }
        let why = match self.reason() {
            reason if reason.is_empty() => self.status.to_string(),
            reason => format!("{}: {reason}", self.status),
        };
        match self.status.as_u16() {
            429 | 502 | 503 | 504 => Answer::TryAgain { after: self.retry_after(now), why },
            _ => Answer::Refused { why },
        }
    }

    fn partial_success(&self) -> Option<PartialSuccess> {
        match self.form() {
            Form::Protobuf => protobuf::partial_success(&self.body),
            Form::Json => json::partial_success(&self.body),
            Form::Other => None,
        }
    }

    fn reason(&self) -> String {
        let status = match self.form() {
            Form::Protobuf => protobuf::status(&self.body),
            Form::Json => json::status(&self.body),
            Form::Other => None,
        };
        match status {
            Some(message) => printable(&message),
            // A character takes at most four bytes, so that nothing more than is kept is looked at.
            None => {
                let start = &self.body[..self.body.len().min(4 * MOST_TEXT_CHARS)];
                printable(&String::from_utf8_lossy(start))
            }
        }
    }

    fn form(&self) -> Form {
        let Some(kind) = self.headers.get(CONTENT_TYPE) else {
            // Who says nothing answers as was asked, most likely. No protobuf answer begins with a brace.
            let is_json = self.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
            return if is_json { Form::Json } else { Form::Protobuf };
        };
        let kind = kind.as_bytes().to_ascii_lowercase();
        match kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii() {
            b"application/x-protobuf" | b"application/protobuf" => Form::Protobuf,
            b"application/json" => Form::Json,
            _ => Form::Other,
        }
    }

    /// Seconds, or a date. What is neither is not there.
    fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let after = match !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            // All digits, and still not a number: more than there are.
            true => Duration::from_secs(value.parse().unwrap_or(u64::MAX)),
            // A date that passed means now.
            false => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
        };
        Some(after.min(MAX_RETRY_AFTER))
    }
}

enum Form {
    Protobuf,
    Json,
    Other,
}

/// The beginning of what a stranger said, on one line.
pub(crate) fn printable(text: &str) -> String {
    let text = text.trim();
    let mut kept: String = text
        .chars()
        .take(MOST_TEXT_CHARS)
        .map(|char| match char {
            char if char.is_whitespace() => ' ',
            char if char.is_control() => char::REPLACEMENT_CHARACTER,
            char => char,
        })
        .collect();
    if text.chars().nth(MOST_TEXT_CHARS).is_some() {
        kept.push('…');
    }
    kept
}
