//! Registration in one call: console, spans and logs, with every `OTEL_*` variable honoured.
//!
//! ```no_run
//! # fn main() -> Result<(), spanlog::Error> {
//! let _guard = spanlog::builder().with_service_name("runner").install()?;
//! tracing::info!("on the console, and at the collector");
//! # Ok(())
//! # }
//! ```
//!
//! # What it installs
//!
//! * a global filter, so that a disabled event costs nothing: `RUST_LOG`, else
//!   [`Builder::with_filter`], else [`Builder::with_level`]. They choose the events. Spans up to
//!   INFO ([`Builder::with_span_level`]) are kept in any case, because a record without its span has
//!   no ids, unless a directive turns their target or name `off`;
//! * the console, on standard error;
//! * a [`SpanLayer`](crate::SpanLayer) over an SDK tracer provider;
//! * a [`LogLayer`] that writes directly to OTLP, through a [`Pipeline`](crate::otlp::Pipeline),
//!   for each destination: a receiver, a file. With a [log processor](Builder::with_log_processor),
//!   with `console` in `OTEL_LOGS_EXPORTER`, and with [`with_sdk_logs`](Builder::with_sdk_logs), it
//!   is one layer over an SDK logger provider instead. Events of targets that begin with
//!   `opentelemetry` are left out: they are the SDK's own;
//! * the global tracer provider, and the global propagator: those of `OTEL_PROPAGATORS`, by default W3C
//!   trace context and baggage (`tracecontext,baggage`), or those of [`Builder::with_propagator`];
//! * a [`LogTracer`], unless the process already has a logger for the `log` crate;
//! * a [`PanicHook`](crate::PanicHook), which makes a FATAL record of each panic.
//!
//! One line at DEBUG, of the target `spanlog::install`, then says where telemetry goes, and how, the sampler
//! and the filter. It reaches the console and layers of the program, and makes no record.
//! [`Guard::check`] finds out whether all of it works.
//!
//! # Where telemetry goes
//!
//! To an OTLP receiver: at [`Builder::with_endpoint`], else at `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`
//! and `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, else at `OTEL_EXPORTER_OTLP_ENDPOINT`, else at
//! `http://localhost:4318` (`4317` for gRPC). The protocol is that of [`Builder::with_protocol`] or
//! `OTEL_EXPORTER_OTLP_PROTOCOL` (and its `LOGS` and `TRACES` forms), else protobuf over HTTP.
//! `OTEL_LOGS_EXPORTER` and `OTEL_TRACES_EXPORTER` choose among `otlp`, `console` (JSON lines on
//! standard output) and `none`. [`Builder::with_json_lines`] writes files in any case, and then
//! OTLP is used only if an endpoint or an exporter variable asks for it. With
//! `OTEL_SDK_DISABLED=true` there is only the console.
//!
//! # Invalid values
//!
//! The builder takes precedence over the environment, and an empty variable counts as unset.
//! Invalid numbers and enumerations are reported once through the
//! [diagnostics](crate::set_diagnostics) and ignored. An endpoint, a header or a filter cannot be
//! ignored without sending data elsewhere, or nowhere: if invalid, they are errors of
//! [`Builder::install`]. So are the protocol `grpc` without the feature, `https://` and certificates
//! without the feature `tls`, and a certificate that cannot be read.

mod check;
mod console;
mod env;
mod exporter;
mod filter;
mod guard;
mod metered;
mod providers;
mod resource;
#[cfg(feature = "graph")]
mod recording;
#[cfg(not(feature = "graph"))]
#[path = "install/no_recording.rs"]
mod recording;
#[cfg(unix)]
mod signals;
mod startup;
mod subscriber;

use std::any::Any;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::Arc;
use std::{fmt, io};

use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::{global, Context, KeyValue, StringValue};
use opentelemetry_sdk::logs::{LogProcessor, LoggerProviderBuilder};
use opentelemetry_sdk::trace::{Sampler, ShouldSample, SpanProcessor, TracerProviderBuilder};
use opentelemetry_semantic_conventions::attribute as semconv;
use tracing::level_filters::LevelFilter;
use tracing::Dispatch;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{Layer, Registry};

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::forked::ForkedMutex;
use crate::install::console::Console;
use crate::install::env::Propagator;
use crate::install::filter::Boxed;
use crate::install::guard::Telemetry;
use crate::install::providers::{Change, ChangePipeline, Outputs};
use crate::install::recording::Recording;
use crate::install::startup::Settings;
use crate::install::subscriber::Levels;
use crate::keys::Keys;
#[cfg(feature = "graph")]
use crate::layer::recording::Recorder;
use crate::layer::LogLayer;
use crate::log_tracer::LogTracer;
use crate::op;
use crate::otlp::builder::PipelineBuilder;
use crate::otlp::deliver::reporter::Loss;
use crate::otlp::settings::choices::Protocol;
use crate::otlp::settings::overrides::Overrides;
use crate::otlp::settings::variables;
use crate::record::Records;
use crate::span_fields::SpanFields;
use crate::stats::Counters;

pub use self::console::ConsoleFormat;
pub use self::guard::{Guard, Report};
pub use self::metered::Output;

/// Begins an installation, which [`Builder::install`] completes.
pub fn builder() -> Builder {
    Builder::default()
}

/// What to install. See the [module](self) for what it installs by default.
pub struct Builder {
    overrides: Overrides,
    json_lines: Option<PathBuf>,
    level: LevelFilter,
    span_level: LevelFilter,
    filter: Option<String>,
    console: bool,
    console_level: Option<LevelFilter>,
    console_format: ConsoleFormat,
    console_ids: bool,
    span_fields: SpanFields,
    location: bool,
    threads: bool,
    keys: Keys,
    instrument_err: bool,
    span_events: LevelFilter,
    panic_hook: bool,
    start_records: bool,
    /// That of the program, for people.
    sampler: Option<String>,
    tracer_provider: Vec<Change<TracerProviderBuilder>>,
    /// A span processor is among them.
    has_own_spans: bool,
    logger_provider: Vec<Change<LoggerProviderBuilder>>,
    sdk_logs: bool,
    sdk_spans: bool,
    change_pipeline: Option<ChangePipeline>,
    layers: Vec<Boxed>,
    recording: Recording,
    detect_resource: bool,
    propagators: Vec<Propagator>,
    console_writer: BoxMakeWriter,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            overrides: Overrides::default(),
            json_lines: None,
            level: LevelFilter::INFO,
            span_level: LevelFilter::INFO,
            filter: None,
            console: true,
            console_level: None,
            console_format: ConsoleFormat::default(),
            console_ids: false,
            span_fields: SpanFields::all(),
            location: false,
            threads: false,
            keys: Keys::default(),
            instrument_err: true,
            span_events: LevelFilter::OFF,
            panic_hook: true,
            start_records: false,
            sampler: None,
            tracer_provider: Vec::new(),
            has_own_spans: false,
            logger_provider: Vec::new(),
            sdk_logs: false,
            sdk_spans: false,
            change_pipeline: None,
            layers: Vec::new(),
            recording: Recording::default(),
            detect_resource: true,
            propagators: Vec::new(),
            console_writer: BoxMakeWriter::new(io::stderr),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("overrides", &self.overrides)
            .field("json_lines", &self.json_lines)
            .field("level", &self.level)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Sets `service.name` of the resource.
    #[must_use]
    pub fn with_service_name(mut self, name: impl Into<String>) -> Self {
        self.overrides.service_name = Some(name.into());
        self
    }

    /// Sets `service.version` of the resource: `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn with_service_version(self, version: impl Into<StringValue>) -> Self {
        self.with_resource_attribute(KeyValue::new(semconv::SERVICE_VERSION, version.into()))
    }

    /// Sets `deployment.environment.name` of the resource: `production`, `staging`.
    #[must_use]
    pub fn with_environment(self, name: impl Into<StringValue>) -> Self {
        self.with_resource_attribute(KeyValue::new(semconv::DEPLOYMENT_ENVIRONMENT_NAME, name.into()))
    }

    /// Sets whether the resource has what can be detected: `service.instance.id`, which is new for each
    /// process, host, operating system, process, container and Kubernetes. Anything that is set, here or in
    /// `OTEL_RESOURCE_ATTRIBUTES`, takes precedence. Default: true.
    ///
    /// The arguments of the process are left out, as they may hold secrets.
    #[must_use]
    pub fn with_detected_resource(mut self, is_detected: bool) -> Self {
        self.detect_resource = is_detected;
        self
    }

    /// Adds an attribute to the resource.
    #[must_use]
    pub fn with_resource_attribute(self, attribute: KeyValue) -> Self {
        self.with_resource_attributes([attribute])
    }

    /// Adds attributes to the resource.
    #[must_use]
    pub fn with_resource_attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.overrides.attributes.extend(attributes);
        self
    }

    /// Sets the base URL of the OTLP receiver; `/v1/logs` and `/v1/traces` are appended.
    #[must_use]
    pub fn with_endpoint(mut self, base_url: impl Into<String>) -> Self {
        self.overrides.endpoint = Some(base_url.into());
        self
    }

    /// Sets the encoding and the transport of OTLP requests, for both signals. Default:
    /// `OTEL_EXPORTER_OTLP_PROTOCOL`, else protobuf over HTTP. gRPC needs the feature `grpc`.
    #[must_use]
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.overrides.protocol = Some(protocol);
        self
    }

    /// Adds a header to every OTLP request. It takes precedence over one with the same name in the
    /// environment.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.headers.push((name.into(), value.into()));
        self
    }

    /// Appends OTLP JSON lines to `logs.jsonl` and `traces.jsonl` in `directory`.
    #[must_use]
    pub fn with_json_lines(mut self, directory: impl Into<PathBuf>) -> Self {
        self.json_lines = Some(directory.into());
        self
    }

    /// Sets the level up to which events become records and console lines. Default: INFO.
    #[must_use]
    pub fn with_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.level = level.into();
        self
    }

    /// Sets the level up to which spans are kept, whatever [`with_level`](Self::with_level) or
    /// directives say, because a record without its span has no ids. Default: INFO. A directive
    /// `target=off` or `[name]=off` still removes spans.
    #[must_use]
    pub fn with_span_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.span_level = level.into();
        self
    }

    /// Sets the filter directives that are used if `RUST_LOG` is not set, in its syntax. They
    /// replace the level.
    #[must_use]
    pub fn with_filter(mut self, directives: &str) -> Self {
        self.filter = Some(directives.to_owned());
        self
    }

    /// Writes events to standard error. Default: on.
    #[must_use]
    pub fn with_console(mut self, console: bool) -> Self {
        self.console = console;
        self
    }

    /// Sets where the console's lines are written. Default: standard error. With a live view, use
    /// [`Progress::writer`](crate::graph::Progress::writer), which keeps lines and view apart.
    #[must_use]
    pub fn with_console_writer(
        mut self,
        writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
    ) -> Self {
        self.console_writer = BoxMakeWriter::new(writer);
        self
    }

    /// Sets the level of the console. Default: that of [`with_level`](Self::with_level), or all
    /// that the directives of a filter enable.
    #[must_use]
    pub fn with_console_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.console_level = Some(level.into());
        self
    }

    /// Sets the form of the console's lines. Default: text.
    #[must_use]
    pub fn with_console_format(mut self, format: ConsoleFormat) -> Self {
        self.console_format = format;
        self
    }

    /// Shows the ids of its span at the end of each line of text on the console. Default: off.
    #[must_use]
    pub fn with_console_ids(mut self, ids: bool) -> Self {
        self.console_ids = ids;
        self
    }

    /// Adds a layer of your own above the others. It gets what the filter lets pass.
    ///
    /// Do not wrap it in a per-layer filter (`with_filter`), for the reason that
    /// [`LogLayer`] gives.
    #[must_use]
    pub fn with_layer(mut self, layer: impl Layer<Registry> + Send + Sync) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// Sets a function that is called with each loss of a pipeline, as
    /// [`otlp::PipelineBuilder::on_loss`](PipelineBuilder::on_loss).
    #[must_use]
    pub fn on_loss(self, call: impl Fn(&Loss) + Send + Sync + 'static) -> Self {
        let call = Arc::new(call);
        let change = move |pipeline: PipelineBuilder| {
            let call = Arc::clone(&call);
            pipeline.on_loss(move |loss| call(loss))
        };
        self.with_pipeline(change)
    }

    /// Sets whether executions, steps and ops log a record when they start: see
    /// [`op::set_start_records`]. Default: false.
    #[must_use]
    pub fn with_start_records(mut self, are_wanted: bool) -> Self {
        self.start_records = are_wanted;
        self
    }

    /// Keeps records and spans in files below this directory until they are delivered, so that they outlive
    /// the process, however it ends: see [`otlp::PipelineBuilder::with_spool`](PipelineBuilder::with_spool), and
    /// [`with_pipeline`](Self::with_pipeline) for its limit and its policy. Default: none.
    ///
    /// The SDK's path has no spool.
    #[must_use]
    pub fn with_spool(self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        self.with_pipeline(move |pipeline| pipeline.with_spool(&directory))
    }

    /// Chooses which fields of the enclosing spans a record inherits. Default: all.
    #[must_use]
    pub fn with_span_fields(mut self, fields: SpanFields) -> Self {
        self.span_fields = fields;
        self
    }

    /// Adds the source location to records. Default: off.
    #[must_use]
    pub fn with_location(mut self, location: bool) -> Self {
        self.location = location;
        self
    }

    /// Adds the thread to records. Default: off.
    #[must_use]
    pub fn with_threads(mut self, threads: bool) -> Self {
        self.threads = threads;
        self
    }

    /// Adds a propagator to the global one, which then has no others, whatever `OTEL_PROPAGATORS` says. For
    /// formats that the SDK does not have, such as B3 and Jaeger.
    #[must_use]
    pub fn with_propagator(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        self.propagators.push(Box::new(propagator));
        self
    }

    /// Sets the names of the job and tool attributes, on records and spans.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Sets whether errors of `#[tracing::instrument(err)]` set the status of their span. Default:
    /// true. See [`SpanLayer::with_instrument_err`](crate::SpanLayer::with_instrument_err).
    #[must_use]
    pub fn with_instrument_err(mut self, instrument_err: bool) -> Self {
        self.instrument_err = instrument_err;
        self
    }

    /// Copies the events up to this verbosity, of those that the filter lets pass, into their spans as well.
    /// Default: none. See [`SpanLayer::with_span_events`](crate::SpanLayer::with_span_events).
    #[must_use]
    pub fn with_span_events(mut self, level: impl Into<LevelFilter>) -> Self {
        self.span_events = level.into();
        self
    }

    /// Sets whether [`install`](Self::install) sets a [`PanicHook`](crate::PanicHook): a FATAL record
    /// of each panic. Default: true.
    #[must_use]
    pub fn with_panic_hook(mut self, panic_hook: bool) -> Self {
        self.panic_hook = panic_hook;
        self
    }

    /// Adds a span processor. It runs after the one that stamps the job, and before the exporters.
    #[must_use]
    pub fn with_span_processor(mut self, processor: impl SpanProcessor + 'static) -> Self {
        self.tracer_provider.push(providers::span_processor(processor));
        self.has_own_spans = true;
        self
    }

    /// Adds a log processor. It runs before the exporters. All records go through the SDK then,
    /// because those that the processor changes or drops must not reach a receiver unchanged on the
    /// direct path.
    #[must_use]
    pub fn with_log_processor(mut self, processor: impl LogProcessor + 'static) -> Self {
        self.logger_provider.push(providers::log_processor(processor));
        self
    }

    /// Sends records through an SDK logger provider, with its batch processor, in any case.
    /// Default: off.
    #[must_use]
    pub fn with_sdk_logs(mut self, sdk_logs: bool) -> Self {
        self.sdk_logs = sdk_logs;
        self
    }

    /// Sends spans through the SDK's batch span processors and exporters. Default: off.
    ///
    /// They drop spans beyond `OTEL_BSP_MAX_QUEUE_SIZE`, and those of an outage of seconds.
    #[must_use]
    pub fn with_sdk_spans(mut self, sdk_spans: bool) -> Self {
        self.sdk_spans = sdk_spans;
        self
    }

    /// Changes the settings of the pipelines: compression, certificates, a header provider, timeout,
    /// retries, memory limit, overflow and so on. It is called for each pipeline: to the receiver, and
    /// to the files.
    ///
    /// On the SDK's path, the settings of requests are used as well.
    ///
    /// ```no_run
    /// use spanlog::otlp::Compression;
    ///
    /// # fn main() -> Result<(), spanlog::Error> {
    /// let guard = spanlog::builder()
    ///     .with_pipeline(|pipeline| {
    ///         pipeline.with_compression(Compression::Gzip).with_memory_limit(64 << 20)
    ///     })
    ///     .install()?;
    /// # drop(guard);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_pipeline(
        mut self,
        change: impl Fn(PipelineBuilder) -> PipelineBuilder + Send + 'static,
    ) -> Self {
        self.change_pipeline = Some(match self.change_pipeline.take() {
            Some(before) => Box::new(move |pipeline| change(before(pipeline))),
            None => Box::new(change),
        });
        self
    }

    /// Adds a recorder of spans and records, which uses the [keys](Self::with_keys) of this
    /// builder.
    ///
    /// If records go through the SDK, it is the last log processor and sees what those before it
    /// left of a record; otherwise a layer of its own makes its records, see
    /// [`LogLayer::recording`].
    #[cfg(feature = "graph")]
    #[cfg_attr(docsrs, doc(cfg(feature = "graph")))]
    #[must_use]
    pub fn with_recorder(mut self, recorder: Recorder) -> Self {
        self.recording = Recording(Some(recorder));
        self
    }

    /// Sets the sampler. Default: that of `OTEL_TRACES_SAMPLER`.
    ///
    /// ```
    /// use spanlog::opentelemetry_sdk::trace::Sampler;
    ///
    /// let builder = spanlog::builder().with_sampler(Sampler::TraceIdRatioBased(0.1));
    /// # drop(builder);
    /// ```
    #[must_use]
    pub fn with_sampler(mut self, sampler: impl ShouldSample + 'static) -> Self {
        // That of another one may hold secrets.
        let own = (&sampler as &dyn Any).downcast_ref::<Sampler>().map(|sampler| format!("{sampler:?}"));
        self.sampler = Some(own.unwrap_or_else(|| std::any::type_name_of_val(&sampler).to_owned()));
        self.tracer_provider
            .push(Box::new(|provider| provider.with_sampler(Box::new(sampler) as Box<dyn ShouldSample>)));
        self
    }

    /// Builds everything and installs it for the whole process.
    ///
    /// # Errors
    ///
    /// If the process already has a global subscriber ([`Error::is_already_set`]), and as
    /// [`build`](Self::build).
    pub fn install(mut self) -> Result<Guard, Error> {
        let propagators = std::mem::take(&mut self.propagators);
        let (has_panic_hook, has_start_records) = (self.panic_hook, self.start_records);
        let sampler = self.sampler.take();
        let levels = self.levels()?;
        let settings = Settings { sampler, filter: levels.name.clone() };
        let (dispatch, guard) = self.build_with(levels)?;
        if tracing::dispatcher::set_global_default(dispatch).is_err() {
            let error = Error::already_set("the global subscriber");
            // A program that ignores the error would have neither console nor telemetry.
            report_once(format_args!("nothing is installed: {error}"));
            return Err(error);
        }
        if let Some(spans) = &guard.0.spans {
            // The SDK logs that it is set.
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            global::set_tracer_provider(spans.clone());
        }
        let propagators = if propagators.is_empty() { env::propagators() } else { propagators };
        global::set_text_map_propagator(TextMapCompositePropagator::new(propagators));
        if has_start_records {
            op::set_start_records(true);
        }
        if has_panic_hook {
            guard.0.panic_hook().set();
        }
        if let Err(error) = LogTracer::install(subscriber::log_level()) {
            report_once(format_args!("{error}; its records are not collected"));
        }
        settings.log(&guard.0);
        Ok(guard)
    }

    /// Builds everything without installing it: for a scoped default. For tests of what a program
    /// logs, there is [`testing::capture`](crate::testing::capture()).
    ///
    /// The global tracer provider, the propagator and the logger of the `log` crate are not set.
    ///
    /// ```
    /// let directory = std::env::temp_dir().join(format!("spanlog-build-{}", std::process::id()));
    /// let (dispatch, guard) = spanlog::builder().with_json_lines(&directory).build().unwrap();
    /// tracing::dispatcher::with_default(&dispatch, || tracing::info!("kept"));
    /// drop(guard);
    /// assert!(std::fs::read_to_string(directory.join("logs.jsonl")).unwrap().contains("kept"));
    /// # std::fs::remove_dir_all(directory).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// If a filter, an endpoint or a header is invalid, or a file cannot be written to
    /// ([`Error::is_setting`]).
    pub fn build(self) -> Result<(Dispatch, Guard), Error> {
        let levels = self.levels()?;
        self.build_with(levels)
    }

    fn levels(&self) -> Result<Levels, Error> {
        let console = self.console_level.filter(|_| self.console);
        Levels::find(self.level, console, self.span_level, self.filter.as_deref())
    }

    fn build_with(mut self, levels: Levels) -> Result<(Dispatch, Guard), Error> {
        let mut meters = Vec::new();
        let (mut spans, mut logs, mut direct) = (None, None, Vec::new());
        let mut recording_layer = None;
        let mut has_service_name = false;
        let has_own_logs = !self.logger_provider.is_empty();
        if !env::is_disabled() {
            if self.detect_resource {
                self.overrides.detected = resource::detected();
            }
            let resource = self.overrides.resource();
            has_service_name = variables::has_service_name(&resource);
            let (directory, change) = (self.json_lines.as_deref(), self.change_pipeline.as_ref());
            let to = Outputs::new(&self.overrides, directory, change);
            let recording = std::mem::take(&mut self.recording).with_keys(self.keys);
            let mut log_changes = std::mem::take(&mut self.logger_provider);
            let sdk_logs = self.sdk_logs || !log_changes.is_empty() || !to.is_direct_for_logs();
            direct = to.pipelines(!sdk_logs, !self.sdk_spans)?;
            for (signal, is_sdk) in [("log records", sdk_logs), ("spans", self.sdk_spans)] {
                if is_sdk && to.has_spool() {
                    report_once(format_args!("{signal} are not in the spool: they take the SDK's path"));
                }
            }
            let mut changes = std::mem::take(&mut self.tracer_provider);
            changes.extend(recording.span_processor());
            let pipelines = Some(&*direct).filter(|_| !self.sdk_spans);
            spans = Some(to.spans(resource.clone(), self.keys, changes, pipelines, &mut meters)?);
            if sdk_logs {
                log_changes.extend(recording.log_processor());
                logs = to.logs(resource, log_changes, &mut meters)?;
            } else {
                recording_layer = recording.layer().map(|layer| self.log_layer(layer, levels.records));
            }
        }
        let mut layers: Vec<Boxed> = Vec::new();
        layers.extend(
            spans
                .as_ref()
                .map(|spans| subscriber::span_layer(spans, self.keys, self.instrument_err, self.span_events)),
        );
        let mut counters = Counters::default();
        if let Some(provider) = &logs {
            let layer = self.log_layer(LogLayer::new(provider), levels.records);
            counters = layer.counters();
            layers.push(Box::new(layer));
        }
        for to in direct.iter().filter(|to| to.has_logs) {
            let layer = self.log_layer(LogLayer::direct(to.pipeline.clone()), levels.records);
            counters = layer.counters();
            layers.push(Box::new(layer));
        }
        if let Some(layer) = recording_layer {
            layers.push(Box::new(layer));
        }
        if self.console {
            let (format, ids) = (self.console_format, self.console_ids);
            let console = Console { format, ids, level: levels.console };
            layers.push(console.layer(self.console_writer));
        }
        layers.extend(self.layers);
        let dispatch = subscriber::assemble(levels.filter, layers);
        let telemetry = Telemetry {
            subscriber: dispatch.downgrade(),
            has_service_name,
            has_own_logs,
            has_own_spans: self.has_own_spans,
            logs,
            direct,
            spans,
            counters,
            meters,
            reported: AtomicU64::new(0),
            flushing_logs: Arc::default(),
            flushing_spans: Arc::default(),
            is_down: AtomicBool::new(false),
            stopping: ForkedMutex::default(),
        };
        Ok((dispatch, Guard(Arc::new(telemetry))))
    }

    fn log_layer<R: Records>(&self, layer: LogLayer<R>, level: LevelFilter) -> LogLayer<R> {
        layer
            .with_level(level)
            // The SDK's own events: a record about an export would cause the next one.
            .with_targets(
                Targets::new()
                    .with_default(LevelFilter::TRACE)
                    .with_target("opentelemetry", LevelFilter::OFF)
                    .with_target(startup::TARGET, LevelFilter::OFF),
            )
            .with_span_fields(self.span_fields.clone())
            .with_location(self.location)
            .with_threads(self.threads)
            .with_keys(self.keys)
    }
}
