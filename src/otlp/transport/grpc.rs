//! OTLP over gRPC.
//!
//! tonic only transports bytes: requests are encoded already, and answers are read by
//! [`wire::read`](crate::wire::read), without message types.

mod answer;
mod runtime;
#[cfg(feature = "tls")]
mod tls;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, Uri};
use opentelemetry::Context;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::error::Error;
use crate::otlp::deliver::request;
use crate::otlp::settings::choices::Compression;
use crate::otlp::settings::destination;
use crate::otlp::settings::{HeaderProvider, Target};
use crate::otlp::signal::Signal;
use crate::otlp::transport::grpc::answer::{accepted, failed, fault};
use crate::otlp::transport::grpc::runtime::OwnRuntime;
use crate::otlp::transport::secrets::without_secrets;
use crate::otlp::transport::{Answer, Fault, Transport};

/// The shortest timeout of an attempt: a timeout of zero, when the deadline has just passed, could
/// mean none.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// How often the runtime is yielded to before a request: the first turn polls the sockets, the next
/// ones run the tasks that this wakes. Without TLS, two are enough, and one is not.
const TURNS: usize = 4;

/// One connection, made when the first request goes out, and again whenever it is lost.
pub(crate) struct Grpc {
    // Declared before the runtime, so that it is dropped first.
    client: tonic::client::Grpc<Channel>,
    runtime: OwnRuntime,
    signal: Signal,
    url: Uri,
    headers: HeaderMap,
    header_provider: Option<HeaderProvider>,
    /// Those of the last request.
    sent_headers: HeaderMap,
    /// The receiver has accepted a request.
    was_answered: bool,
    fault: Fault,
}

impl Grpc {
    /// A transport to `to`. It does not connect yet.
    ///
    /// # Errors
    ///
    /// If the URL or a certificate cannot be used, or the runtime cannot be started.
    pub(crate) fn new(to: Target, signal: Signal) -> Result<Self, Error> {
        let unusable = |error: tonic::transport::Error| {
            let wanted = "the URL of a gRPC receiver, with certificates that can be read";
            Error::setting("the endpoint", &destination::without_secrets(&to.url), wanted).with_source(error)
        };
        let endpoint = Endpoint::from(to.url.clone())
            .user_agent(concat!("spanlog/", env!("CARGO_PKG_VERSION")))
            .map_err(unusable)?;
        #[cfg(feature = "tls")]
        let endpoint = tls::apply(&to, endpoint)?.map_err(unusable)?;
        let runtime = OwnRuntime::new()?;
        let channel = runtime.within(|| endpoint.connect_lazy());
        let client = tonic::client::Grpc::new(channel);
        let client = match to.compression {
            Compression::None => client,
            Compression::Gzip => {
                client.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip)
            }
            Compression::Zstd => {
                return Err(Error::setting("with_compression", "zstd", "none or gzip, over gRPC"))
            }
        };
        Ok(Self {
            client,
            runtime,
            signal,
            url: to.url,
            headers: to.headers,
            header_provider: to.header_provider,
            sent_headers: HeaderMap::new(),
            was_answered: false,
            fault: Fault::default(),
        })
    }

    fn exchange(&mut self, message: &Bytes, deadline: Instant) -> Answer {
        let mut outcome = self.attempt(message, deadline);
        let is_stale = |status: &Status| status.code() == Code::Unauthenticated;
        if self.header_provider.is_some() && outcome.as_ref().is_err_and(is_stale) {
            // The token may have expired on the way: retry once, with a fresh one.
            outcome = self.attempt(message, deadline);
        }
        let answer = match outcome {
            Ok(body) => {
                self.was_answered = true;
                accepted(&body)
            }
            Err(status) => {
                let is_secure = self.url.scheme() == Some(&Scheme::HTTPS);
                self.fault = fault(&status, is_secure, self.was_answered);
                failed(&status)
            }
        };
        without_secrets(answer, &self.url, [&self.sent_headers])
    }

    fn attempt(&mut self, message: &Bytes, deadline: Instant) -> Result<Bytes, Status> {
        let time_left = deadline.saturating_duration_since(Instant::now()).max(MIN_TIMEOUT);
        let mut request = Request::new(message.clone());
        self.sent_headers = self.headers_now();
        *request.metadata_mut() = MetadataMap::from_headers(self.sent_headers.clone());
        // Tells the receiver, too, how long it has.
        request.set_timeout(time_left);
        let (client, path) = (&mut self.client, PathAndQuery::from_static(self.signal.grpc_method()));
        let answered = self.runtime.block_on(async move {
            // The connection was not polled since the last request. Its tasks must notice if it was
            // closed meanwhile, before the request is lost on it.
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            tokio::time::timeout(time_left, call(client, path, request)).await
        });
        match answered {
            Some(Ok(answered)) => answered,
            Some(Err(_)) => Err(Status::deadline_exceeded("no answer in time")),
            None => Err(Status::unavailable("the thread of the call panicked")),
        }
    }

    fn headers_now(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.extend(self.header_provider.iter().flat_map(HeaderProvider::headers));
        headers
    }
}

impl Transport for Grpc {
    fn send(&mut self, request: &mut request::Request, deadline: Instant) -> Answer {
        // tonic, hyper and rustls log about every request, which would cause the next one. The
        // pipeline's threads are suppressed already, but other callers need not be.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        let request = Bytes::from(request.to_vec());
        // The header provider is user code.
        catch_unwind(AssertUnwindSafe(|| self.exchange(&request, deadline))).unwrap_or_else(|_| {
            let why = String::from("the header provider or the gRPC client panicked");
            Answer::TryAgain { after: None, why }
        })
    }

    fn fault(&self) -> Fault {
        self.fault
    }
}

impl fmt::Debug for Grpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grpc").finish_non_exhaustive()
    }
}

/// The body of the answer; empty if there was none.
///
/// It is read as a stream, because a unary call would fail without a message, although the status
/// OK alone says that the request was accepted.
async fn call(
    client: &mut tonic::client::Grpc<Channel>,
    path: PathAndQuery,
    request: Request<Bytes>,
) -> Result<Bytes, Status> {
    client.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let mut stream = client.server_streaming(request, path, Raw).await?.into_inner();
    let mut body = Bytes::new();
    // Up to the end, where the status is.
    while let Some(message) = stream.message().await? {
        body = message;
    }
    Ok(body)
}

/// A codec that leaves messages encoded.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(message.len());
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
