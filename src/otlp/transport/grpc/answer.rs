//! What a gRPC answer means, as the [specification] has it.
//!
//! [specification]: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response

use std::error::Error as _;
use std::fmt::Write;

use tonic::{Code, Status};

use crate::otlp::transport::answer::{printable, protobuf};
use crate::otlp::transport::Answer;

/// What tonic says when a stream ends without a status, as it does when a proxy resets it. It has the
/// code of an error that the receiver itself may send, so there is nothing else to know it by.
pub(crate) const CUT_OFF: &str = "protocol error: missing grpc-status trailer";

/// What tonic says of a body that is no gRPC, such as the page of a proxy, and then which HTTP status it came with.
pub(crate) const OF_A_PROXY: &str = "protocol error: received message with invalid compression flag";

/// The HTTP statuses that gRPC takes for UNAVAILABLE.
const BUSY: [&str; 4] = ["status: 429", "status: 502", "status: 503", "status: 504"];

/// An answer with the status OK. A body that cannot be read adds nothing to that.
pub(crate) fn accepted(body: &[u8]) -> Answer {
    protobuf::partial_success(body).unwrap_or_default().into()
}

pub(crate) fn failed(status: &Status) -> Answer {
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
    let is_cut_off = status.message().starts_with(CUT_OFF);
    let is_busy =
        status.message().starts_with(OF_A_PROXY) && BUSY.iter().any(|busy| status.message().contains(busy));
    if status.source().is_some() || is_cut_off || is_busy {
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
