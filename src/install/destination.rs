//! Where the SDK's exporter of a signal sends.

use std::time::Duration;

use http::HeaderMap;
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};

use crate::error::Error;
use crate::install::client::BlockingClient;
use crate::otlp::settings::choices::Protocol as Form;
use crate::otlp::settings::destination::{headers, url, Endpoint};
use crate::otlp::settings::signal::Signal;
use crate::otlp::settings::tls::Tls;
use crate::otlp::settings::{tls, variables};

/// What the builder was told of OTLP, over what the environment says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: Option<Form>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Told {
    pub(crate) fn protocol(&self, signal: Signal) -> Form {
        self.protocol.or_else(|| Form::from_env(signal)).unwrap_or_default()
    }
}

pub(crate) fn rejected(url: &str, error: opentelemetry_otlp::ExporterBuildError) -> Error {
    Error::setting("the OTLP endpoint", url, "one that the exporter takes").with_source(error)
}

/// Where the SDK's exporter of a signal sends.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) protocol: Form,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) tls: Tls,
}

impl Destination {
    pub(crate) fn find(signal: Signal, told: &Told) -> Result<Self, Error> {
        report_ignored_compression(signal);
        let protocol = told.protocol(signal);
        let endpoint = told.endpoint.clone().map(Endpoint::Base);
        Ok(Self {
            protocol,
            url: url(signal, endpoint.as_ref(), protocol)?.to_string(),
            headers: headers(signal, &told.headers)?,
            timeout: variables::timeout(&signal.variables("TIMEOUT")),
            tls: Tls::find(signal, tls::Told::default())?,
        })
    }

    pub(crate) fn over_http<B: WithExportConfig + WithHttpConfig>(self, builder: B) -> Result<B, Error> {
        let protocol = match self.protocol {
            Form::HttpJson => Protocol::HttpJson,
            _ => Protocol::HttpBinary,
        };
        Ok(builder
            .with_protocol(protocol)
            .with_timeout(self.timeout)
            .with_http_client(BlockingClient::new(self.timeout, self.headers, &self.tls)?)
            .with_endpoint(self.url))
    }
}

/// The SDK's exporters know fewer than the specification.
fn report_ignored_compression(signal: Signal) {
    for name in signal.variables("COMPRESSION") {
        if let Some(value) =
            variables::text(&name).filter(|value| !["none", "gzip"].contains(&value.as_str()))
        {
            variables::ignore(&name, &value, "none or gzip here");
        }
    }
}
