//! Makes the transports of a [`TransportConfig`].

use crate::error::Error;
use crate::otlp::json::request_to_json;
use crate::otlp::settings::{Target, TransportConfig};
use crate::otlp::transport::file::FileTransport;
use crate::otlp::transport::http::Http;
use crate::otlp::transport::Transport;

impl TransportConfig {
    /// A new transport, with a connection of its own.
    pub(crate) fn connect(&self) -> Result<Box<dyn Transport>, Error> {
        Ok(match self {
            Self::Http { to, is_json: false } => Box::new(Http::new(to.clone(), None)?),
            Self::Http { to, is_json: true } => {
                let encode = |request: &[u8]| request_to_json(request).map_err(|error| error.to_string());
                Box::new(Http::new(to.clone(), Some(encode))?)
            }
            Self::Grpc(to) => grpc(to.clone())?,
            Self::File { path, rotation } => {
                let file = FileTransport::new(path)?;
                Box::new(match rotation {
                    Some((max_bytes, keep)) => file.with_rotation(*max_bytes, *keep),
                    None => file,
                })
            }
        })
    }
}

#[cfg(feature = "grpc")]
fn grpc(to: Target) -> Result<Box<dyn Transport>, Error> {
    Ok(Box::new(crate::otlp::transport::grpc::Grpc::new(to)?))
}

#[cfg(not(feature = "grpc"))]
fn grpc(_to: Target) -> Result<Box<dyn Transport>, Error> {
    Err(Error::setting("the protocol", "grpc", "http/protobuf or http/json without the feature `grpc`"))
}
