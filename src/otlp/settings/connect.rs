//! The transport that the settings ask for.

use crate::error::Error;
use crate::otlp::json::request_to_json;
use crate::otlp::settings::{Target, TransportConfig};
use crate::otlp::transport::file::FileTransport;
use crate::otlp::transport::http::Http;
use crate::otlp::transport::Transport;

impl TransportConfig {
    /// A transport with a connection of its own.
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
    use crate::otlp::settings::Compression;
    use crate::otlp::transport::grpc::{Grpc, Receiver};

    let is_gzip = match to.compression {
        Compression::None => false,
        Compression::Gzip => true,
        Compression::Zstd => {
            return Err(Error::setting("with_compression", "zstd", "none or gzip, over gRPC"))
        }
    };
    Ok(Box::new(Grpc::new(Receiver {
        url: to.url,
        headers: to.headers,
        header_provider: to.header_provider.map(|provider| provider.0),
        is_gzip,
        roots: to.tls.roots.map(|roots| roots.bytes),
        client: to.tls.client.map(|(chain, key)| (chain.bytes, key.bytes)),
    })?))
}

#[cfg(not(feature = "grpc"))]
fn grpc(_to: Target) -> Result<Box<dyn Transport>, Error> {
    Err(Error::setting("the protocol", "grpc", "http/protobuf or http/json without the feature `grpc`"))
}
