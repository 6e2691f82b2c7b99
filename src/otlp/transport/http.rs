//! OTLP over HTTP, with a blocking client: the last step of the walk.
//!
//! The worker has a thread of its own and waits there, so nothing is won by an asynchronous client, and a
//! runtime to drive it could be one that the caller is blocking. Its thread has no subscriber, so
//! that what the client and its TLS say of themselves goes nowhere. While a name is looked up there is
//! one more thread, of ureq, that does this and says nothing: the lookup has no time limit of its own.

mod body;
pub(crate) mod tls;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::net::IpAddr;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Instant, SystemTime};
use std::{io, mem};

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use ureq::{Agent, Proxy};

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::otlp::deliver::request;
use crate::otlp::settings::{HeaderProvider, Target};
use crate::otlp::transport::answer::Reply;
use crate::otlp::transport::http::body::{Bodies, JsonEncoder};
use crate::otlp::transport::{Answer, Transport};

/// What an answer may have at most: the bound that the specification suggests.
pub(crate) const MOST_BODY_BYTES: u64 = 4 * 1024 * 1024;

const USER_AGENT: &str = concat!("spanlog-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"));

/// Sends requests to one URL, over a connection that is kept open.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    bodies: Bodies,
    /// The last request broke off on its way.
    broke_off: bool,
}

impl Http {
    /// With `json`, requests go as JSON.
    ///
    /// # Errors
    ///
    /// If a certificate cannot be used, or the compression is not built in.
    pub(crate) fn new(to: Target, json: Option<JsonEncoder>) -> Result<Self, Error> {
        // A proxy for this machine would be another machine. Go's clients see it so, curl does not.
        let proxy = if is_loopback(&to.url) { None } else { Proxy::try_from_env() };
        let agent = Agent::config_builder()
            .proxy(proxy)
            // An answer is an answer: what it means is said elsewhere.
            .http_status_as_error(false)
            // A redirect could carry the headers, and what they authorise, to anyone.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(USER_AGENT)
            .tls_config(tls::config(&to.tls)?)
            .build()
            .new_agent();
        let bodies = Bodies::new(json, to.compression)?;
        let mut headers = to.headers;
        drop_reserved(&mut headers);
        headers.extend(bodies.headers());
        Ok(Self {
            client: Client { agent, url: to.url, headers, provider: to.header_provider },
            bodies,
            broke_off: false,
        })
    }

    fn exchange(&mut self, request: &mut request::Request, deadline: Instant) -> Answer {
        let body = match self.bodies.encode(request.bytes()) {
            Ok(body) => body,
            Err(why) => return Answer::Refused { why },
        };
        // Who does not want a request may answer its head and close, and the client misses that while it
        // writes. After such an end it waits for a word before it writes the body, for a second at most.
        let waits = mem::take(&mut self.broke_off);
        let mut reply = self.client.post(&body, waits, deadline);
        let is_unauthorized = |reply: &Reply| reply.status == StatusCode::UNAUTHORIZED;
        if self.client.provider.is_some() && reply.as_ref().is_ok_and(is_unauthorized) {
            // The token may have expired between being given and being looked at: once more, with a fresh one.
            reply = self.client.post(&body, waits, deadline);
        }
        match reply {
            Ok(reply) => reply.meaning(SystemTime::now()),
            Err(error) => {
                self.broke_off = is_broken_off(&error);
                self.client.silence(error)
            }
        }
    }
}

/// Whether the other side closed the connection.
fn is_broken_off(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let ureq::Error::Io(error) = error else { return false };
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}

impl Transport for Http {
    fn send(&mut self, request: &mut request::Request, deadline: Instant) -> Answer {
        // The provider is the user's code, and the client panics where it cannot start a thread.
        catch_unwind(AssertUnwindSafe(|| self.exchange(request, deadline))).unwrap_or_else(|_| {
            let why = String::from("the header provider or the HTTP client panicked");
            Answer::TryAgain { after: None, why }
        })
    }
}

#[derive(Debug)]
struct Client {
    agent: Agent,
    url: Uri,
    headers: HeaderMap,
    provider: Option<HeaderProvider>,
}

impl Client {
    fn post(&self, body: &[u8], waits: bool, deadline: Instant) -> Result<Reply, ureq::Error> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        *headers = self.headers.clone();
        if let Some(provider) = &self.provider {
            let mut provided = provider.headers();
            drop_reserved(&mut provided);
            headers.extend(provided);
        }
        if waits {
            headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        }
        // Asked for after the provider, which may have taken its time.
        let left = deadline.saturating_duration_since(Instant::now());
        let request = self.agent.configure_request(request).timeout_global(Some(left)).build();
        let (parts, mut body) = self.agent.run(request)?.into_parts();
        let mut kept = Vec::new();
        // The status decides. A body that breaks off, or is late, only costs what it would have told.
        let _ = body.as_reader().take(MOST_BODY_BYTES).read_to_end(&mut kept);
        Ok(Reply { status: parts.status, headers: parts.headers, body: kept })
    }

    /// What it means that there is no answer.
    fn silence(&self, error: ureq::Error) -> Answer {
        // What is before an @ is a secret.
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        let host = host.rsplit('@').next().unwrap_or_default();
        let why = format!("no answer from {host}: {error}");
        match error {
            // Of the settings, not of the other side: these never get better.
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => {
                Answer::Refused { why }
            }
            _ => Answer::TryAgain { after: None, why },
        }
    }
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    // IPv6 addresses have brackets in URLs.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// What frames the request is the client's to say: with a second opinion, receivers would see requests that were never sent.
fn drop_reserved(headers: &mut HeaderMap) {
    for name in [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING]
    {
        if headers.remove(&name).is_some() {
            report_once(format_args!("the header {name} cannot be set for OTLP; it is left out"));
        }
    }
}
