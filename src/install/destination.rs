//! Where the SDK's exporter of a signal sends, and how.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, Protocol as SdkProtocol, WithExportConfig, WithHttpConfig};
use ureq::Agent;

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::otlp::settings::choices::Protocol;
use crate::otlp::settings::overrides::Overrides;
use crate::otlp::settings::{variables, HeaderProvider, Target};
use crate::otlp::signal::Signal;
use crate::otlp::transport::http::{agent, MAX_BODY_BYTES};

#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) protocol: Protocol,
    pub(crate) to: Target,
    pub(crate) timeout: Duration,
}

impl Destination {
    pub(crate) fn find(signal: Signal, overrides: &Overrides) -> Result<Self, Error> {
        report_ignored_compression(signal);
        Ok(Self {
            protocol: overrides.protocol(signal),
            to: overrides.target(signal)?,
            // The specification's default.
            timeout: overrides.timeout(signal).unwrap_or(Duration::from_secs(10)),
        })
    }

    pub(crate) fn over_http<B, E>(
        self,
        builder: B,
        build: impl FnOnce(B) -> Result<E, ExporterBuildError>,
    ) -> Result<E, Error>
    where
        B: WithExportConfig + WithHttpConfig,
    {
        let protocol = match self.protocol {
            Protocol::HttpJson => SdkProtocol::HttpJson,
            _ => SdkProtocol::HttpBinary,
        };
        let url = self.to.url.to_string();
        let builder = builder
            .with_protocol(protocol)
            .with_timeout(self.timeout)
            .with_http_client(BlockingClient::new(self.timeout, self.to)?)
            .with_endpoint(&url);
        build(builder).map_err(|error| rejected(&url, error))
    }
}

pub(crate) fn rejected(url: &str, error: ExporterBuildError) -> Error {
    Error::setting("the OTLP endpoint", url, "one that the exporter accepts").with_source(error)
}

/// The SDK's exporters support fewer compressions than the specification.
fn report_ignored_compression(signal: Signal) {
    for name in signal.variables("COMPRESSION") {
        if let Some(value) =
            variables::text(&name).filter(|value| !["none", "gzip"].contains(&value.as_str()))
        {
            variables::ignore(&name, &value, "none or gzip here");
        }
    }
}

/// The blocking HTTP client of the SDK's OTLP exporters.
///
/// The SDK's batch processors export on threads of their own and wait there, so that an
/// asynchronous client would gain nothing, and its runtime could be one that the caller blocks.
#[derive(Debug)]
struct BlockingClient {
    agent: Agent,
    /// Set on each request. They replace those that the exporter sets.
    headers: HeaderMap,
    /// Gives more headers for each request, which take precedence.
    provider: Option<HeaderProvider>,
}

impl BlockingClient {
    fn new(timeout: Duration, to: Target) -> Result<Self, Error> {
        let agent = agent::config(&to.tls)?.timeout_global(Some(timeout)).build().new_agent();
        Ok(Self { agent, headers: to.headers, provider: to.header_provider })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut request = request.map(Vec::from);
        let provided = self.provider.iter().flat_map(HeaderProvider::headers);
        let provided = provided.filter_map(|(name, value)| Some((name?, value)));
        let own = self.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        request.headers_mut().extend(own.chain(provided).map(|(name, value)| (Some(name), value)));
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
