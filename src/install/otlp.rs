//! Where OTLP goes, and how: endpoint, headers and timeout of one signal, and its exporter.

use std::path::PathBuf;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{LogExporter, SpanExporter};

use crate::error::Error;
use crate::install::destination::{rejected, Destination, Told};
use crate::install::grpc;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::settings::choices::Protocol as Form;
use crate::otlp::settings::signal::Signal;
use crate::otlp::settings::variables;

/// Whether anybody said where a signal goes.
pub(crate) fn has_endpoint(signal: Signal, told: &Told) -> bool {
    told.endpoint.is_some() || signal.variables("ENDPOINT").iter().any(|name| variables::text(name).is_some())
}

/// What a pipeline for logs writes beside the records.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) service_name: Option<String>,
    pub(crate) attributes: Vec<KeyValue>,
}

/// Logs straight to a receiver of OTLP.
pub(crate) fn pipeline(told: &Told, about: About) -> Result<Pipeline, Error> {
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
pub(crate) fn pipeline_to_file(path: PathBuf, about: About) -> Result<Pipeline, Error> {
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

pub(crate) fn log_exporter(told: &Told) -> Result<LogExporter, Error> {
    let to = Destination::find(Signal::Logs, told)?;
    if to.protocol == Form::Grpc {
        return grpc::log_exporter(to);
    }
    let url = to.url.clone();
    to.over_http(LogExporter::builder().with_http())?.build().map_err(|error| rejected(&url, error))
}

pub(crate) fn span_exporter(told: &Told) -> Result<SpanExporter, Error> {
    let to = Destination::find(Signal::Traces, told)?;
    if to.protocol == Form::Grpc {
        return grpc::span_exporter(to);
    }
    let url = to.url.clone();
    to.over_http(SpanExporter::builder().with_http())?.build().map_err(|error| rejected(&url, error))
}
