//! What a gRPC answer means, as the [specification] has it.
//!
//! [specification]: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response

use std::error::Error as _;
use std::fmt::Write;
use std::time::Duration;

use tonic::{Code, Status};

use super::Answer;
use crate::otlp::read::{Fields, Malformed};

/// How much of what a receiver says is kept: enough for a person to know what it is about.
const MOST_TEXT_CHARS: usize = 300;

/// The longest delay that is kept. No batch waits for so long, and sums of times stay far from overflow.
const MOST_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// What tonic says when a stream ends without a status, as it does when a proxy resets it. It has the
/// code of an error that the receiver itself may send, so there is nothing else to know it by.
pub(super) const CUT_OFF: &str = "protocol error: missing grpc-status trailer";

/// An answer with the status OK. A body that cannot be read adds nothing to that.
pub(super) fn accepted(body: &[u8]) -> Answer {
    let (rejected, message) = partial_success(body).unwrap_or_default();
    // Less than none makes no sense; a receiver that says so refused nothing.
    Answer::Accepted { rejected: u64::try_from(rejected).unwrap_or(0), message: printable(&message) }
}

pub(super) fn failed(status: &Status) -> Answer {
    let mut why = format!("{:?}: {}", status.code(), status.message());
    let mut source = status.source();
    while let Some(error) = source {
        // A `String` takes everything.
        let _ = write!(why, ": {error}");
        source = error.source();
    }
    let why = printable(&why);
    // An error of the connection has a source, a status that the receiver sent has none. tonic gives
    // the former many codes, UNKNOWN among them.
    if status.source().is_some() || status.message().starts_with(CUT_OFF) {
        return Answer::TryAgain { after: None, why };
    }
    let after = retry_delay(status.details()).unwrap_or_default();
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Answer::TryAgain { after, why },
        // Without it nobody says that there will ever be room.
        Code::ResourceExhausted if after.is_some() => Answer::TryAgain { after, why },
        _ => Answer::Refused { why },
    }
}

/// The fields of an `ExportLogsPartialSuccess` in an `ExportLogsServiceResponse`.
fn partial_success(body: &[u8]) -> Result<(i64, String), Malformed> {
    let (mut rejected, mut message) = (0, "");
    each_message(body, 1, |partial_success| {
        let mut fields = Fields::of(partial_success);
        while let Some((field, raw)) = fields.next()? {
            match field {
                1 => rejected = raw.varint()? as i64,
                2 => message = raw.text()?,
                _ => {}
            }
        }
        Ok(())
    })?;
    Ok((rejected, message.to_owned()))
}

/// The delay of a `google.rpc.RetryInfo` among the details of a `google.rpc.Status`.
fn retry_delay(status: &[u8]) -> Result<Option<Duration>, Malformed> {
    let mut delay = None;
    each_message(status, 3, |detail| {
        let (mut kind, mut value): (&str, &[u8]) = ("", &[]);
        let mut fields = Fields::of(detail);
        while let Some((field, raw)) = fields.next()? {
            match field {
                1 => kind = raw.text()?,
                2 => value = raw.bytes()?,
                _ => {}
            }
        }
        if kind.ends_with("/google.rpc.RetryInfo") {
            // Without a delay in it, it still says that one may try again.
            delay = Some(Duration::ZERO);
            each_message(value, 1, |duration| {
                delay = Some(seconds_and_nanos(duration)?);
                Ok(())
            })?;
        }
        Ok(())
    })?;
    Ok(delay)
}

/// A `google.protobuf.Duration`.
fn seconds_and_nanos(duration: &[u8]) -> Result<Duration, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut fields = Fields::of(duration);
    while let Some((field, raw)) = fields.next()? {
        match field {
            1 => seconds = raw.varint()? as i64,
            2 => nanos = raw.varint()? as i32,
            _ => {}
        }
    }
    // One that is negative is over.
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let nanos = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
    Ok(seconds.saturating_add(nanos).min(MOST_PATIENCE))
}

/// Each message that stands in field `number`.
fn each_message<'a>(
    message: &'a [u8],
    number: u64,
    mut take: impl FnMut(&'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields::of(message);
    while let Some((field, raw)) = fields.next()? {
        if field == number {
            take(raw.bytes()?)?;
        }
    }
    Ok(())
}

/// The beginning of what a stranger said, on one line.
fn printable(text: &str) -> String {
    let on_one_line = |char: char| if char.is_control() { ' ' } else { char };
    text.trim().chars().take(MOST_TEXT_CHARS).map(on_one_line).collect()
}
