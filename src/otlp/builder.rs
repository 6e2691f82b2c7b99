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
use crate::otlp::config::Config;
use crate::otlp::deliver::request::Resource;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::queue::Overflow;
use crate::otlp::settings::choices::{Compression, Protocol};
use crate::otlp::settings::destination::Endpoint;
use crate::otlp::settings::overrides::Overrides;
use crate::otlp::settings::signal::Signal;
use crate::otlp::settings::{variables, HeaderProvider, TransportConfig};
use crate::value::any_value;

/// Settings of a direct pipeline; each one goes before its variable in the environment.
///
/// The variables are `OTEL_EXPORTER_OTLP_LOGS_…`, then `OTEL_EXPORTER_OTLP_…`, of `ENDPOINT`, `HEADERS`,
/// `TIMEOUT`, `PROTOCOL`, `COMPRESSION`, `CERTIFICATE`, `CLIENT_CERTIFICATE` and `CLIENT_KEY`;
/// `OTEL_BLRP_SCHEDULE_DELAY`, `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE` and `OTEL_BLRP_EXPORT_TIMEOUT`;
/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`; and those of [`Limits`]. An empty one is unset. Numbers
/// and words that cannot be used are said once through the [diagnostics](crate::set_diagnostics) and
/// ignored; an endpoint, a header and a certificate that cannot be used are errors.
#[must_use = "a builder does nothing until it is built"]
#[derive(Debug)]
pub struct Builder {
    overrides: Overrides,
    /// The defaults, and what the program set where there is no variable to look for.
    config: Config,
    limits: Option<Limits>,
    batch_records: Option<usize>,
    schedule_delay: Option<Duration>,
    retries: Option<Duration>,
    max_concurrent_exports: usize,
    /// JSON lines go here, instead of requests to a receiver.
    file: Option<PathBuf>,
    rotation: Option<(u64, usize)>,
}

impl From<Overrides> for Builder {
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
            rotation: None,
        }
    }
}

impl Default for Builder {
    fn default() -> Self {
        Overrides::default().into()
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
        self.overrides.endpoint = Some(Endpoint::Base(base_url.into()));
        self
    }

    /// Sets the URL that records go to, as it is. The last of this and [`with_endpoint`](Self::with_endpoint) counts.
    pub fn with_logs_url(mut self, url: impl Into<String>) -> Self {
        self.overrides.endpoint = Some(Endpoint::Url(url.into()));
        self
    }

    /// Sets how requests are written and carried. Default: protobuf over HTTP.
    pub fn with_protocol(mut self, protocol: Protocol) -> Self {
        self.overrides.protocol = Some(protocol);
        self
    }

    /// Adds a header to every request. It goes before one of the same name in the environment.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.overrides.headers.push((name.into(), value.into()));
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
        self.overrides.header_provider = Some(HeaderProvider(Arc::new(provider)));
        self
    }

    /// Sets how requests are compressed. Default: not at all.
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.overrides.compression = Some(compression);
        self
    }

    /// Trusts the certificates of this PEM file, instead of the built-in ones.
    pub fn with_ca_certificate(mut self, pem: impl Into<PathBuf>) -> Self {
        self.overrides.ca_certificate = Some(pem.into());
        self
    }

    /// Shows receivers this certificate, of PEM files with a chain and its key.
    pub fn with_client_certificate(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.overrides.client_certificate = Some((chain.into(), key.into()));
        self
    }

    /// Sets the time that one request and its answer may take. Default: 10 seconds.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.overrides.timeout = Some(timeout);
        self
    }

    /// Sets how many bytes the records that wait for delivery may take. Default: 32 MiB.
    pub fn with_memory_limit(mut self, bytes: usize) -> Self {
        self.config.memory_limit_bytes = bytes;
        self
    }

    /// Sets what happens when the memory limit is reached. Default: the newest records are dropped.
    pub fn with_overflow(mut self, overflow: Overflow) -> Self {
        self.config.overflow = overflow;
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
        self.max_concurrent_exports = requests;
        self
    }

    /// Sets how many bytes one request has at most, before compression. Default: 4 MiB.
    pub fn with_request_limit(mut self, bytes: usize) -> Self {
        self.config.max_request_bytes = bytes;
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
        self.overrides.service_name = Some(name.into());
        self
    }

    /// Adds attributes to the resource.
    pub fn with_resource_attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.overrides.attributes.extend(attributes);
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
        let (config, transport, connections) = self.resolve()?;
        let transports = (0..connections).map(|_| transport.connect()).collect::<Result<_, _>>()?;
        Pipeline::start_with(config, transports)
    }

    /// What the builder, the environment and the defaults come to, and the number of connections.
    fn resolve(self) -> Result<(Config, TransportConfig, usize), Error> {
        let mut config = self.config;
        config.limits = self.limits.unwrap_or_else(Limits::from_env);
        if let Some(timeout) = self.overrides.timeout(Signal::Logs) {
            config.export_timeout = positive("with_timeout", timeout)?;
        }
        let count = |name| variables::number(name).and_then(|number| usize::try_from(number).ok());
        if let Some(records) = self.batch_records.or_else(|| count("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE")) {
            config.max_batch_records = records;
        }
        if let Some(delay) = self.schedule_delay.or_else(|| variables::millis("OTEL_BLRP_SCHEDULE_DELAY")) {
            config.schedule_delay = delay;
        }
        // What the specification calls an export includes its retries.
        if let Some(elapsed) = self.retries.or_else(|| variables::millis("OTEL_BLRP_EXPORT_TIMEOUT")) {
            config.retry_max_elapsed = elapsed;
        }
        let queue = "OTEL_BLRP_MAX_QUEUE_SIZE";
        if let Some(value) = variables::text(queue) {
            // A count says nothing about bytes: any factor would drop someone's records, or take too much memory.
            variables::ignore(
                queue,
                &value,
                "unset here: the queue is bounded in bytes, by with_memory_limit",
            );
        }
        let resource = self.overrides.resource();
        let attributes: Vec<(Key, AnyValue)> =
            resource.iter().map(|(key, value)| (key.clone(), any_value(value.clone()))).collect();
        config.resource = Resource::new(attributes.iter().map(|(key, value)| (key, value)));
        let mut connections = positive("with_max_concurrent_exports", self.max_concurrent_exports)?;
        let transport = match self.file {
            Some(path) => {
                connections = 1;
                TransportConfig::File { path, rotation: self.rotation }
            }
            None => {
                let mut to = self.overrides.target(Signal::Logs)?;
                to.compression =
                    self.overrides.compression.or_else(Compression::from_env).unwrap_or_default();
                match self.overrides.protocol(Signal::Logs) {
                    Protocol::Grpc => TransportConfig::Grpc(to),
                    other => TransportConfig::Http { to, is_json: other == Protocol::HttpJson },
                }
            }
        };
        config.exporter = transport.name();
        Ok((config, transport, connections))
    }
}

fn positive<T: Default + PartialEq + fmt::Debug>(name: &str, value: T) -> Result<T, Error> {
    match value == T::default() {
        true => Err(Error::setting(name, &format!("{value:?}"), "more than nothing")),
        false => Ok(value),
    }
}
