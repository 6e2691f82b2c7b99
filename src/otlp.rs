//! The direct road: an event straight to OTLP bytes, without a record type in between.

pub(crate) mod request;
pub(crate) mod transport;
pub(crate) mod wire;
#[cfg(feature = "otlp-http")]
mod builder;
#[cfg(feature = "otlp-http")]
#[cfg_attr(not(test), expect(dead_code, reason = "for `Pipeline`, which comes with the queue"))]
pub(crate) mod settings;

#[cfg(feature = "otlp-http")]
#[cfg_attr(docsrs, doc(cfg(feature = "otlp-http")))]
pub use self::builder::Builder;
#[cfg(feature = "otlp-http")]
#[cfg_attr(docsrs, doc(cfg(feature = "otlp-http")))]
pub use self::settings::{Compression, Overflow, Protocol};
