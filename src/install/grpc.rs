//! The SDK's exporters over gRPC, and the runtime that drives their connections.

use std::mem;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, SpanExporter, WithExportConfig, WithTonicConfig};
use tokio::runtime::{Builder, Handle, Runtime};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use crate::error::Error;
use crate::install::destination::{rejected, Destination};
use crate::otlp::settings::HeaderProvider;
use crate::otlp::transport::grpc::tls;

pub(crate) fn log_exporter(to: Destination) -> Result<LogExporter, Error> {
    over_grpc(to, LogExporter::builder().with_tonic(), |builder| builder.build())
}

pub(crate) fn span_exporter(to: Destination) -> Result<SpanExporter, Error> {
    over_grpc(to, SpanExporter::builder().with_tonic(), |builder| builder.build())
}

fn over_grpc<B: WithExportConfig + WithTonicConfig, E>(
    destination: Destination,
    builder: B,
    build: impl FnOnce(B) -> Result<E, ExporterBuildError>,
) -> Result<E, Error> {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let Destination { to, timeout, .. } = destination;
    let url = to.url.to_string();
    let (headers, provider) = (to.headers, to.header_provider);
    let mut builder = builder
        .with_timeout(timeout)
        .with_endpoint(&url)
        // Comes last: otherwise what the exporter finds in the environment took precedence.
        .with_interceptor(move |request| {
            let mut headers = headers.clone();
            headers.extend(provider.iter().flat_map(HeaderProvider::headers));
            Ok::<_, Status>(with_headers(request, &headers))
        });
    if to.url.scheme_str() == Some("https") {
        builder = builder.with_tls_config(tls::config(&to.tls));
    }
    build(builder).map_err(|error| rejected(&url, error))
}

fn with_headers(mut request: Request<()>, headers: &HeaderMap) -> Request<()> {
    let mut all = mem::take(request.metadata_mut()).into_headers();
    for (name, value) in headers {
        all.insert(name, value.clone());
    }
    *request.metadata_mut() = MetadataMap::from_headers(all);
    request
}

/// A runtime with one thread, which drives the connections of all exporters for the life of the
/// process: the batch processors wait on threads of their own, and the caller may block any runtime
/// of its own.
fn runtime() -> Result<Handle, Error> {
    static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = &*runtime {
        return Ok(runtime.handle().clone());
    }
    let new = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .thread_name("spanlog-grpc")
        // What tonic, hyper and rustls log is not collected. For the life of the thread.
        .on_thread_start(|| mem::forget(Context::enter_telemetry_suppressed_scope()))
        .build()
        .map_err(|error| {
            Error::delivery("the runtime for gRPC could not be started".to_owned()).with_source(error)
        })?;
    Ok(runtime.insert(new).handle().clone())
}
