//! The messages of answers, read from protobuf: for HTTP and gRPC alike.
//!
//! A malformed message counts as none at all: half of a count is a wrong count.

use std::time::Duration;

use crate::otlp::transport::answer::partial_success::{PartialSuccess, MAX_RETRY_AFTER};
use crate::wire::read::{each, Malformed, Raw};

/// What the `partial_success` of an `ExportLogsServiceResponse` says.
pub(crate) fn partial_success(message: &[u8]) -> Option<PartialSuccess> {
    let mut said = PartialSuccess::default();
    let read = each_message(message, 1, |partial| {
        each(partial, |number, raw| {
            match (number, raw) {
                (1, Raw::Varint(rejected)) => said.rejected = rejected as i64,
                (2, Raw::Bytes(_)) => said.message = raw.text()?.to_owned(),
                _ => {}
            }
            Ok(())
        })
    });
    read.ok().map(|()| said)
}

/// The message of a `google.rpc.Status`, unless it is empty.
pub(crate) fn status(message: &[u8]) -> Option<String> {
    let mut text = None;
    let read = each_message(message, 2, |message| {
        text = Some(Raw::Bytes(message).text()?.to_owned());
        Ok(())
    });
    text.filter(|text| read.is_ok() && !text.is_empty())
}

/// The delay of a `google.rpc.RetryInfo` among the details of a `google.rpc.Status`. One without a
/// delay still means that the request may be sent again.
#[cfg_attr(not(any(test, fuzzing, feature = "grpc")), expect(dead_code, reason = "only gRPC sends details"))]
pub(crate) fn retry_delay(status: &[u8]) -> Option<Duration> {
    let mut delay = None;
    let read = each_message(status, 3, |detail| {
        let (mut kind, mut value): (&str, &[u8]) = ("", &[]);
        each(detail, |number, raw| {
            match (number, raw) {
                (1, Raw::Bytes(_)) => kind = raw.text()?,
                (2, Raw::Bytes(bytes)) => value = bytes,
                _ => {}
            }
            Ok(())
        })?;
        if kind.ends_with("/google.rpc.RetryInfo") {
            delay = Some(Duration::ZERO);
            each_message(value, 1, |duration| {
                delay = Some(seconds_and_nanos(duration)?);
                Ok(())
            })?;
        }
        Ok(())
    });
    delay.filter(|_| read.is_ok())
}

/// A `google.protobuf.Duration`.
fn seconds_and_nanos(duration: &[u8]) -> Result<Duration, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    each(duration, |number, raw| {
        match (number, raw) {
            (1, Raw::Varint(value)) => seconds = value as i64,
            (2, Raw::Varint(value)) => nanos = value as i32,
            _ => {}
        }
        Ok(())
    })?;
    // A negative duration has passed.
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let nanos = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    Ok(seconds.saturating_add(nanos).min(MAX_RETRY_AFTER))
}

/// Reads each message in field `number`.
fn each_message<'a>(
    message: &'a [u8],
    number: u64,
    mut read: impl FnMut(&'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    each(message, |field, raw| match raw {
        Raw::Bytes(message) if field == number => read(message),
        _ => Ok(()),
    })
}
