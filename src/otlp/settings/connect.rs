//! Makes the transports of a [`TransportConfig`].

use crate::error::Error;
use crate::otlp::settings::{Target, TransportConfig};
use crate::otlp::signal::Signal;
use crate::otlp::transport::file::FileTransport;
use crate::otlp::transport::http::Http;
use crate::otlp::transport::Transport;

impl TransportConfig {
    pub(crate) fn connect_all(
        &self,
        signal: Signal,
        connections: usize,
    ) -> Result<Vec<Box<dyn Transport>>, Error> {
        (0..connections).map(|_| self.connect(signal)).collect()
    }

    /// A new transport of a signal, with a connection of its own.
    pub(crate) fn connect(&self, signal: Signal) -> Result<Box<dyn Transport>, Error> {
        Ok(match self {
            Self::Http { to, is_json } => Box::new(Http::new(to.clone(), is_json.then_some(signal))?),
            Self::Grpc(to) => grpc(to.clone(), signal)?,
            Self::File { path, rotation } => {
                let file = FileTransport::new(path, signal)?;
                Box::new(match rotation {
                    Some((max_bytes, keep)) => file.with_rotation(*max_bytes, *keep),
                    None => file,
                })
            }
        })
    }
}

#[cfg(feature = "grpc")]
fn grpc(to: Target, signal: Signal) -> Result<Box<dyn Transport>, Error> {
    Ok(Box::new(crate::otlp::transport::grpc::Grpc::new(to, signal)?))
}

#[cfg(not(feature = "grpc"))]
fn grpc(_to: Target, _signal: Signal) -> Result<Box<dyn Transport>, Error> {
    Err(Error::setting(
        "the protocol",
        "grpc",
        "http/protobuf or http/json, unless spanlog has the feature `grpc`",
    ))
}
