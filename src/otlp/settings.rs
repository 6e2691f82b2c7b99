//! The settings of a direct pipeline and of the SDK's exporters, by the program and by the
//! environment.
//!
//! All of them are read once, when a pipeline or an exporter is built.

pub(crate) mod choices;
mod connect;
pub(crate) mod destination;
pub(crate) mod overrides;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(not(feature = "tls"))]
#[path = "settings/no_tls.rs"]
pub(crate) mod tls;
pub(crate) mod variables;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, Uri};

use crate::diagnostics::report_once;
use crate::otlp::settings::choices::Compression;
use crate::otlp::settings::destination::{add, without_secrets};
use crate::otlp::settings::tls::Tls;
use crate::otlp::signal::Signal;

/// Gives headers for one request, such as a token that expires.
#[derive(Clone)]
pub(crate) struct HeaderProvider(pub(crate) Arc<dyn Fn() -> Vec<(String, String)> + Send + Sync>);

impl fmt::Debug for HeaderProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderProvider")
    }
}

impl HeaderProvider {
    /// The headers for the next request. What cannot be a header is reported and left out.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in (self.0)() {
            if let Err(error) = add(&mut headers, "the header provider", &name, &value) {
                report_once(format_args!("{error}; it is left out"));
            }
        }
        headers
    }
}

/// Which transport to use, and its settings.
#[derive(Debug)]
pub(crate) enum TransportConfig {
    Http {
        to: Target,
        is_json: bool,
    },
    Grpc(Target),
    /// With `rotation`, the bytes that a file has at most, and how many full files are kept.
    File {
        path: PathBuf,
        rotation: Option<(u64, usize)>,
    },
}

impl TransportConfig {
    /// Its `otel.component.type`; of the semantic conventions where they have a name for it.
    pub(crate) fn name(&self, signal: Signal) -> &'static str {
        match (self, signal) {
            (Self::Http { is_json: false, .. }, Signal::Logs) => "otlp_http_log_exporter",
            (Self::Http { is_json: false, .. }, Signal::Traces) => "otlp_http_span_exporter",
            (Self::Http { is_json: true, .. }, Signal::Logs) => "otlp_http_json_log_exporter",
            (Self::Http { is_json: true, .. }, Signal::Traces) => "otlp_http_json_span_exporter",
            (Self::Grpc(_), Signal::Logs) => "otlp_grpc_log_exporter",
            (Self::Grpc(_), Signal::Traces) => "otlp_grpc_span_exporter",
            (Self::File { .. }, _) => "spanlog::otlp::FileTransport",
        }
    }
}

impl TransportConfig {
    /// Where requests are sent, for people.
    pub(crate) fn receiver(&self) -> String {
        match self {
            Self::Http { to, .. } | Self::Grpc(to) => without_secrets(&to.url),
            Self::File { path, .. } => path.display().to_string(),
        }
    }
}

/// A receiver, and how to talk to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    /// For gRPC it has a path only if the user wrote one.
    pub(crate) url: Uri,
    /// Each is marked as sensitive, so that `Debug` does not show its value.
    pub(crate) headers: HeaderMap,
    pub(crate) header_provider: Option<HeaderProvider>,
    pub(crate) compression: Compression,
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there are none"))]
    pub(crate) tls: Tls,
}
