//! Where OTLP goes, and how: endpoint, headers and timeout of one signal, and its exporter.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};

use super::client::BlockingClient;
use super::{env, grpc};
pub(super) use crate::otlp::settings::destination::Signal;
use crate::otlp::settings::destination::{headers, url, Endpoint};
use crate::otlp::settings::tls::{self, Tls};
use crate::otlp::settings::{variables, Protocol as Form};
use crate::otlp::Pipeline;
use crate::Error;

/// What the builder was told of OTLP, over what the environment says.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) endpoint: Option<String>,
    pub(super) protocol: Option<Form>,
    pub(super) headers: Vec<(String, String)>,
}

impl Told {
    fn protocol(&self, signal: Signal) -> Form {
        self.protocol.or_else(|| Form::from_env(signal)).unwrap_or_default()
    }
}

/// Whether anybody said where a signal goes.
pub(super) fn has_endpoint(signal: Signal, told: &Told) -> bool {
    told.endpoint.is_some() || signal.variables("ENDPOINT").iter().any(|name| env::text(name).is_some())
}

/// What a pipeline for logs writes beside the records.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    pub(super) service_name: Option<String>,
    pub(super) attributes: Vec<KeyValue>,
}

/// Logs straight to a receiver of OTLP.
pub(super) fn pipeline(told: &Told, about: About) -> Result<Pipeline, Error> {
    let mut builder = about.builder().with_protocol(told.protocol(Signal::Logs));
    if let Some(endpoint) = &told.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    for (name, value) in &told.headers {
        builder = builder.with_header(name, value);
    }
    builder.build()
}

/// Logs straight to a file of JSON lines.
pub(super) fn pipeline_to_file(path: PathBuf, about: About) -> Result<Pipeline, Error> {
    about.builder().with_json_lines(path).build()
}

impl About {
    fn builder(self) -> crate::otlp::Builder {
        let builder = Pipeline::builder().with_resource_attributes(self.attributes);
        match self.service_name {
            Some(name) => builder.with_service_name(name),
            None => builder,
        }
    }
}

pub(super) fn log_exporter(told: &Told) -> Result<LogExporter, Error> {
    let to = Destination::find(Signal::Logs, told)?;
    if to.protocol == Form::Grpc {
        return grpc::log_exporter(to);
    }
    let url = to.url.clone();
    to.over_http(LogExporter::builder().with_http())?.build().map_err(|error| rejected(&url, error))
}

pub(super) fn span_exporter(told: &Told) -> Result<SpanExporter, Error> {
    let to = Destination::find(Signal::Traces, told)?;
    if to.protocol == Form::Grpc {
        return grpc::span_exporter(to);
    }
    let url = to.url.clone();
    to.over_http(SpanExporter::builder().with_http())?.build().map_err(|error| rejected(&url, error))
}

pub(super) fn rejected(url: &str, error: opentelemetry_otlp::ExporterBuildError) -> Error {
    Error::setting("the OTLP endpoint", url, "one that the exporter takes").with_source(error)
}

/// Where the SDK's exporter of a signal sends.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) protocol: Form,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) tls: Tls,
}

impl Destination {
    fn find(signal: Signal, told: &Told) -> Result<Self, Error> {
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

    fn over_http<B: WithExportConfig + WithHttpConfig>(self, builder: B) -> Result<B, Error> {
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
        if let Some(value) = env::text(&name).filter(|value| !["none", "gzip"].contains(&value.as_str())) {
            variables::ignore(&name, &value, "none or gzip here");
        }
    }
}
