//! The SDK's exporters over gRPC, and the runtime that drives their connections.

use std::mem;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry_otlp::{LogExporter, SpanExporter, WithExportConfig, WithTonicConfig};
use tokio::runtime::{Builder, Handle, Runtime};
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use tonic::{Request, Status};

use crate::error::Error;
use crate::install::destination::{rejected, Destination};

pub(crate) fn log_exporter(to: Destination) -> Result<LogExporter, Error> {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let url = to.url.clone();
    to.over_grpc(LogExporter::builder().with_tonic()).build().map_err(|error| rejected(&url, error))
}

pub(crate) fn span_exporter(to: Destination) -> Result<SpanExporter, Error> {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let url = to.url.clone();
    to.over_grpc(SpanExporter::builder().with_tonic()).build().map_err(|error| rejected(&url, error))
}

impl Destination {
    fn over_grpc<B: WithExportConfig + WithTonicConfig>(self, builder: B) -> B {
        let is_encrypted = self.url.starts_with("https:");
        let headers = self.headers;
        let builder = builder
            .with_timeout(self.timeout)
            .with_endpoint(self.url)
            // The last word, or what the exporter itself finds in the environment would go before the builder.
            .with_interceptor(move |request| Ok::<_, Status>(with_headers(request, &headers)));
        if !is_encrypted {
            return builder;
        }
        let mut tls = match self.tls.roots {
            Some(roots) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(roots.bytes)),
            None => ClientTlsConfig::new().with_webpki_roots(),
        };
        if let Some((chain, key)) = self.tls.client {
            tls = tls.identity(Identity::from_pem(chain.bytes, key.bytes));
        }
        builder.with_tls_config(tls)
    }
}

fn with_headers(mut request: Request<()>, headers: &HeaderMap) -> Request<()> {
    let mut all = mem::take(request.metadata_mut()).into_headers();
    for (name, value) in headers {
        all.insert(name, value.clone());
    }
    *request.metadata_mut() = MetadataMap::from_headers(all);
    request
}

/// One thread that drives the connections of all exporters of this process, as long as that lives: the
/// batch processors wait on threads of their own, and the caller may block any runtime that there is.
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
        // What tonic, hyper and rustls say of themselves goes nowhere. For the life of the thread.
        .on_thread_start(|| mem::forget(Context::enter_telemetry_suppressed_scope()))
        .build()
        .map_err(|error| {
            Error::delivery("the runtime for gRPC could not be started".to_owned()).with_source(error)
        })?;
    Ok(runtime.insert(new).handle().clone())
}
