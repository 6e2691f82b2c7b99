//! Where OTLP goes, and how: endpoint, headers and timeout of one signal, and its exporter.

use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};

use super::client::BlockingClient;
use super::env;
use crate::Error;

/// A signal, as the variables name it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signal {
    Logs,
    Traces,
}

impl Signal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }

    pub(super) fn exporter_variable(self) -> &'static str {
        match self {
            Self::Logs => "OTEL_LOGS_EXPORTER",
            Self::Traces => "OTEL_TRACES_EXPORTER",
        }
    }

    /// The signal's own form of an `OTEL_EXPORTER_OTLP_…` variable, which goes before the general one.
    fn variable(self, what: &str) -> String {
        match self {
            Self::Logs => format!("OTEL_EXPORTER_OTLP_LOGS_{what}"),
            Self::Traces => format!("OTEL_EXPORTER_OTLP_TRACES_{what}"),
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Logs => "/v1/logs",
            Self::Traces => "/v1/traces",
        }
    }
}

/// What the builder was told of OTLP, over what the environment says.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) endpoint: Option<String>,
    pub(super) headers: Vec<(String, String)>,
}

/// Whether anybody said where a signal goes.
pub(super) fn has_endpoint(signal: Signal, told: &Told) -> bool {
    told.endpoint.is_some()
        || env::text(&signal.variable("ENDPOINT")).is_some()
        || env::text("OTEL_EXPORTER_OTLP_ENDPOINT").is_some()
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
        let timeout = env::timeout(&[&signal.variable("TIMEOUT"), "OTEL_EXPORTER_OTLP_TIMEOUT"]);
        Ok(Self { url: url(signal, told)?, headers: headers(signal, told)?, timeout })
    }
}

/// A base URL gets the signal's path; the signal's own variable is taken as it is.
fn url(signal: Signal, told: &Told) -> Result<String, Error> {
    let own = signal.variable("ENDPOINT");
    let general = "OTEL_EXPORTER_OTLP_ENDPOINT";
    if let Some(base) = &told.endpoint {
        return joined("with_endpoint", base, signal);
    }
    if let Some(url) = env::demanded(&own)? {
        return checked(&own, &url).map(|_| url);
    }
    match env::demanded(general)? {
        Some(base) => joined(general, &base, signal),
        None => joined("the default endpoint", "http://localhost:4318", signal),
    }
}

fn joined(name: &str, base: &str, signal: Signal) -> Result<String, Error> {
    let uri = checked(name, base)?;
    if uri.query().is_some() {
        return Err(Error::setting(name, base, "a base URL without a query: a path is added to it"));
    }
    Ok(format!("{}{}", base.trim_end_matches('/'), signal.path()))
}

fn checked(name: &str, url: &str) -> Result<Uri, Error> {
    let wanted = "an http:// or https:// URL";
    let uri: Uri = url.parse().map_err(|error| Error::setting(name, url, wanted).with_source(error))?;
    let is_http = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    match is_http && uri.host().is_some_and(|host| !host.is_empty()) && !url.contains('#') {
        true => Ok(uri),
        false => Err(Error::setting(name, url, wanted)),
    }
}

/// Values are never part of an error's text: they may be secrets.
fn headers(signal: Signal, told: &Told) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for name in [&signal.variable("HEADERS"), "OTEL_EXPORTER_OTLP_HEADERS"] {
        let Some(list) = env::demanded(name)? else { continue };
        let pairs = env::pairs(&list)
            .map_err(|key| Error::setting(name, &key, "a list of key=value with percent-encoded values"))?;
        for (key, value) in &pairs {
            add(&mut headers, name, key, value)?;
        }
        break;
    }
    for (key, value) in &told.headers {
        add(&mut headers, "with_header", key, value)?;
    }
    Ok(headers)
}

fn add(headers: &mut HeaderMap, source: &str, key: &str, value: &str) -> Result<(), Error> {
    let wrong = || Error::setting(source, key, "a header's name with a value of visible ASCII");
    let name: HeaderName = key.parse().map_err(|_| wrong())?;
    let mut value: HeaderValue = value.parse().map_err(|_| wrong())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// Settings that mean something to the specification but nothing here.
fn report_ignored(signal: Signal) {
    for (what, usable) in [("PROTOCOL", &["http/protobuf"][..]), ("COMPRESSION", &["none", "gzip"])] {
        for name in [signal.variable(what), format!("OTEL_EXPORTER_OTLP_{what}")] {
            if let Some(value) = env::text(&name).filter(|value| !usable.contains(&value.as_str())) {
                env::ignore(&name, &value, &format!("{} here", usable.join(" or ")));
            }
        }
    }
    for what in ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"] {
        for name in [signal.variable(what), format!("OTEL_EXPORTER_OTLP_{what}")] {
            if let Some(value) = env::text(&name) {
                env::ignore(&name, &value, "unset: only the built-in roots are trusted");
            }
        }
    }
}
