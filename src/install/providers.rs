//! Builds the SDK's providers with their processors and exporters, and the pipelines of the direct
//! path.

use std::path::Path;
use std::sync::Arc;

use opentelemetry_otlp as sdk;
use opentelemetry_sdk::logs::{LogProcessor, LoggerProviderBuilder, SdkLoggerProvider};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanProcessor, TracerProviderBuilder};
use opentelemetry_sdk::Resource;

use crate::error::Error;
use crate::install::destination::Destination;
use crate::install::env::Exporters;
use crate::install::guard::Direct;
use crate::install::metered::{self, Meter};
use crate::install::{env, grpc};
use crate::job::processor::JobSpanProcessor;
use crate::json_lines::{JsonLinesLogExporter, JsonLinesSpanExporter};
use crate::keys::Keys;
use crate::otlp::builder::Builder as PipelineBuilder;
use crate::otlp::settings::choices::Protocol;
use crate::otlp::settings::overrides::Overrides;
use crate::otlp::settings::signal::Signal;
use crate::otlp::settings::variables;

/// A change to the builder of a provider, which hides the type of what is added.
pub(crate) type Change<B> = Box<dyn FnOnce(B) -> B + Send>;

pub(crate) fn span_processor(processor: impl SpanProcessor + 'static) -> Change<TracerProviderBuilder> {
    Box::new(|provider| provider.with_span_processor(processor))
}

pub(crate) fn log_processor(processor: impl LogProcessor + 'static) -> Change<LoggerProviderBuilder> {
    Box::new(|provider| provider.with_log_processor(processor))
}

/// The destinations of telemetry.
pub(crate) struct Outputs<'a> {
    pub(crate) overrides: &'a Overrides,
    /// Where the files of JSON lines are written, if any.
    pub(crate) directory: Option<&'a Path>,
}

impl Outputs<'_> {
    /// A provider exists even without exporters: records take their ids from its spans.
    pub(crate) fn spans(
        &self,
        resource: Resource,
        keys: Keys,
        changes: Vec<Change<TracerProviderBuilder>>,
        meters: &mut Vec<Arc<Meter>>,
    ) -> Result<SdkTracerProvider, Error> {
        env::report_invalid_of_spans();
        let exporters = self.exporters(Signal::Traces);
        let job = JobSpanProcessor::new().with_keys(keys);
        let mut provider = SdkTracerProvider::builder().with_resource(resource).with_span_processor(job);
        for change in changes {
            provider = change(provider);
        }
        if exporters.otlp {
            let exporter = span_exporter(self.overrides)?;
            provider = provider.with_span_processor(metered::span_processor(exporter, "otlp", meters));
        }
        if let Some(directory) = self.directory {
            let exporter = JsonLinesSpanExporter::new(directory.join("traces.jsonl"))?;
            provider = provider.with_span_processor(metered::span_processor(exporter, "json-lines", meters));
        }
        if exporters.console {
            let exporter = JsonLinesSpanExporter::stdout();
            provider = provider.with_span_processor(metered::span_processor(exporter, "console", meters));
        }
        Ok(provider.build())
    }

    /// Whether the direct path leads to all destinations of records.
    pub(crate) fn is_direct_for_logs(&self) -> bool {
        !self.exporters(Signal::Logs).console
    }

    /// A pipeline to each destination of records. The file comes first: it never makes the others
    /// wait.
    pub(crate) fn pipelines(&self) -> Result<Vec<Direct>, Error> {
        let builder = || PipelineBuilder::from(self.overrides.clone());
        let mut pipelines = Vec::new();
        if let Some(directory) = self.directory {
            let pipeline = builder().with_json_lines(directory.join("logs.jsonl")).build()?;
            pipelines.push(Direct { exporter: "json-lines", pipeline });
        }
        if self.exporters(Signal::Logs).otlp {
            pipelines.push(Direct { exporter: "otlp", pipeline: builder().build()? });
        }
        Ok(pipelines)
    }

    /// `None` if there is no destination.
    pub(crate) fn logs(
        &self,
        resource: Resource,
        changes: Vec<Change<LoggerProviderBuilder>>,
        meters: &mut Vec<Arc<Meter>>,
    ) -> Result<Option<SdkLoggerProvider>, Error> {
        let exporters = self.exporters(Signal::Logs);
        if changes.is_empty() && self.directory.is_none() && exporters == Exporters::default() {
            return Ok(None);
        }
        let mut provider = SdkLoggerProvider::builder().with_resource(resource);
        for change in changes {
            provider = change(provider);
        }
        if exporters.otlp {
            let exporter = log_exporter(self.overrides)?;
            provider = provider.with_log_processor(metered::log_processor(exporter, "otlp", meters));
        }
        if let Some(directory) = self.directory {
            let exporter = JsonLinesLogExporter::new(directory.join("logs.jsonl"))?;
            provider = provider.with_log_processor(metered::log_processor(exporter, "json-lines", meters));
        }
        if exporters.console {
            let exporter = JsonLinesLogExporter::stdout();
            provider = provider.with_log_processor(metered::log_processor(exporter, "console", meters));
        }
        Ok(Some(provider.build()))
    }

    /// The specification's default is OTLP, to localhost if nothing else is set. A program that
    /// only asks for files has no collector there.
    fn exporters(&self, signal: Signal) -> Exporters {
        let is_set = |name: &String| variables::text(name).is_some();
        env::exporters(signal.exporter_variable()).unwrap_or_else(|| Exporters {
            otlp: self.directory.is_none()
                || self.overrides.endpoint.is_some()
                || signal.variables("ENDPOINT").iter().any(is_set),
            console: false,
        })
    }
}

fn log_exporter(overrides: &Overrides) -> Result<sdk::LogExporter, Error> {
    let to = Destination::find(Signal::Logs, overrides)?;
    match to.protocol {
        Protocol::Grpc => grpc::log_exporter(to),
        _ => to.over_http(sdk::LogExporter::builder().with_http(), |builder| builder.build()),
    }
}

fn span_exporter(overrides: &Overrides) -> Result<sdk::SpanExporter, Error> {
    let to = Destination::find(Signal::Traces, overrides)?;
    match to.protocol {
        Protocol::Grpc => grpc::span_exporter(to),
        _ => to.over_http(sdk::SpanExporter::builder().with_http(), |builder| builder.build()),
    }
}
