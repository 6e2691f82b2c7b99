//! [`Builder`]: the settings of a pipeline, by the program and by the environment.

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

/// Settings of a [`Pipeline`]. Each takes precedence over its environment variable.
///
/// The variables are `OTEL_EXPORTER_OTLP_LOGS_…` and, with lower precedence, `OTEL_EXPORTER_OTLP_…`
/// with `ENDPOINT`, `HEADERS`, `TIMEOUT`, `PROTOCOL`, `COMPRESSION`, `CERTIFICATE`,
/// `CLIENT_CERTIFICATE` and `CLIENT_KEY`; `OTEL_BLRP_SCHEDULE_DELAY`,
/// `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE` and `OTEL_BLRP_EXPORT_TIMEOUT`; `OTEL_SERVICE_NAME` and
/// `OTEL_RESOURCE_ATTRIBUTES`; and those of [`Limits`]. An empty variable counts as unset. Invalid
/// numbers and enumerations are reported once through the [diagnostics](crate::set_diagnostics) and
/// ignored; an invalid endpoint, header or certificate is an error.
#[must_use = "a builder does nothing until it is built"]
#[derive(Debug)]
pub struct Builder {
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
    /// The most bytes of a file, and how many full files are kept.
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
    /// A builder of a pipeline. What it does not set is taken from the environment, or is a
    /// default.
    #[cfg_attr(docsrs, doc(cfg(feature = "otlp-http")))]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Sets the base URL of the receiver; over HTTP, `/v1/logs` is appended. Default:
    /// `http://localhost:4318`, or `:4317` for gRPC.
    pub fn with_endpoint(mut self, base_url: impl Into<String>) -> Self {
        self.overrides.endpoint = Some(Endpoint::Base(base_url.into()));
        self
    }

    /// Sets the URL that records are sent to, which is used as it is. Replaces
    /// [`with_endpoint`](Self::with_endpoint), and the other way around.
    pub fn with_logs_url(mut self, url: impl Into<String>) -> Self {
        self.overrides.endpoint = Some(Endpoint::Url(url.into()));
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

    /// Trusts the authorities of this PEM file instead of the built-in ones.
    pub fn with_ca_certificate(mut self, pem: impl Into<PathBuf>) -> Self {
        self.overrides.ca_certificate = Some(pem.into());
        self
    }

    /// Sets the client certificate for receivers: PEM files with its chain and its key.
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

    /// Sets the most records of one request. Default: 512.
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

    /// Sets how long a request is retried before its records are dropped. Default: 5 minutes.
    pub fn with_retries(mut self, elapsed: Duration) -> Self {
        self.retries = Some(elapsed);
        self
    }

    /// Writes records to this file, as OTLP JSON lines, instead of sending them to a receiver.
    pub fn with_json_lines(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Renames the file of JSON lines to `<path>.1` before it exceeds `max_bytes`, the previous one
    /// to `<path>.2`, and so on up to `keep`. Default: no rotation.
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

    /// Sets the attribute limits of records.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Starts the pipeline. It connects when there is something to send.
    ///
    /// # Errors
    ///
    /// If a setting is invalid, a certificate cannot be read, the file cannot be opened, or a
    /// thread cannot be started.
    pub fn build(self) -> Result<Pipeline, Error> {
        let (config, transport, connections) = self.resolve()?;
        let transports = (0..connections).map(|_| transport.connect()).collect::<Result<_, _>>()?;
        Pipeline::start_with(config, transports)
    }

    /// The settings of the builder, the environment and the defaults together, and the number of
    /// connections.
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
            // A count is no measure of bytes: any factor would drop records, or take too much
            // memory.
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
        true => Err(Error::setting(name, &format!("{value:?}"), "more than zero")),
        false => Ok(value),
    }
}
