//! Reading and writing protobuf's wire format.

pub(crate) mod buffer;
pub(crate) mod log_record;
pub(crate) mod put;
#[cfg_attr(
    not(any(feature = "otlp-http", feature = "graph", feature = "json-lines")),
    expect(dead_code, reason = "the queue reads nothing but texts and bytes")
)]
pub(crate) mod read;
pub(crate) mod scalar;
pub(crate) mod segment;
