//! Takes the place of `install/grpc.rs` without the feature.

use opentelemetry_otlp::{LogExporter, SpanExporter};

use crate::error::Error;
use crate::install::destination::Destination;

pub(crate) fn log_exporter(_to: Destination) -> Result<LogExporter, Error> {
    Err(absent())
}

pub(crate) fn span_exporter(_to: Destination) -> Result<SpanExporter, Error> {
    Err(absent())
}

fn absent() -> Error {
    Error::setting("the protocol", "grpc", "http/protobuf or http/json without the feature `grpc`")
}
