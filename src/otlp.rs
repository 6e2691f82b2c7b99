//! The direct road: an event straight to OTLP bytes, without a record type in between.

pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod transport;
pub(crate) mod wire;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]
mod tests;
