//! The transports that requests are sent with: HTTP, gRPC, or a file.

#[cfg(feature = "otlp-http")]
pub(crate) mod file;
#[cfg(feature = "grpc")]
pub(crate) mod grpc;
#[cfg(feature = "otlp-http")]
pub(crate) mod answer;
#[cfg(feature = "otlp-http")]
pub(crate) mod http;
#[cfg(feature = "otlp-http")]
pub(crate) mod secrets;
#[cfg(all(test, feature = "otlp-http"))]
#[path = "../../tests/support/port.rs"]
mod port;

use std::time::{Duration, Instant};

use crate::otlp::deliver::request::Request;

/// Sends one encoded `ExportLogsServiceRequest` at a time. Runs on the worker's thread and may
/// block it.
pub(crate) trait Transport: Send {
    /// Sends `request` and waits for the answer until `deadline` at the latest.
    ///
    /// Never panics and never logs through `tracing`.
    fn send(&mut self, request: &mut Request, deadline: Instant) -> Answer;

    /// How many seconds the receiver's clock was ahead of this machine's at the last answer, if it
    /// said.
    fn clock(&self) -> Option<i64> {
        None
    }
}

/// The result of sending a request, by the [specification].
///
/// [specification]: https://opentelemetry.io/docs/specs/otlp/#failures
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The receiver accepted it, except `rejected` of its records. It is not sent again.
    Accepted { rejected: u64, message: String },
    /// The same bytes are to be sent again, not before the time that the receiver asked for, if it
    /// did.
    #[cfg_attr(
        not(any(test, feature = "otlp-http")),
        expect(dead_code, reason = "only the builder knows transports that fail")
    )]
    TryAgain { after: Option<Duration>, why: String },
    /// The receiver takes requests of this kind, but not so large ones.
    #[cfg_attr(
        not(any(test, feature = "otlp-http")),
        expect(dead_code, reason = "only the builder knows transports that fail")
    )]
    TooLarge { why: String },
    /// The receiver will never accept it.
    Refused { why: String },
}
