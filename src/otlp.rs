//! The direct road: an event straight to OTLP bytes, without a record type in between.

pub(crate) mod json;
pub(crate) mod read;
pub(crate) mod request;
pub(crate) mod transport;
pub(crate) mod wire;
