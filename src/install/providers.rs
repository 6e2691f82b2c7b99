//! Builds the SDK's providers with their processors and exporters, and the pipelines of the direct
//! path.

use std::path::Path;
use std::sync::Arc;

use opentelemetry_sdk::logs::{LogProcessor, LoggerProviderBuilder, SdkLoggerProvider};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanProcessor, TracerProviderBuilder};
use opentelemetry_sdk::Resource;

use crate::error::Error;
use crate::install::env::{self, Exporters};
use crate::install::exporter::Exporter;
use crate::install::guard::Direct;
use crate::install::metered::{self, Meter};
use crate::job::processor::JobSpanProcessor;
use crate::keys::Keys;
use crate::otlp::builder::PipelineBuilder;
use crate::otlp::settings::overrides::Overrides;
use crate::otlp::settings::variables;
use crate::otlp::signal::Signal;

/// A change to the builder of a provider, which hides the type of what is added.
pub(crate) type Change<B> = Box<dyn FnOnce(B) -> B + Send>;

pub(crate) fn span_processor(processor: impl SpanProcessor + 'static) -> Change<TracerProviderBuilder> {
    Box::new(|provider| provider.with_span_processor(processor))
}

pub(crate) fn log_processor(processor: impl LogProcessor + 'static) -> Change<LoggerProviderBuilder> {
    Box::new(|provider| provider.with_log_processor(processor))
}

/// A change to the settings of each pipeline.
pub(crate) type ChangePipeline = Box<dyn Fn(PipelineBuilder) -> PipelineBuilder + Send>;

/// The destinations of telemetry.
pub(crate) struct Outputs<'a> {
    overrides: &'a Overrides,
    /// The overrides with what the program changed about the pipelines, for the SDK's exporters.
    all_overrides: Overrides,
    /// Where the files of JSON lines are written, if any.
    directory: Option<&'a Path>,
    /// What the program changed about the pipelines.
    change: Option<&'a ChangePipeline>,
}

impl<'a> Outputs<'a> {
    pub(crate) fn new(
        overrides: &'a Overrides,
        directory: Option<&'a Path>,
        change: Option<&'a ChangePipeline>,
    ) -> Self {
        let all_overrides = pipeline(overrides, change).into_overrides();
        Self { overrides, all_overrides, directory, change }
    }

    /// A provider exists even without exporters: records take their ids from its spans. `direct`: the
    /// pipelines that spans go to; without any, the SDK's processors and exporters deliver them.
    pub(crate) fn spans(
        &self,
        resource: Resource,
        keys: Keys,
        changes: Vec<Change<TracerProviderBuilder>>,
        direct: Option<&[Direct]>,
        meters: &mut Vec<Arc<Meter>>,
    ) -> Result<SdkTracerProvider, Error> {
        env::report_invalid_of_spans();
        let exporters = self.exporters(Signal::Traces);
        let job = JobSpanProcessor::new().with_keys(keys);
        let mut provider = SdkTracerProvider::builder().with_resource(resource).with_span_processor(job);
        for change in changes {
            provider = change(provider);
        }
        for to in direct.unwrap_or_default().iter().filter(|to| to.has_spans) {
            provider = provider.with_span_processor(to.pipeline.try_span_processor()?);
        }
        if exporters.otlp && direct.is_none() {
            let exporter = Exporter::otlp(Signal::Traces, &self.all_overrides)?;
            provider = provider.with_span_processor(metered::span_processor(exporter, "otlp", meters));
        }
        if let Some(directory) = self.directory.filter(|_| direct.is_none()) {
            let exporter = Exporter::file(Signal::Traces, directory.join("traces.jsonl"))?;
            provider = provider.with_span_processor(metered::span_processor(exporter, "json-lines", meters));
        }
        if exporters.console {
            let exporter = Exporter::console(Signal::Traces);
            provider = provider.with_span_processor(metered::span_processor(exporter, "console", meters));
        }
        Ok(provider.build())
    }

    /// Whether the direct path leads to all destinations of records.
    pub(crate) fn is_direct_for_logs(&self) -> bool {
        !self.exporters(Signal::Logs).console
    }

    /// A pipeline to each destination of the signals that take the direct path. The file comes first:
    /// it never makes the others wait.
    pub(crate) fn pipelines(&self, has_logs: bool, has_spans: bool) -> Result<Vec<Direct>, Error> {
        let mut pipelines = Vec::new();
        let mut add = |exporter, builder: PipelineBuilder, has_logs, has_spans| {
            if has_logs || has_spans {
                let pipeline = builder.with_spool_below(exporter).build_for(has_logs, has_spans)?;
                pipelines.push(Direct { exporter, pipeline, has_logs, has_spans });
            }
            Ok::<_, Error>(())
        };
        if let Some(directory) = self.directory {
            let builder = self.pipeline().with_json_lines(directory.join("logs.jsonl"));
            add("json-lines", builder, has_logs, has_spans)?;
        }
        let goes_to_otlp = |signal| self.exporters(signal).otlp;
        let has_logs = has_logs && goes_to_otlp(Signal::Logs);
        let has_spans = has_spans && goes_to_otlp(Signal::Traces);
        add("otlp", self.pipeline(), has_logs, has_spans)?;
        Ok(pipelines)
    }

    /// Whether the program wants a spool.
    pub(crate) fn has_spool(&self) -> bool {
        self.pipeline().has_spool()
    }

    fn pipeline(&self) -> PipelineBuilder {
        pipeline(self.overrides, self.change)
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
            let exporter = Exporter::otlp(Signal::Logs, &self.all_overrides)?;
            provider = provider.with_log_processor(metered::log_processor(exporter, "otlp", meters));
        }
        if let Some(directory) = self.directory {
            let exporter = Exporter::file(Signal::Logs, directory.join("logs.jsonl"))?;
            provider = provider.with_log_processor(metered::log_processor(exporter, "json-lines", meters));
        }
        if exporters.console {
            let exporter = Exporter::console(Signal::Logs);
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
                || self.all_overrides.endpoint_of(signal).is_some()
                || signal.variables("ENDPOINT").iter().any(is_set),
            console: false,
        })
    }
}

fn pipeline(overrides: &Overrides, change: Option<&ChangePipeline>) -> PipelineBuilder {
    let builder = PipelineBuilder::from(overrides.clone());
    match change {
        Some(change) => change(builder),
        None => builder,
    }
}
