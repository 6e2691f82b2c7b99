//! Where the SDK's exporter of a signal sends, and how.

use std::time::Duration;

use opentelemetry_otlp::{ExporterBuildError, Protocol as SdkProtocol, WithExportConfig, WithHttpConfig};

use crate::error::Error;
use crate::install::client::BlockingClient;
use crate::otlp::settings::choices::Protocol;
use crate::otlp::settings::overrides::Overrides;
use crate::otlp::settings::signal::Signal;
use crate::otlp::settings::{variables, Target};

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
            .with_http_client(BlockingClient::new(self.timeout, self.to.headers, &self.to.tls)?)
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
