//! The messages that answers consist of, read from protobuf: for HTTP and gRPC alike.
//!
//! A message that breaks off or contradicts itself is none at all: half of a count is a wrong count.

use std::time::Duration;

use crate::otlp::transport::answer::said::{Said, MOST_PATIENCE};
use crate::wire::read::{Fields, Raw};

/// Of an `ExportLogsServiceResponse`: what is in its `partial_success`.
pub(crate) fn partial_success(message: &[u8]) -> Option<Said> {
    let mut said = Said::default();
    each_message(message, 1, |partial| {
        each(partial, |number, raw| {
            match (number, raw) {
                (1, Raw::Varint(rejected)) => said.rejected = rejected as i64,
                (2, text @ Raw::Bytes(_)) => said.message = text.text().ok()?.to_owned(),
                _ => {}
            }
            Some(())
        })
    })?;
    Some(said)
}

/// Of a `google.rpc.Status`: its message, unless it is empty.
pub(crate) fn status(message: &[u8]) -> Option<String> {
    let mut said = None;
    each(message, |number, raw| {
        if let (2, text @ Raw::Bytes(_)) = (number, raw) {
            said = Some(text.text().ok()?.to_owned());
        }
        Some(())
    })?;
    said.filter(|said| !said.is_empty())
}

/// Of a `google.rpc.Status`: the delay of a `google.rpc.RetryInfo` among its details. One without a delay
/// still says that one may try again.
#[cfg_attr(not(any(test, fuzzing, feature = "grpc")), expect(dead_code, reason = "only gRPC sends details"))]
pub(crate) fn retry_delay(status: &[u8]) -> Option<Duration> {
    let mut delay = None;
    each_message(status, 3, |detail| {
        let (mut kind, mut value): (&str, &[u8]) = ("", &[]);
        each(detail, |number, raw| {
            match (number, raw) {
                (1, text @ Raw::Bytes(_)) => kind = text.text().ok()?,
                (2, Raw::Bytes(bytes)) => value = bytes,
                _ => {}
            }
            Some(())
        })?;
        if kind.ends_with("/google.rpc.RetryInfo") {
            delay = Some(Duration::ZERO);
            each_message(value, 1, |duration| {
                delay = Some(seconds_and_nanos(duration)?);
                Some(())
            })?;
        }
        Some(())
    })?;
    delay
}

/// A `google.protobuf.Duration`.
fn seconds_and_nanos(duration: &[u8]) -> Option<Duration> {
    let (mut seconds, mut nanos) = (0, 0);
    each(duration, |number, raw| {
        match (number, raw) {
            (1, Raw::Varint(value)) => seconds = value as i64,
            (2, Raw::Varint(value)) => nanos = value as i32,
            _ => {}
        }
        Some(())
    })?;
    // One that is negative is over.
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let nanos = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    Some(seconds.saturating_add(nanos).min(MOST_PATIENCE))
}

/// Each message that stands in field `number`.
fn each_message<'a>(
    message: &'a [u8],
    number: u64,
    mut take: impl FnMut(&'a [u8]) -> Option<()>,
) -> Option<()> {
    each(message, |field, raw| match raw {
        Raw::Bytes(message) if field == number => take(message),
        _ => Some(()),
    })
}

/// Each field, to the end: `None` if one cannot be read.
fn each<'a>(message: &'a [u8], mut take: impl FnMut(u64, Raw<'a>) -> Option<()>) -> Option<()> {
    let mut fields = Fields::of(message);
    while let Some((number, raw)) = fields.next().ok()? {
        take(number, raw)?;
    }
    Some(())
}
