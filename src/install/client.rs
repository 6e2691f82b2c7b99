//! The blocking HTTP client of the SDK's OTLP exporters.
//!
//! The SDK's batch processors export on threads of their own and wait there, so that an
//! asynchronous client would gain nothing, and its runtime could be one that the caller blocks.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use ureq::Agent;

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::otlp::settings::tls::Tls;
use crate::otlp::transport::http::{agent, MAX_BODY_BYTES};

#[derive(Debug)]
pub(crate) struct BlockingClient {
    agent: Agent,
    /// Set on each request. They replace those that the exporter sets.
    headers: HeaderMap,
}

impl BlockingClient {
    pub(crate) fn new(timeout: Duration, headers: HeaderMap, tls: &Tls) -> Result<Self, Error> {
        let agent = agent::config(tls)?.timeout_global(Some(timeout)).build().new_agent();
        Ok(Self { agent, headers })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut request = request.map(Vec::from);
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let host = agent::host(request.uri()).to_owned();
        let answer = self.agent.run(request).inspect_err(|error| {
            // The exporter says no more than "network error".
            report_once(format_args!("no answer from {host}: {error}"));
        });
        let (parts, body) = answer?.into_parts();
        // The status decides: a body that is too large or incomplete only loses details.
        let body = body.into_with_config().limit(MAX_BODY_BYTES).read_to_vec().unwrap_or_default();
        Ok(Response::from_parts(parts, body.into()))
    }
}

#[async_trait]
impl HttpClient for BlockingClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // What the client and its TLS log is not collected: the SDK exports under telemetry
        // suppression, which the log layer and the console respect. A scoped `NoSubscriber` is no
        // alternative: while any thread has a scoped default, tracing drops the events that an
        // event's values log while they are formatted, on all threads.
        self.send(request)
    }
}
