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
pub mod job;
pub mod op;
#[cfg(feature = "json-lines")]
#[cfg_attr(docsrs, doc(cfg(feature = "json-lines")))]
pub mod json_lines;
#[cfg(feature = "install")]
#[cfg_attr(docsrs, doc(cfg(feature = "install")))]
pub mod install;

pub use self::diagnostics::set_diagnostics;
pub use self::error::Error;
pub use self::inherit::SpanFields;
#[cfg(feature = "install")]
#[cfg_attr(docsrs, doc(cfg(feature = "install")))]
pub use self::install::{builder, Builder, Guard};
pub use self::job::{JobMetadata, JobSpanProcessor};
pub use self::keys::Keys;
pub use self::layer::LogLayer;
pub use self::limits::Limits;
pub use self::log_tracer::LogTracer;
pub use self::sdk::SdkRecords;
pub use self::spans::SpanLayer;
pub use self::stats::{Counters, Stats};

pub use {opentelemetry, tracing, tracing_opentelemetry};
