//! Every `tracing` event as an OpenTelemetry log record that knows its span and its job.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod layer;
mod correlate;
mod inherit;
mod fields;
mod record;
mod sdk;
mod beside;
mod limits;
mod stats;
mod diagnostics;
mod error;
mod keys;
mod log_tracer;
mod spans;
pub mod graph;
pub mod job;
pub mod op;

pub use self::diagnostics::set_diagnostics;
pub use self::error::Error;
pub use self::inherit::SpanFields;
pub use self::job::{JobMetadata, JobSpanProcessor};
pub use self::keys::Keys;
pub use self::layer::LogLayer;
pub use self::limits::Limits;
pub use self::log_tracer::LogTracer;
pub use self::sdk::SdkRecords;
pub use self::spans::SpanLayer;
pub use self::stats::{Counters, Stats};

pub use {opentelemetry, tracing, tracing_opentelemetry};
