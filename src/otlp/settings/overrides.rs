//! What the program sets about OTLP. It takes precedence over the environment, and that over the
//! defaults.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use crate::error::Error;
use crate::otlp::settings::choices::{Compression, Protocol};
use crate::otlp::settings::destination::{headers, redacted, url, Endpoint};
use crate::otlp::settings::tls::Tls;
use crate::otlp::settings::{variables, HeaderProvider, Target, TransportConfig};
use crate::otlp::signal::Signal;

/// What the program sets about OTLP. What it leaves out, the environment or a default decides.
#[derive(Clone, Default)]
pub(crate) struct Overrides {
    /// The base URL.
    pub(crate) endpoint: Option<String>,
    /// `with_logs_url`: used as it is.
    pub(crate) logs_url: Option<String>,
    /// `with_traces_url`: used as it is.
    pub(crate) traces_url: Option<String>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) header_provider: Option<HeaderProvider>,
    pub(crate) compression: Option<Compression>,
    /// A PEM file.
    pub(crate) ca_certificate: Option<PathBuf>,
    /// PEM files of the chain and of its key.
    pub(crate) client_certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) service_name: Option<String>,
    pub(crate) attributes: Vec<KeyValue>,
    /// What was detected of the process and its surroundings, which anything that was set precedes.
    pub(crate) detected: Vec<KeyValue>,
}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers are left out: they may be secrets.
        f.debug_struct("Overrides")
            .field("endpoint", &self.endpoint.as_deref().map(redacted))
            .field("logs_url", &self.logs_url.as_deref().map(redacted))
            .field("traces_url", &self.traces_url.as_deref().map(redacted))
            .field("protocol", &self.protocol)
            .field("compression", &self.compression)
            .field("service_name", &self.service_name)
            .finish_non_exhaustive()
    }
}

impl Overrides {
    pub(crate) fn protocol(&self, signal: Signal) -> Protocol {
        self.protocol.or_else(|| Protocol::from_env(signal)).unwrap_or_default()
    }

    pub(crate) fn timeout(&self, signal: Signal) -> Option<Duration> {
        self.timeout.or_else(|| {
            let names = signal.variables("TIMEOUT");
            names.iter().find_map(|name| variables::millis(name))
        })
    }

    /// Where a signal is sent, and how. Its compression is what the program set: SDK exporters look
    /// for theirs in the environment themselves.
    pub(crate) fn target(&self, signal: Signal) -> Result<Target, Error> {
        Ok(Target {
            url: url(signal, self.endpoint_of(signal), self.protocol(signal))?,
            headers: headers(signal, &self.headers)?,
            header_provider: self.header_provider.clone(),
            compression: self.compression.or_else(|| Compression::from_env(signal)).unwrap_or_default(),
            tls: Tls::find(signal, self.ca_certificate.as_deref(), self.client_certificate.as_ref())?,
        })
    }

    /// The signal's own URL, else the base URL.
    /// How to reach the receiver of a signal.
    pub(crate) fn transport(&self, signal: Signal) -> Result<TransportConfig, Error> {
        let to = self.target(signal)?;
        Ok(match self.protocol(signal) {
            Protocol::Grpc => TransportConfig::Grpc(to),
            other => TransportConfig::Http { to, is_json: other == Protocol::HttpJson },
        })
    }

    pub(crate) fn endpoint_of(&self, signal: Signal) -> Option<Endpoint<'_>> {
        let own = match signal {
            Signal::Logs => &self.logs_url,
            Signal::Traces => &self.traces_url,
        };
        own.as_deref().map(Endpoint::Url).or(self.endpoint.as_deref().map(Endpoint::Base))
    }

    /// What was detected, then `OTEL_RESOURCE_ATTRIBUTES`, then `OTEL_SERVICE_NAME`, then what
    /// the program set: the last one takes precedence.
    pub(crate) fn resource(&self) -> Resource {
        variables::resource(self.detected.clone(), self.service_name.clone(), self.attributes.clone())
    }
}
