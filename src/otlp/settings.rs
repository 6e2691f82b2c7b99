//! The settings of a direct pipeline: what they are, and what the environment says of them.
//!
//! Beside the walk. [`Builder`](super::builder::Builder) puts them together; everything here is asked for once, when
//! a pipeline is built.

pub(crate) mod choices;
mod connect;
pub(crate) mod destination;
pub(crate) mod signal;
pub(crate) mod tls;
pub(crate) mod variables;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Uri};

use crate::limits::Limits;
use crate::otlp::deliver::request::Resource;
use crate::otlp::queue::Overflow;
use crate::otlp::settings::choices::Compression;
use crate::otlp::settings::tls::Tls;
use crate::otlp::settings::variables::{ignore, number, text};

/// Gives headers for one request, such as a token that expires.
#[derive(Clone)]
pub(crate) struct HeaderProvider(pub(crate) Arc<dyn Fn() -> Vec<(String, String)> + Send + Sync>);

impl fmt::Debug for HeaderProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderProvider")
    }
}

/// What a pipeline is started with.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) memory_limit_bytes: usize,
    pub(crate) overflow: Overflow,
    pub(crate) max_batch_records: usize,
    /// Requests on their way at once.
    pub(crate) max_concurrent_exports: usize,
    /// Before compression.
    pub(crate) max_request_bytes: usize,
    pub(crate) schedule_delay: Duration,
    /// For one request and its answer.
    pub(crate) export_timeout: Duration,
    /// For all the attempts at one batch, after which it is dropped.
    pub(crate) max_retry_elapsed: Duration,
    pub(crate) resource: Resource,
    pub(crate) limits: Limits,
    pub(crate) transport: TransportConfig,
}

/// Which transport, and what it is made of.
#[derive(Debug)]
pub(crate) enum TransportConfig {
    Http { to: Target, is_json: bool },
    Grpc(Target),
    File { path: PathBuf, rotation: Option<(u64, usize)> },
}

impl TransportConfig {
    /// As the semantic conventions have it, where they have a name for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Http { is_json: false, .. } => "otlp_http_log_exporter",
            Self::Http { is_json: true, .. } => "otlp_http_json_log_exporter",
            Self::Grpc(_) => "otlp_grpc_log_exporter",
            Self::File { .. } => "spanlog::otlp::FileTransport",
        }
    }
}

/// A receiver, and how to speak to it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Of gRPC: scheme and authority, and a path only if the user wrote one.
    pub(crate) url: Uri,
    /// Each is marked as sensitive, so that debugging forms do not show its value.
    pub(crate) headers: HeaderMap,
    pub(crate) header_provider: Option<HeaderProvider>,
    pub(crate) compression: Compression,
    pub(crate) tls: Tls,
}

/// `OTEL_BLRP_*`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Batches {
    pub(crate) schedule_delay: Option<Duration>,
    pub(crate) max_retry_elapsed: Option<Duration>,
    pub(crate) max_batch_records: Option<usize>,
}

impl Batches {
    pub(crate) fn from_env() -> Self {
        let millis = |name| number(name).map(Duration::from_millis);
        let queue = "OTEL_BLRP_MAX_QUEUE_SIZE";
        if let Some(value) = text(queue) {
            // A count says nothing of bytes: any factor would drop records of someone, or take too much memory.
            ignore(queue, &value, "unset here: the queue is bounded in bytes, by with_memory_limit");
        }
        Self {
            schedule_delay: millis("OTEL_BLRP_SCHEDULE_DELAY"),
            // What the specification calls an export includes what the exporter sends again.
            max_retry_elapsed: millis("OTEL_BLRP_EXPORT_TIMEOUT"),
            max_batch_records: number("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE")
                .and_then(|number| usize::try_from(number).ok()),
        }
    }
}
