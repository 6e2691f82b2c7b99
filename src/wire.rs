//! Protobuf's wire format: written and read.

pub(crate) mod buffer;
pub(crate) mod log_record;
pub(crate) mod put;
#[cfg(any(feature = "otlp-http", feature = "graph", feature = "json-lines"))]
pub(crate) mod read;
pub(crate) mod scalar;
