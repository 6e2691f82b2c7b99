//! Where OTLP goes, and how: endpoint, headers and timeout of one signal, and its exporter.

use std::time::Duration;

use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};

use super::client::BlockingClient;
use super::env;
pub(super) use crate::otlp::settings::destination::Signal;
use crate::otlp::settings::destination::{headers, url, Endpoint};
use crate::otlp::settings::{variables, Protocol as Form};
use crate::otlp::Pipeline;
use crate::Error;

/// What the builder was told of OTLP, over what the environment says.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) endpoint: Option<String>,
    pub(super) headers: Vec<(String, String)>,
}

/// Whether anybody said where a signal goes.
pub(super) fn has_endpoint(signal: Signal, told: &Told) -> bool {
    told.endpoint.is_some() || signal.variables("ENDPOINT").iter().any(|name| env::text(name).is_some())
}

pub(super) fn log_exporter(told: &Told) -> Result<LogExporter, Error> {
    let to = Destination::find(Signal::Logs, told)?;
    LogExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(to.timeout)
        .with_http_client(BlockingClient::new(to.timeout, to.headers))
        .with_endpoint(&to.url)
        .build()
        .map_err(|error| rejected(&to.url, error))
}

/// Logs straight to OTLP. The protocol is that of the spans: they share an endpoint.
pub(super) fn pipeline(
    told: &Told,
    service_name: Option<String>,
    attributes: Vec<KeyValue>,
) -> Result<Pipeline, Error> {
    report_ignored_choice(Signal::Logs, "PROTOCOL", &["http/protobuf"]);
    let mut builder =
        Pipeline::builder().with_protocol(Form::HttpProtobuf).with_resource_attributes(attributes);
    if let Some(name) = service_name {
        builder = builder.with_service_name(name);
    }
    if let Some(endpoint) = &told.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    for (name, value) in &told.headers {
        builder = builder.with_header(name, value);
    }
    builder.build()
}

pub(super) fn span_exporter(told: &Told) -> Result<SpanExporter, Error> {
    let to = Destination::find(Signal::Traces, told)?;
    SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(to.timeout)
        .with_http_client(BlockingClient::new(to.timeout, to.headers))
        .with_endpoint(&to.url)
        .build()
        .map_err(|error| rejected(&to.url, error))
}

fn rejected(url: &str, error: opentelemetry_otlp::ExporterBuildError) -> Error {
    Error::setting("the OTLP endpoint", url, "one that the exporter takes").with_source(error)
}

struct Destination {
    url: String,
    headers: HeaderMap,
    timeout: Duration,
}

impl Destination {
    fn find(signal: Signal, told: &Told) -> Result<Self, Error> {
        report_ignored(signal);
        let endpoint = told.endpoint.clone().map(Endpoint::Base);
        Ok(Self {
            url: url(signal, endpoint.as_ref(), Form::HttpProtobuf)?.to_string(),
            headers: headers(signal, &told.headers)?,
            timeout: variables::timeout(&signal.variables("TIMEOUT")),
        })
    }
}

/// Settings that mean something to the specification but nothing here.
fn report_ignored(signal: Signal) {
    report_ignored_choice(signal, "PROTOCOL", &["http/protobuf"]);
    report_ignored_choice(signal, "COMPRESSION", &["none", "gzip"]);
    for what in ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"] {
        for name in signal.variables(what) {
            if let Some(value) = env::text(&name) {
                variables::ignore(&name, &value, "unset: only the built-in roots are trusted");
            }
        }
    }
}

fn report_ignored_choice(signal: Signal, what: &str, usable: &[&str]) {
    for name in signal.variables(what) {
        if let Some(value) = env::text(&name).filter(|value| !usable.contains(&value.as_str())) {
            variables::ignore(&name, &value, &format!("{} here", usable.join(" or ")));
        }
    }
}
