//! Settings that are an enumeration.

use crate::otlp::settings::variables::{ignore, text};
use crate::otlp::signal::Signal;

/// The encoding and the transport of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// Protobuf over HTTP.
    #[default]
    HttpProtobuf,
    /// JSON over HTTP.
    HttpJson,
    /// gRPC.
    Grpc,
}

impl Protocol {
    /// `OTEL_EXPORTER_OTLP_LOGS_PROTOCOL` or that of another signal, else
    /// `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub(crate) fn from_env(signal: Signal) -> Option<Self> {
        choice(signal, "PROTOCOL", "one of grpc, http/protobuf and http/json", |word| match word {
            "http/protobuf" => Some(Self::HttpProtobuf),
            "http/json" => Some(Self::HttpJson),
            "grpc" => Some(Self::Grpc),
            _ => None,
        })
    }
}

/// The compression of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// No compression.
    #[default]
    None,
    /// gzip, which every receiver accepts.
    Gzip,
    /// zstd, which some receivers accept. Over HTTP it needs the feature `zstd`.
    Zstd,
}

impl Compression {
    /// `OTEL_EXPORTER_OTLP_LOGS_COMPRESSION` or that of another signal, else
    /// `OTEL_EXPORTER_OTLP_COMPRESSION`.
    pub(crate) fn from_env(signal: Signal) -> Option<Self> {
        let has_zstd = cfg!(feature = "zstd");
        let wanted = if has_zstd { "one of none, gzip and zstd" } else { "none or gzip in this build" };
        choice(signal, "COMPRESSION", wanted, |word| match word {
            "none" => Some(Self::None),
            "gzip" => Some(Self::Gzip),
            "zstd" if has_zstd => Some(Self::Zstd),
            _ => None,
        })
    }
}

/// The first valid one of a variable's two forms.
fn choice<T>(signal: Signal, what: &str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    signal.variables(what).iter().find_map(|name| {
        let value = text(name)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            ignore(name, &value, wanted);
        }
        parsed
    })
}
