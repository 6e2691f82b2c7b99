//! The body of a request: protobuf or JSON, compressed or not.

#[cfg(feature = "zstd")]
pub(crate) mod zstd;
#[cfg(not(feature = "zstd"))]
#[path = "body/no_zstd.rs"]
pub(crate) mod zstd;

use std::borrow::Cow;
use std::io::Write;
use std::mem;

use flate2::write::GzEncoder;
use flate2::Compression as Level;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use crate::error::Error;
use crate::otlp::json::request_to_json;
use crate::otlp::settings::choices::Compression;
use crate::otlp::signal::Signal;

#[derive(Debug)]
pub(crate) struct Bodies {
    /// Requests of this signal are sent as JSON.
    json: Option<Signal>,
    compression: Compression,
    /// The last compressed body, whose memory is reused.
    compressed: Vec<u8>,
}

impl Bodies {
    pub(crate) fn new(json: Option<Signal>, compression: Compression) -> Result<Self, Error> {
        if compression == Compression::Zstd && !zstd::IS_AVAILABLE {
            return Err(Error::setting(
                "with_compression",
                "zstd",
                "none or gzip without the feature `zstd`",
            ));
        }
        Ok(Self { json, compression, compressed: Vec::new() })
    }

    /// The headers that describe the bodies.
    pub(crate) fn headers(&self) -> HeaderMap {
        let kind = match self.json {
            Some(_) => "application/json",
            None => "application/x-protobuf",
        };
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let encoding = match self.compression {
            Compression::None => return headers,
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        };
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        headers
    }

    /// The body of a request. An error is permanent.
    pub(crate) fn encode<'a>(&'a mut self, request: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
        let plain = match self.json {
            Some(signal) => {
                let text = request_to_json(signal, request).map_err(|error| error.to_string())?;
                Cow::Owned(text.into_bytes())
            }
            None => Cow::Borrowed(request),
        };
        let mut out = mem::take(&mut self.compressed);
        out.clear();
        self.compressed = match self.compression {
            Compression::None => return Ok(plain),
            Compression::Gzip => gzip(&plain, out).map_err(|error| format!("gzip: {error}"))?,
            Compression::Zstd => zstd::compress(&plain, out),
        };
        Ok(Cow::Borrowed(&self.compressed))
    }
}

fn gzip(plain: &[u8], out: Vec<u8>) -> std::io::Result<Vec<u8>> {
    // Records are repetitive, so that the fast level saves most of what the slow ones would.
    let mut encoder = GzEncoder::new(out, Level::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}
