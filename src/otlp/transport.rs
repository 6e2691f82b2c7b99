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

    /// What was wrong with the last answer, if it was not accepted, or looked wrong.
    fn fault(&self) -> Fault {
        Fault::default()
    }

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

/// What is wrong where a request was not accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "otlp-http"),
    expect(dead_code, reason = "only the builder knows transports that fail")
)]
pub(crate) enum Fault {
    /// Nobody listens there, or there is no such host.
    Unreachable,
    /// No answer came in time.
    Silent,
    Tls,
    /// What answers does not speak the protocol.
    WrongServer,
    /// It speaks it, but has no such path or method.
    WrongPath,
    /// It answers with the place where to go.
    Redirect,
    Unauthorized,
    /// It is a proxy that does not let the request pass.
    Proxy,
    /// It is for the receiver to say.
    #[default]
    Other,
}

#[cfg(feature = "otlp-http")]
impl Fault {
    /// Of an error of the connection, before there was an answer.
    pub(crate) fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::NotFound => Self::Unreachable,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Silent,
            // As rustls has its errors.
            ErrorKind::InvalidData | ErrorKind::InvalidInput => Self::Tls,
            // std has no kind for it.
            _ if error.to_string().contains("failed to lookup address") => Self::Unreachable,
            _ => Self::Other,
        }
    }
}
