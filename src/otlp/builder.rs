//! [`PipelineBuilder`]: the settings of a pipeline, by the program and by the environment.

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, KeyValue};

use crate::error::Error;
use crate::limits::Limits;
use crate::otlp::config::Config;
use crate::otlp::deliver::reporter::{Loss, OnLoss};
use crate::otlp::deliver::request::Resource;
use crate::otlp::pipeline::{Connect, Pipeline};
use crate::otlp::queue::Overflow;
use crate::otlp::settings::choices::{Compression, Protocol};
use crate::otlp::settings::overrides::Overrides;
use crate::otlp::settings::{variables, HeaderProvider, TransportConfig};
use crate::otlp::signal::Signal;
use crate::otlp::spool::sync::SpoolSync;
use crate::otlp::spool::{Spool, SpoolSettings, DEFAULT_LIMIT};
use crate::value::any_value;

/// Settings of a [`Pipeline`]. Each takes precedence over its environment variable.
///
/// The variables are `OTEL_EXPORTER_OTLP_LOGS_…` for log records, `OTEL_EXPORTER_OTLP_TRACES_…` for
/// spans and, with lower precedence, `OTEL_EXPORTER_OTLP_…` for both, with `ENDPOINT`, `HEADERS`,
/// `TIMEOUT`, `PROTOCOL`, `COMPRESSION`, `CERTIFICATE`, `CLIENT_CERTIFICATE` and `CLIENT_KEY`;
/// `OTEL_BLRP_…` and `OTEL_BSP_…` with `SCHEDULE_DELAY`, `MAX_EXPORT_BATCH_SIZE` and
/// `EXPORT_TIMEOUT`; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`; and those of [`Limits`]. An
/// empty variable counts as unset. Invalid numbers and enumerations are reported once through the
/// [diagnostics](crate::set_diagnostics) and ignored; an invalid endpoint, header or certificate is
/// an error.
#[must_use = "a builder does nothing until it is built"]
#[derive(Debug)]
pub struct PipelineBuilder {
    overrides: Overrides,
    /// The defaults, and what the program set of that which has no variable.
    config: Config,
    limits: Option<Limits>,
    batch_records: Option<usize>,
    schedule_delay: Option<Duration>,
    retries: Option<Duration>,
    max_concurrent_exports: usize,
    /// Where JSON lines are written, instead of sending requests to a receiver.
    file: Option<PathBuf>,
    /// Those of spans.
    span_file: Option<PathBuf>,
    /// The most bytes of a file, and how many full files are kept.
    rotation: Option<(u64, usize)>,
    spool: Option<PathBuf>,
    spool_limit: u64,
    spool_sync: SpoolSync,
}

impl From<Overrides> for PipelineBuilder {
    fn from(overrides: Overrides) -> Self {
        Self {
            overrides,
            config: Config::default(),
            limits: None,
            batch_records: None,
            schedule_delay: None,
            retries: None,
            max_concurrent_exports: 1,
            file: None,
            span_file: None,
            rotation: None,
            spool: None,
            spool_limit: DEFAULT_LIMIT,
            spool_sync: SpoolSync::default(),
        }
    }
}

impl Default for PipelineBuilder {
    fn default() -> Self {
        Overrides::default().into()
    }
}

impl Pipeline {
    /// A builder of a pipeline. What it does not set is taken from the environment, or is a
    /// default.
    #[cfg_attr(docsrs, doc(cfg(feature = "otlp-http")))]
    pub fn builder() -> PipelineBuilder {
        PipelineBuilder::default()
    }
}

impl PipelineBuilder {
    /// Sets the base URL of the receiver; over HTTP, `/v1/logs` or `/v1/traces` is appended. Default:
    /// `http://localhost:4318`, or `:4317` for gRPC.
    pub fn with_endpoint(mut self, base_url: impl Into<String>) -> Self {
        self.overrides.endpoint = Some(base_url.into());
        self
    }

    /// Sets the URL that records are sent to, which is used as it is. For them, it takes precedence over
    /// [`with_endpoint`](Self::with_endpoint).
    pub fn with_logs_url(mut self, url: impl Into<String>) -> Self {
        self.overrides.logs_url = Some(url.into());
        self
    }

    /// Sets the URL that spans are sent to, which is used as it is. For them, it takes precedence over
    /// [`with_endpoint`](Self::with_endpoint).
    pub fn with_traces_url(mut self, url: impl Into<String>) -> Self {
        self.overrides.traces_url = Some(url.into());
        self
    }

    /// Sets the encoding and the transport of requests. Default: protobuf over HTTP.
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.overrides.protocol = Some(protocol);
        self
    }

    /// Adds a header to every request. It takes precedence over one with the same name in the
    /// environment.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.headers.push((name.into(), value.into()));
        self
    }

    /// Sets a function that returns more headers for each request, such as a token that expires.
    /// They take precedence over all others.
    ///
    /// If the receiver answers 401, the function is called again, and the request is sent once
    /// more. It runs on the pipeline's thread; what it logs is not collected.
    pub fn with_header_provider(
        mut self,
        provider: impl Fn() -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.overrides.header_provider = Some(HeaderProvider(Arc::new(provider)));
        self
    }

    /// Sets how requests are compressed. Default: not.
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.overrides.compression = Some(compression);
        self
    }

    /// Trusts the authorities of this PEM file instead of the built-in ones. Needs the feature `tls`.
    pub fn with_ca_certificate(mut self, pem: impl Into<PathBuf>) -> Self {
        self.overrides.ca_certificate = Some(pem.into());
        self
    }

    /// Sets the client certificate for receivers: PEM files with its chain and its key. Needs the feature
    /// `tls`.
    pub fn with_client_certificate(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.overrides.client_certificate = Some((chain.into(), key.into()));
        self
    }

    /// Sets the timeout of one request with its answer. Default: 10 seconds.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.overrides.timeout = Some(timeout);
        self
    }

    /// Sets the memory limit of all records that are queued, in flight or waiting to be sent again.
    /// Default: 32 MiB.
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.config.memory_limit_bytes = bytes;
        self
    }

    /// Sets what happens when the memory limit is reached. Default: the newest records are dropped.
    pub fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.config.overflow = overflow;
        self
    }

    /// Sets the most records of one request. Default: as many as have 640 KiB.
    pub fn with_batch_records(mut self, records: usize) -> Self {
        self.batch_records = Some(records);
        self
    }

    /// Sets how many requests can be in flight at once, each over a connection of its own. Default:
    /// one.
    ///
    /// With one, the records of a thread arrive in the order in which it logged them, and
    /// throughput is limited to one request per round trip. With more, the order holds only within
    /// a request, and a request that is retried does not delay the others. The memory limit covers
    /// all of them together. A file of JSON lines is always written one request at a time.
    pub fn with_max_concurrent_exports(mut self, requests: usize) -> Self {
        self.max_concurrent_exports = requests;
        self
    }

    /// Sets the most bytes of one request, before compression. Default: 4 MiB.
    pub fn with_request_limit(mut self, bytes: usize) -> Self {
        self.config.max_request_bytes = bytes;
        self
    }

    /// Sets how long a record waits for others to share its request. Default: 1 second.
    pub fn with_schedule_delay(mut self, delay: Duration) -> Self {
        self.schedule_delay = Some(delay);
        self
    }

    /// Sets how long a request is retried before its records are dropped. Default: as long as the
    /// pipeline exists; the memory limit bounds what waits.
    pub fn with_retries(mut self, elapsed: Duration) -> Self {
        self.retries = Some(elapsed);
        self
    }

    /// Writes records to this file, as OTLP JSON lines, instead of sending them to a receiver. Spans
    /// are written to `traces.jsonl` in the same directory, unless
    /// [`with_span_json_lines`](Self::with_span_json_lines) sets another path.
    pub fn with_json_lines(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Writes spans to this file, as OTLP JSON lines, instead of sending them to a receiver.
    pub fn with_span_json_lines(mut self, path: impl Into<PathBuf>) -> Self {
        self.span_file = Some(path.into());
        self
    }

    /// Renames the file of JSON lines to `<path>.1` before it exceeds `max_bytes`, the previous one
    /// to `<path>.2`, and so on up to `keep`. Default: no rotation.
    pub fn with_rotation(mut self, max_bytes: u64, keep: usize) -> Self {
        self.rotation = Some((max_bytes, keep));
        self
    }

    /// Keeps records and spans in files below this directory until they are delivered, so that they outlive
    /// the process, however it ends. The next pipeline with the same directory sends what is there, with
    /// its own times, ids and resource, beside what is new. Default: none.
    ///
    /// A record is in the spool when the event's macro returns, and a span when it has ended. When the
    /// memory limit is reached, records stay on the disk only, up to
    /// [`with_spool_limit`](Self::with_spool_limit). Each is sent at least once: again only if the process
    /// ends, or a shutdown's deadline passes, while an answer is on its way. What a shutdown leaves counts as
    /// [`spooled`](super::PipelineStats::spooled), and what an earlier process left as
    /// [`recovered`](super::PipelineStats::recovered).
    ///
    /// Any number of processes can share a directory: each has one of its own below it, and takes over
    /// those of processes that have ended, at its start and every half minute. Pipelines with different
    /// receivers need different directories: `install` uses the subdirectories `otlp` and `json-lines`. It
    /// must be on a local file system, and nobody else may truncate its files: that would end the process
    /// with `SIGBUS`.
    ///
    /// A failure of the machine is another matter: see [`with_spool_sync`](Self::with_spool_sync).
    pub fn with_spool(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spool = Some(directory.into());
        self
    }

    /// Sets the most bytes of this pipeline's files in the spool, with those that it has taken over. Beyond
    /// that, records are in memory only, which is reported and counted as
    /// [`unspooled`](super::PipelineStats::unspooled). Default: 1 GiB, at least 256 KiB.
    pub fn with_spool_limit(mut self, bytes: u64) -> Self {
        self.spool_limit = bytes;
        self
    }

    /// Sets when the spool is written to the disk, in case that the machine fails. Default: every second.
    pub fn with_spool_sync(mut self, sync: SpoolSync) -> Self {
        self.spool_sync = sync;
        self
    }

    /// Sets a function that is called with each loss, beside the text of the
    /// [diagnostics](crate::set_diagnostics): when a loss begins, and at most once a minute while it
    /// lasts. It runs on the thread that delivers, and must not log through `tracing` or `log`.
    ///
    /// ```no_run
    /// # fn page(_text: &str) {}
    /// # fn main() -> Result<(), spanlog::Error> {
    /// let pipeline = spanlog::otlp::Pipeline::builder()
    ///     .on_loss(|loss| page(&format!("{} {} lost: {}", loss.count, loss.signal, loss.reason)))
    ///     .build()?;
    /// # drop(pipeline);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_loss(mut self, call: impl Fn(&Loss) + Send + Sync + 'static) -> Self {
        self.config.on_loss = Some(OnLoss(Arc::new(call)));
        self
    }

    /// Sets `service.name` of the resource.
    pub fn with_service_name(mut self, name: impl Into<String>) -> Self {
        self.overrides.service_name = Some(name.into());
        self
    }

    /// Adds the attributes of an SDK [`Resource`](opentelemetry_sdk::Resource), such as that of the tracer provider, so that both signals
    /// have the same one. Its schema URL is not sent.
    pub fn with_resource(self, resource: &opentelemetry_sdk::Resource) -> Self {
        self.with_resource_attributes(
            resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())),
        )
    }

    /// Adds attributes to the resource.
    pub fn with_resource_attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.overrides.attributes.extend(attributes);
        self
    }

    /// Sets the attribute limits of records.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Uses a directory below the spool's, if there is one: each receiver needs one of its own.
    #[cfg(feature = "install")]
    pub(crate) fn with_spool_below(mut self, name: &str) -> Self {
        self.spool = self.spool.map(|spool| spool.join(name));
        self
    }

    #[cfg(feature = "install")]
    pub(crate) fn has_spool(&self) -> bool {
        self.spool.is_some()
    }

    #[cfg(feature = "install")]
    pub(crate) fn into_overrides(self) -> Overrides {
        self.overrides
    }

    /// Starts the pipeline. It connects when there is something to send.
    ///
    /// # Errors
    ///
    /// If a setting is invalid, a certificate cannot be read, the file cannot be opened, the spool cannot be
    /// used, or a thread cannot be started.
    pub fn build(self) -> Result<Pipeline, Error> {
        self.build_for(true, true)
    }

    /// A pipeline for one of the signals, or for both. What is set about the other is not read.
    pub(crate) fn build_for(mut self, logs: bool, spans: bool) -> Result<Pipeline, Error> {
        if let Some(root) = self.spool.take() {
            let settings = SpoolSettings { root, limit: self.spool_limit, sync: self.spool_sync };
            self.config.spool = Some(Spool::open(&settings)?);
        }
        // Both now, so that an invalid setting is an error here.
        let to_spans = spans.then(|| self.resolve(Signal::Traces)).transpose()?;
        let (config, transports) = match &to_spans {
            Some((config, ..)) if !logs => (Config { signal: Signal::Logs, ..config.clone() }, Vec::new()),
            _ => {
                let (config, transport, connections) = self.resolve(Signal::Logs)?;
                (config, transport.connect_all(Signal::Logs, connections)?)
            }
        };
        let connect = to_spans.map(|(config, transport, connections)| -> Connect {
            Box::new(move || Ok((config, transport.connect_all(Signal::Traces, connections)?)))
        });
        Pipeline::start_with(config, transports, connect)
    }

    /// The settings of the builder, the environment and the defaults together, and the number of
    /// connections.
    fn resolve(&self, signal: Signal) -> Result<(Config, TransportConfig, usize), Error> {
        let mut config = Config { signal, ..self.config.clone() };
        config.limits = self.limits.unwrap_or_else(Limits::from_env);
        if let Some(timeout) = self.overrides.timeout(signal) {
            config.export_timeout = positive("with_timeout", timeout)?;
        }
        let count = |name: &str| variables::number(name).and_then(|number| usize::try_from(number).ok());
        let variable = |what| signal.batch_variable(what);
        if let Some(records) = self.batch_records.or_else(|| count(&variable("MAX_EXPORT_BATCH_SIZE"))) {
            config.max_batch_records = records;
            config.batch_bytes = usize::MAX;
        }
        let delay = || variables::millis(&variable("SCHEDULE_DELAY"));
        if let Some(delay) = self.schedule_delay.or_else(delay) {
            config.schedule_delay = delay;
        }
        // What the specification calls an export includes its retries.
        let elapsed = || variables::millis(&variable("EXPORT_TIMEOUT"));
        if let Some(elapsed) = self.retries.or_else(elapsed) {
            config.retry_max_elapsed = Some(elapsed);
        }
        let queue = variable("MAX_QUEUE_SIZE");
        if let Some(value) = variables::text(&queue) {
            // A count is no measure of bytes: any factor would drop records, or take too much
            // memory.
            variables::ignore(
                &queue,
                &value,
                "unset here: the queue is bounded in bytes, by with_memory_limit",
            );
        }
        let resource = self.overrides.resource();
        let attributes: Vec<(Key, AnyValue)> =
            resource.iter().map(|(key, value)| (key.clone(), any_value(value.clone()))).collect();
        config.resource = Resource::new(attributes.iter().map(|(key, value)| (key, value)));
        config.has_service_name = variables::has_service_name(&resource);
        let mut connections = positive("with_max_concurrent_exports", self.max_concurrent_exports)?;
        let transport = match self.file_of(signal) {
            Some(path) => {
                connections = 1;
                TransportConfig::File { path, rotation: self.rotation }
            }
            None => self.overrides.transport(signal)?,
        };
        config.exporter = transport.name(signal);
        config.receiver = transport.receiver();
        Ok((config, transport, connections))
    }

    fn file_of(&self, signal: Signal) -> Option<PathBuf> {
        match signal {
            Signal::Logs => self.file.clone(),
            Signal::Traces => {
                let beside = || Some(self.file.as_ref()?.with_file_name("traces.jsonl"));
                self.span_file.clone().or_else(beside)
            }
        }
    }
}

fn positive<T: Default + PartialEq + fmt::Debug>(name: &str, value: T) -> Result<T, Error> {
    match value == T::default() {
        true => Err(Error::setting(name, &format!("{value:?}"), "more than zero")),
        false => Ok(value),
    }
}
