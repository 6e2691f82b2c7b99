//! A gRPC receiver of logs and spans on the loopback interface, which accepts and keeps everything.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::runtime::{Builder, Runtime};
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tracing::subscriber::NoSubscriber;

use crate::otlp;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Requests>>);

#[derive(Clone, Default)]
struct Requests {
    logs: Vec<ExportLogsServiceRequest>,
    spans: Vec<ExportTraceServiceRequest>,
    metadata: Vec<MetadataMap>,
}

#[tonic::async_trait]
impl LogsService for Kept {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let mut kept = self.0.lock().unwrap();
        kept.metadata.push(request.metadata().clone());
        kept.logs.push(request.into_inner());
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut kept = self.0.lock().unwrap();
        kept.metadata.push(request.metadata().clone());
        kept.spans.push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Receives until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    kept: Kept,
    runtime: Option<Runtime>,
}

impl Receiver {
    pub fn start() -> Self {
        // The test's subscriber may count events, and the server must not add any.
        let silence = || std::mem::forget(tracing::subscriber::set_default(NoSubscriber::new()));
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .on_thread_start(silence)
            .build()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Kept::default();
        let (logs, traces) = (LogsServiceServer::new(kept.clone()), TraceServiceServer::new(kept.clone()));
        runtime.spawn(async move {
            let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
            let server = tonic::transport::Server::builder().add_service(logs).add_service(traces);
            server.serve_with_incoming(incoming).await
        });
        Self { address, kept, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The metadata of each request.
    pub fn metadata(&self) -> Vec<MetadataMap> {
        self.kept.0.lock().unwrap().metadata.clone()
    }

    /// Records, each with the name of its scope.
    pub fn records(&self) -> Vec<(String, LogRecord)> {
        let requests = self.kept.0.lock().unwrap().logs.clone();
        otlp::records(requests.into_iter().flat_map(|request| request.resource_logs))
    }

    /// Spans, each with the name of its scope.
    pub fn spans(&self) -> Vec<(String, Span)> {
        let requests = self.kept.0.lock().unwrap().spans.clone();
        otlp::spans(requests.into_iter().flat_map(|request| request.resource_spans))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
