//! The HTTP client under the OTLP exporters: a blocking one.
//!
//! The SDK's batch processors export on threads of their own and wait there, so nothing is won by
//! an asynchronous client, and a runtime to drive it could be one that the caller is blocking.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use ureq::Agent;

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::otlp::settings::tls::Tls;
use crate::otlp::transport::http::{tls, MAX_BODY_BYTES};

#[derive(Debug)]
pub(crate) struct BlockingClient {
    agent: Agent,
    /// Set on each request, over those that the exporter sets.
    headers: HeaderMap,
}

impl BlockingClient {
    pub(crate) fn new(timeout: Duration, headers: HeaderMap, tls: &Tls) -> Result<Self, Error> {
        let agent = Agent::config_builder()
            .timeout_global(Some(timeout))
            // An answer is an answer: what it means is the exporter's business.
            .http_status_as_error(false)
            // A redirect could carry the headers, and what they authorise, to anyone.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls::config(tls)?)
            .build()
            .new_agent();
        Ok(Self { agent, headers })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut request = request.map(Vec::from);
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let answer = self.agent.run(request).inspect_err(|error| {
            // The exporter makes "network error" of it. What is before an @ is a secret.
            let host = host.rsplit('@').next().unwrap_or_default();
            report_once(format_args!("no answer from {host}: {error}"));
        });
        let (parts, body) = answer?.into_parts();
        // The status decides. A body that is too large, or breaks off, only costs what it would have told.
        let body = body.into_with_config().limit(MAX_BODY_BYTES).read_to_vec().unwrap_or_default();
        Ok(Response::from_parts(parts, body.into()))
    }
}

#[async_trait]
impl HttpClient for BlockingClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // What the client and its TLS say of themselves goes nowhere: the SDK exports under telemetry
        // suppression, which the log layer and the console heed. A scoped `NoSubscriber` would do it
        // too, but while any thread has a scoped default, tracing swallows what the values of an event
        // log, on all threads.
        self.send(request)
    }
}
