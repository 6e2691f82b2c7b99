//! OTLP over HTTP, with a blocking client.
//!
//! The worker's thread waits for answers, so that an asynchronous client would gain nothing, and
//! its runtime could be one that the caller blocks. What the client and its TLS log is suppressed
//! on that thread. ureq resolves host names on a thread of its own, which logs nothing, because a
//! lookup has no timeout.

pub(crate) mod agent;
mod body;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(test)]
mod tests;

use std::io::{ErrorKind::UnexpectedEof, Read};
use std::net::IpAddr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Instant, SystemTime};
use std::{io, mem};

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING,
};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use ureq::{Agent, Proxy};

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::otlp::deliver::request;
use crate::otlp::settings::{HeaderProvider, Target};
use crate::otlp::signal::Signal;
use crate::otlp::transport::answer::{hinted, Reply};
use crate::otlp::transport::http::body::Bodies;
use crate::otlp::transport::secrets::without_secrets;
use crate::otlp::transport::{Answer, Fault, Transport};

/// The most bytes of an answer that are read: the limit that the specification suggests.
const MAX_BODY_BYTES: u64 = 4 * 1024 * 1024;

const USER_AGENT: &str = concat!("spanlog-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));

/// Sends requests to one URL, over a connection that is kept open.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    bodies: Bodies,
    /// The receiver closed the connection during the last request.
    was_cut_off: bool,
    /// How many seconds the receiver's clock was ahead at its last answer, if that had a date.
    clock: Option<i64>,
    fault: Fault,
}

impl Http {
    /// With `json`, requests of that signal are sent as JSON.
    ///
    /// # Errors
    ///
    /// If a certificate cannot be used, or the compression is not built in.
    pub(crate) fn new(to: Target, json: Option<Signal>) -> Result<Self, Error> {
        // To a proxy, a loopback address is another machine. Go's clients exempt it, too; curl does
        // not.
        let proxy = if is_loopback(&to.url) { None } else { Proxy::try_from_env() };
        let config = agent::config().proxy(proxy).user_agent(USER_AGENT);
        #[cfg(feature = "tls")]
        let config = config.tls_config(tls::config(&to.tls)?);
        let agent = config.build().new_agent();
        let bodies = Bodies::new(json, to.compression)?;
        let mut headers = to.headers;
        drop_reserved(&mut headers);
        let user_headers = headers.clone();
        headers.extend(bodies.headers());
        Ok(Self {
            client: Client {
                agent,
                url: to.url,
                headers,
                user_headers,
                provider: to.header_provider,
                provided: HeaderMap::new(),
                was_answered: false,
            },
            bodies,
            was_cut_off: false,
            clock: None,
            fault: Fault::default(),
        })
    }

    fn exchange(&mut self, request: &mut request::Request, deadline: Instant) -> Answer {
        let body = match self.bodies.encode(request.bytes()) {
            Ok(body) => body,
            Err(why) => return Answer::Refused { why },
        };
        // A receiver that rejects a request may answer its head and close, which the client misses
        // while it writes the body. So the next time it expects `100 Continue` before the body, for
        // a second at most.
        let expects_continue = mem::take(&mut self.was_cut_off);
        let mut reply = self.client.post(&body, expects_continue, deadline);
        let is_unauthorized = |reply: &Reply| reply.status == StatusCode::UNAUTHORIZED;
        if self.client.provider.is_some() && reply.as_ref().is_ok_and(is_unauthorized) {
            // The token may have expired on the way: retry once, with a fresh one.
            reply = self.client.post(&body, expects_continue, deadline);
        }
        let answer = match reply {
            Ok(reply) => {
                self.client.was_answered = true;
                let now = SystemTime::now();
                self.clock = reply.clock(now);
                self.fault = reply.fault();
                reply.meaning(now)
            }
            Err(error) => {
                self.was_cut_off = is_cut_off(&error);
                self.fault = self.client.fault(&error);
                self.client.no_answer(error)
            }
        };
        without_secrets(answer, &self.client.url, [&self.client.user_headers, &self.client.provided])
    }
}

/// For a connection without TLS that is closed by a receiver that has never answered.
const CUT_OFF_HINT: &str =
    " (it has never answered: a server that wants TLS or gRPC closes connections like this)";

/// The same with TLS.
const TLS_CUT_OFF_HINT: &str =
    " (it has never answered: a server that does not speak TLS closes connections like this)";

/// Whether the receiver closed the connection.
fn is_cut_off(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let ureq::Error::Io(error) = error else { return false };
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}

/// The same, in whatever way.
fn is_closed(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(error) if error.kind() == UnexpectedEof) || is_cut_off(error)
}

impl Transport for Http {
    fn send(&mut self, request: &mut request::Request, deadline: Instant) -> Answer {
        // The header provider is user code, and the client panics if it cannot start a thread.
        catch_unwind(AssertUnwindSafe(|| self.exchange(request, deadline))).unwrap_or_else(|_| {
            let why = String::from("the header provider or the HTTP client panicked");
            Answer::TryAgain { after: None, why }
        })
    }

    fn fault(&self) -> Fault {
        self.fault
    }

    fn clock(&self) -> Option<i64> {
        self.clock
    }
}

#[derive(Debug)]
struct Client {
    agent: Agent,
    url: Uri,
    headers: HeaderMap,
    /// Those of them that the user set.
    user_headers: HeaderMap,
    provider: Option<HeaderProvider>,
    /// What the provider returned last.
    provided: HeaderMap,
    /// The receiver has answered in HTTP, whatever it said.
    was_answered: bool,
}

impl Client {
    fn post(&mut self, body: &[u8], expects_continue: bool, deadline: Instant) -> Result<Reply, ureq::Error> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        if let Some(provider) = &self.provider {
            let mut provided = provider.headers();
            drop_reserved(&mut provided);
            headers.extend(provided.clone());
            self.provided = provided;
        }
        if expects_continue {
            headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        }
        // Computed after the provider ran, which may take long.
        let left = deadline.saturating_duration_since(Instant::now());
        let request = self.agent.configure_request(request).timeout_global(Some(left)).build();
        let (parts, mut body) = self.agent.run(request)?.into_parts();
        let mut kept = Vec::new();
        // The status decides: an incomplete or late body only loses details.
        let _ = body.as_reader().take(MAX_BODY_BYTES).read_to_end(&mut kept);
        Ok(Reply { status: parts.status, headers: parts.headers, body: kept })
    }

    /// What is wrong where an error occurred before an answer.
    fn fault(&self, error: &ureq::Error) -> Fault {
        use ureq::Error::{
            BadUri, ConnectProxyFailed, ConnectionFailed, HostNotFound, Http, InvalidProxyUrl, Io, Protocol,
            Timeout,
        };
        let is_secure = self.url.scheme() == Some(&Scheme::HTTPS);
        match error {
            error if !self.was_answered && is_closed(error) => {
                if is_secure {
                    Fault::Tls
                } else {
                    Fault::WrongServer
                }
            }
            Io(error) => match Fault::of_io(error) {
                Fault::Tls if !is_secure => Fault::WrongServer,
                fault => fault,
            },
            HostNotFound | ConnectionFailed => Fault::Unreachable,
            Timeout(_) => Fault::Silent,
            Http(_) | Protocol(_) => Fault::WrongServer,
            ConnectProxyFailed(_) | InvalidProxyUrl => Fault::Proxy,
            BadUri(_) => Fault::Other,
            // The others of a request are about certificates.
            _ if is_secure => Fault::Tls,
            _ => Fault::Other,
        }
    }

    /// The meaning of an error that occurred before an answer.
    fn no_answer(&self, error: ureq::Error) -> Answer {
        let host = agent::host(&self.url);
        let why = match &error {
            ureq::Error::Timeout(_) => format!("no answer from {host} in time (timeout)"),
            error => format!("no answer from {host}: {error}"),
        };
        match error {
            // Errors of the settings, which no retry mends.
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => {
                Answer::Refused { why }
            }
            error => {
                // It may be away, or be something else.
                let hint = match is_closed(&error) && !self.was_answered {
                    true if self.url.scheme() == Some(&Scheme::HTTPS) => TLS_CUT_OFF_HINT,
                    true => CUT_OFF_HINT,
                    false => "",
                };
                Answer::TryAgain { after: None, why: hinted(why) + hint }
            }
        }
    }
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    // IPv6 addresses are in brackets in URLs.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Removes the headers that frame a request: the client sets them, and others could make receivers
/// see requests that were never sent.
fn drop_reserved(headers: &mut HeaderMap) {
    for name in [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING]
    {
        if headers.remove(&name).is_some() {
            report_once(format_args!("the header {name} cannot be set for OTLP; it is left out"));
        }
    }
}
