//! What a direct pipeline is told before it starts. Before the walk.

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
use crate::otlp::config::Settings;
use crate::otlp::deliver::request::Resource;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::queue::Overflow;
use crate::otlp::settings::choices::{Compression, Protocol};
use crate::otlp::settings::destination::Endpoint;
use crate::otlp::settings::signal::Signal;
use crate::otlp::settings::tls::Tls;
use crate::otlp::settings::{
    destination, tls, variables, Batches, HeaderProvider, Parts, Target, TransportConfig,
};
use crate::value::any_value;

/// What queued records may take: minutes of a chatty service, and little of its memory.
const MEMORY_LIMIT: usize = 32 << 20;

/// What OpenTelemetry's gRPC receivers take by default; over HTTP they take more.
const REQUEST_LIMIT: usize = 4 << 20;

/// A collector's restart takes less, and the Collector itself gives up after it.
const RETRIES: Duration = Duration::from_secs(300);

/// Settings of a direct pipeline; each one goes before its variable in the environment.
///
/// The variables are `OTEL_EXPORTER_OTLP_LOGS_…`, then `OTEL_EXPORTER_OTLP_…`, of `ENDPOINT`, `HEADERS`,
/// `TIMEOUT`, `PROTOCOL`, `COMPRESSION`, `CERTIFICATE`, `CLIENT_CERTIFICATE` and `CLIENT_KEY`;
/// `OTEL_BLRP_SCHEDULE_DELAY`, `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE` and `OTEL_BLRP_EXPORT_TIMEOUT`;
/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`; and those of [`Limits`]. An empty one is unset. Numbers
/// and words that cannot be used are said once through the [diagnostics](crate::set_diagnostics) and
/// ignored; an endpoint, a header and a certificate that cannot be used are errors.
#[must_use = "a builder does nothing until it is built"]
#[derive(Default)]
pub struct Builder {
    endpoint: Option<Endpoint>,
    protocol: Option<Protocol>,
    headers: Vec<(String, String)>,
    header_provider: Option<HeaderProvider>,
    compression: Option<Compression>,
    tls: tls::Told,
    timeout: Option<Duration>,
    memory_limit: Option<usize>,
    overflow: Overflow,
    batch_records: Option<usize>,
    concurrent_exports: Option<usize>,
    request_limit: Option<usize>,
    schedule_delay: Option<Duration>,
    retries: Option<Duration>,
    file: Option<PathBuf>,
    rotation: Option<(u64, usize)>,
    service_name: Option<String>,
    attributes: Vec<KeyValue>,
    limits: Option<Limits>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers are left out: they may be secrets.
        f.debug_struct("Builder")
            .field("endpoint", &self.endpoint)
            .field("protocol", &self.protocol)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    /// A pipeline's settings, to be built. The environment sets what the builder does not.
    #[cfg_attr(docsrs, doc(cfg(feature = "otlp-http")))]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Sets the base URL that OTLP goes to; over HTTP, `/v1/logs` is added. Default: port 4318 of this machine, 4317
    /// for gRPC.
    pub fn with_endpoint(mut self, base_url: impl Into<String>) -> Self {
        self.endpoint = Some(Endpoint::Base(base_url.into()));
        self
    }

    /// Sets the URL that records go to, as it is. The last of this and [`with_endpoint`](Self::with_endpoint) counts.
    pub fn with_logs_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(Endpoint::Url(url.into()));
        self
    }

    /// Sets how requests are written and carried. Default: protobuf over HTTP.
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Adds a header to every request. It goes before one of the same name in the environment.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets what is asked for more headers before each request: for a token that expires. They go before all others.
    ///
    /// After an answer 401 it is asked once more, and the request is sent once more. It runs on the
    /// pipeline's thread; what it logs is not collected.
    pub fn with_header_provider(
        mut self,
        provider: impl Fn() -> Vec<(String, String)> + Send + Sync + 'static,
    ) -> Self {
        self.header_provider = Some(HeaderProvider(Arc::new(provider)));
        self
    }

    /// Sets how requests are compressed. Default: not at all.
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Trusts the certificates of this PEM file, instead of the built-in ones.
    pub fn with_ca_certificate(mut self, pem: impl Into<PathBuf>) -> Self {
        self.tls.roots = Some(pem.into());
        self
    }

    /// Shows receivers this certificate, of PEM files with a chain and its key.
    pub fn with_client_certificate(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls.client = Some((chain.into(), key.into()));
        self
    }

    /// Sets the time that one request and its answer may take. Default: 10 seconds.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how many bytes the records that wait for delivery may take. Default: 32 MiB.
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Sets what happens when the memory limit is reached. Default: the newest records are dropped.
    pub fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Sets how many records one request has at most. Default: 512.
    pub fn with_batch_records(mut self, records: usize) -> Self {
        self.batch_records = Some(records);
        self
    }

    /// Sets how many requests are on their way at once, each over a connection of its own. Default: one.
    ///
    /// With one, records arrive in the order in which each thread logged them. With more, that holds within a
    /// request only, and throughput does not end at the time that an answer takes: 512 records a round trip. A request
    /// that is tried again keeps none of the others waiting. The memory limit holds for all of them together. A file of JSON
    /// lines is always written by one.
    pub fn with_max_concurrent_exports(mut self, requests: usize) -> Self {
        self.concurrent_exports = Some(requests);
        self
    }

    /// Sets how many bytes one request has at most, before compression. Default: 4 MiB.
    pub fn with_request_limit(mut self, bytes: usize) -> Self {
        self.request_limit = Some(bytes);
        self
    }

    /// Sets how long a record waits for others to share its request. Default: a second.
    pub fn with_schedule_delay(mut self, delay: Duration) -> Self {
        self.schedule_delay = Some(delay);
        self
    }

    /// Sets how long a batch is tried before it is dropped. Default: 5 minutes.
    pub fn with_retries(mut self, elapsed: Duration) -> Self {
        self.retries = Some(elapsed);
        self
    }

    /// Writes the records to this file, as OTLP JSON lines, instead of sending them anywhere.
    pub fn with_json_lines(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Moves the file of JSON lines to `<path>.1` before it would have more than `max_bytes`, the one there to
    /// `<path>.2`, and so on up to `keep`. Default: the file grows on.
    pub fn with_rotation(mut self, max_bytes: u64, keep: usize) -> Self {
        self.rotation = Some((max_bytes, keep));
        self
    }

    /// Sets `service.name` of the resource.
    pub fn with_service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// Adds attributes to the resource.
    pub fn with_resource_attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    /// Sets how much of a record is kept.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Starts the pipeline. Nothing is connected before there is something to send.
    ///
    /// # Errors
    ///
    /// If a setting cannot be used, a certificate cannot be read, the file cannot be opened, or no
    /// thread can be started.
    pub fn build(self) -> Result<Pipeline, Error> {
        let parts = self.parts()?;
        let transports =
            (0..parts.max_concurrent_exports).map(|_| parts.transport.connect()).collect::<Result<_, _>>()?;
        let settings = Settings {
            resource: parts.resource,
            exporter: parts.transport.name(),
            limits: parts.limits,
            memory_limit_bytes: parts.memory_limit_bytes,
            overflow: parts.overflow,
            max_batch_records: parts.max_batch_records,
            max_request_bytes: parts.max_request_bytes,
            schedule_delay: parts.schedule_delay,
            export_timeout: parts.export_timeout,
            retry_max_elapsed: parts.max_retry_elapsed,
            ..Settings::default()
        };
        Pipeline::start_with(settings, transports)
    }

    /// Everything that a pipeline is started with, of the builder over the environment over the defaults.
    pub(crate) fn parts(self) -> Result<Parts, Error> {
        let batches = Batches::from_env();
        let protocol = self.protocol.or_else(|| Protocol::from_env(Signal::Logs)).unwrap_or_default();
        let mut max_concurrent_exports =
            positive("with_max_concurrent_exports", self.concurrent_exports.unwrap_or(1))?;
        if self.file.is_some() {
            max_concurrent_exports = 1;
        }
        let transport = match self.file {
            Some(path) => TransportConfig::File { path, rotation: self.rotation },
            None => {
                let target = Target {
                    url: destination::url(Signal::Logs, self.endpoint.as_ref(), protocol)?,
                    headers: destination::headers(Signal::Logs, &self.headers)?,
                    header_provider: self.header_provider,
                    compression: self.compression.or_else(Compression::from_env).unwrap_or_default(),
                    tls: Tls::find(Signal::Logs, self.tls)?,
                };
                match protocol {
                    Protocol::Grpc => TransportConfig::Grpc(target),
                    other => TransportConfig::Http { to: target, is_json: other == Protocol::HttpJson },
                }
            }
        };
        let timeout = match self.timeout {
            Some(timeout) => timeout,
            None => variables::timeout(&Signal::Logs.variables("TIMEOUT")),
        };
        let records = self.batch_records.or(batches.max_batch_records).unwrap_or(512);
        let delay = self.schedule_delay.or(batches.schedule_delay).unwrap_or(Duration::from_secs(1));
        Ok(Parts {
            memory_limit_bytes: positive("with_memory_limit", self.memory_limit.unwrap_or(MEMORY_LIMIT))?,
            overflow: self.overflow,
            max_batch_records: positive("with_batch_records", records)?,
            max_request_bytes: positive("with_request_limit", self.request_limit.unwrap_or(REQUEST_LIMIT))?,
            max_concurrent_exports,
            schedule_delay: delay,
            export_timeout: positive("with_timeout", timeout)?,
            max_retry_elapsed: self.retries.or(batches.max_retry_elapsed).unwrap_or(RETRIES),
            resource: resource(self.service_name, self.attributes),
            limits: self.limits.unwrap_or_else(Limits::from_env),
            transport,
        })
    }
}

fn positive<T: Default + PartialEq + fmt::Debug>(name: &str, value: T) -> Result<T, Error> {
    match value == T::default() {
        true => Err(Error::setting(name, &format!("{value:?}"), "more than nothing")),
        false => Ok(value),
    }
}

fn resource(service_name: Option<String>, attributes: Vec<KeyValue>) -> Resource {
    let resource = variables::resource(service_name, attributes);
    let attributes: Vec<(Key, AnyValue)> =
        resource.iter().map(|(key, value)| (key.clone(), any_value(value.clone()))).collect();
    Resource::new(attributes.iter().map(|(key, value)| (key, value)))
}
