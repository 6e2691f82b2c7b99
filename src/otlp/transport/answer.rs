//! What an HTTP answer means, by the [specification], and the messages in answers over HTTP and
//! gRPC.
//!
//! The status decides; the body only adds details, and none if it cannot be read.
//!
//! [specification]: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response

mod json;
pub(crate) mod protobuf;
pub(crate) mod partial_success;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use crate::otlp::settings::destination::redacted;
use crate::otlp::transport::answer::partial_success::{PartialSuccess, MAX_RETRY_AFTER};
use crate::otlp::transport::{Answer, Fault};

/// How much of a receiver's text is kept: enough for a person to understand what it is about.
pub(crate) const MAX_TEXT_CHARS: usize = 300;

/// An answer as it was received. Its body may be incomplete.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl From<PartialSuccess> for Answer {
    fn from(said: PartialSuccess) -> Self {
        Self::Accepted {
            // A negative count makes no sense, and counts as none.
            rejected: u64::try_from(said.rejected).unwrap_or(0),
            message: printable(&said.message),
        }
    }
}

impl Reply {
    pub(crate) fn meaning(&self, now: SystemTime) -> Answer {
        if self.status.is_success() {
            if self.is_page() {
                let what = "a web page: what it was sent counts as delivered, but something else may be at its place";
                return Answer::Accepted {
                    rejected: 0,
                    message: format!("it answered {} with {what}", self.status),
                };
            }
            return self.partial_success().unwrap_or_default().into();
        }
        let mut why = self.status.to_string();
        if let Some(location) = self.location() {
            why = format!("{why} to {location}");
        }
        let reason = self.reason();
        if !reason.is_empty() {
            why = format!("{why}: {reason}");
        }
        match self.status.as_u16() {
            413 => Answer::TooLarge { why },
            // As the Collector says it.
            400 if why.contains("request body too large") => Answer::TooLarge { why },
            429 | 502 | 503 | 504 => Answer::TryAgain { after: self.retry_after(now), why },
            // Not an answer of a receiver: another server is at its place, for now.
            _ if self.is_of_another_server() => Answer::TryAgain { after: None, why: hinted(why) },
            _ => Answer::Refused { why },
        }
    }

    /// How many seconds its `Date` is ahead of `now`.
    pub(crate) fn clock(&self, now: SystemTime) -> Option<i64> {
        let date = httpdate::parse_http_date(self.headers.get(DATE)?.to_str().ok()?).ok()?;
        let seconds =
            |time: SystemTime| Some(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs() as i64);
        Some(seconds(date)? - seconds(now)?)
    }

    /// Where a redirect leads to. Requests do not follow it: they may hold credentials.
    fn location(&self) -> Option<String> {
        let location = self.headers.get(LOCATION).filter(|_| self.status.is_redirection())?;
        Some(printable(&redacted(location.to_str().ok()?)))
    }

    /// What is wrong, if it is not a success of a receiver.
    pub(crate) fn fault(&self) -> Fault {
        if self.is_of_another_server() {
            return if self.wants_tls() { Fault::Tls } else { Fault::WrongServer };
        }
        match self.status.as_u16() {
            200..=299 if self.is_page() => Fault::WrongServer,
            300..=399 => Fault::Redirect,
            401 | 403 => Fault::Unauthorized,
            407 => Fault::Proxy,
            404 | 405 => Fault::WrongPath,
            415 => Fault::WrongServer,
            _ => Fault::Other,
        }
    }

    /// A web page where the path of OTLP should be, or a server that expects TLS.
    fn is_of_another_server(&self) -> bool {
        match self.status.as_u16() {
            404 | 405 => self.is_page(),
            400 => self.wants_tls(),
            _ => false,
        }
    }

    /// What servers of Go and nginx say.
    fn wants_tls(&self) -> bool {
        const WANT_TLS: [&[u8]; 2] =
            [b"HTTP request to an HTTPS server", b"HTTP request was sent to HTTPS port"];
        WANT_TLS.iter().any(|text| self.body.windows(text.len()).any(|part| part == *text))
    }

    fn is_page(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
        kind.to_ascii_lowercase().starts_with(b"text/html")
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
            // As a character takes at most four bytes, this has all that is kept.
            None => {
                let start = &self.body[..self.body.len().min(4 * MAX_TEXT_CHARS)];
                printable(&String::from_utf8_lossy(start))
            }
        }
    }

    fn form(&self) -> Form {
        let Some(kind) = self.headers.get(CONTENT_TYPE) else {
            // Most likely it has the form of the request. No protobuf answer begins with a brace.
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

    /// `Retry-After`: seconds, or a date. Anything else is ignored.
    fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let after = match !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            // Digits that do not parse are too large a number.
            true => Duration::from_secs(value.parse().unwrap_or(u64::MAX)),
            // A date in the past means now.
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

/// An error or answer of something that is not a receiver, with what it looks like.
pub(crate) fn hinted(why: String) -> String {
    const NO_HTTP: &str =
        "the receiver does not speak HTTP/1.1: it may want TLS (https://), or gRPC, which usually has port 4317";
    // What the libraries and servers say, and what that means.
    const HINTS: [(&str, &str); 11] = [
        ("invalid peer certificate", "its certificate is not trusted: see the settings of certificates"),
        ("HTTP request to an HTTPS server", "the receiver wants TLS: use an https:// URL"),
        ("HTTP request was sent to HTTPS port", "the receiver wants TLS: use an https:// URL"),
        ("InvalidContentType", "the receiver does not speak TLS: use an http:// URL"),
        ("HTTP version", NO_HTTP),
        ("http parse fail", NO_HTTP),
        ("protocol: http", NO_HTTP),
        ("frame with invalid size", "the receiver does not speak gRPC: it usually has port 4317, HTTP 4318"),
        (
            "closed because of a broken pipe",
            "a receiver that does not speak gRPC does this, too: its port is usually 4317",
        ),
        ("invalid compression flag", "the receiver does not speak gRPC: it usually has port 4317, HTTP 4318"),
        ("<html", "this looks like a web page, and not like a receiver of OTLP"),
    ];
    let hint = HINTS.iter().find(|(part, _)| why.contains(part));
    match hint {
        Some((_, hint)) => format!("{why} ({hint})"),
        None => why,
    }
}

/// The beginning of a receiver's text, on one line.
pub(crate) fn printable(text: &str) -> String {
    let text = text.trim();
    let mut kept: String = text
        .chars()
        .take(MAX_TEXT_CHARS)
        .map(|char| match char {
            char if char.is_whitespace() => ' ',
            char if char.is_control() => char::REPLACEMENT_CHARACTER,
            char => char,
        })
        .collect();
    if text.chars().nth(MAX_TEXT_CHARS).is_some() {
        kept.push('…');
    }
    kept
}
