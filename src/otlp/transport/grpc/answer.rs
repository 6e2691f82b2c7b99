//! What a gRPC answer means, by the [specification].
//!
//! [specification]: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response

use std::error::Error as _;
use std::fmt::Write;

use tonic::{Code, Status};

use crate::otlp::transport::answer::{hinted, printable, protobuf};
use crate::otlp::transport::{Answer, Fault};

/// tonic's message when a stream ends without a status, as when a proxy resets it. Its code is one
/// that a receiver may send, too, so that only the message identifies it.
pub(crate) const CUT_OFF: &str = "protocol error: missing grpc-status trailer";

/// The start of tonic's message about a body that is not gRPC, such as a proxy's page. The HTTP
/// status follows.
pub(crate) const OF_A_PROXY: &str = "protocol error: received message with invalid compression flag";

/// An answer with the status OK, even if its body cannot be read.
pub(crate) fn accepted(body: &[u8]) -> Answer {
    protobuf::partial_success(body).unwrap_or_default().into()
}

pub(crate) fn failed(status: &Status) -> Answer {
    let mut why = format!("{:?}: {}", status.code(), status.message());
    let mut source = status.source();
    while let Some(error) = source {
        // Writing to a `String` cannot fail.
        let _ = write!(why, ": {error}");
        source = error.source();
    }
    let why = printable(&why);
    // Errors of the connection have a source, and many codes, UNKNOWN among them. A status that the
    // receiver sent has no source.
    let is_cut_off = status.message().starts_with(CUT_OFF);
    if status.message().starts_with(OF_A_PROXY) && status.message().contains("status: 413") {
        return Answer::TooLarge { why };
    }
    if status.source().is_some() || is_cut_off || status.message().starts_with(OF_A_PROXY) {
        return Answer::TryAgain { after: None, why: hinted(why) };
    }
    let after = protobuf::retry_delay(status.details());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Answer::TryAgain { after, why },
        Code::ResourceExhausted if is_about_size(status.message()) => Answer::TooLarge { why },
        // Without a delay, nothing says that the resource will ever be available.
        Code::ResourceExhausted if after.is_some() => Answer::TryAgain { after, why },
        _ => Answer::Refused { why },
    }
}

/// What is wrong where a call failed. `is_secure`: it was one over TLS. `was_answered`: one before it was not.
pub(crate) fn fault(status: &Status, is_secure: bool, was_answered: bool) -> Fault {
    let of_connection = if is_secure { Fault::Tls } else { Fault::WrongServer };
    let mut source = status.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return match Fault::of_io(error) {
                // It closed the connection.
                Fault::Other if !was_answered => of_connection,
                Fault::Tls => of_connection,
                fault => fault,
            };
        }
        source = error.source();
    }
    let message = status.message();
    let is_of_http = message.starts_with(OF_A_PROXY) || message.contains("HTTP status code");
    match status.code() {
        _ if is_of_http && message.contains("401") => Fault::Unauthorized,
        _ if is_of_http || status.source().is_some() => Fault::WrongServer,
        Code::Unauthenticated | Code::PermissionDenied => Fault::Unauthorized,
        Code::Unimplemented => Fault::WrongPath,
        Code::DeadlineExceeded => Fault::Silent,
        _ => Fault::Other,
    }
}

/// Whether a message is about the size of a request, as of gRPC's servers in Go, C++ and Java.
fn is_about_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["larger than max", "message too large", "exceeds maximum size", "exceeds maximum"]
        .iter()
        .any(|about_size| message.contains(about_size))
}
