//! What a gRPC answer means, as the [specification] has it.
//!
//! [specification]: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response

use std::error::Error as _;
use std::fmt::Write;

use tonic::{Code, Status};

use super::Answer;
use crate::otlp::transport::answer::{printable, protobuf};

/// What tonic says when a stream ends without a status, as it does when a proxy resets it. It has the
/// code of an error that the receiver itself may send, so there is nothing else to know it by.
pub(super) const CUT_OFF: &str = "protocol error: missing grpc-status trailer";

/// An answer with the status OK. A body that cannot be read adds nothing to that.
pub(super) fn accepted(body: &[u8]) -> Answer {
    protobuf::partial_success(body).unwrap_or_default().into()
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
    let after = protobuf::retry_delay(status.details());
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
