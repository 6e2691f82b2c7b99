//! A gRPC receiver of both signals that takes everything, and counts it.

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
use tokio::runtime::{Builder, Runtime};
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// The names of the headers that are kept.
const KEPT: [&str; 2] = ["x-told", "x-env"];

#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    records: usize,
    spans: usize,
    headers: Vec<[String; 2]>,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    taken: Taken,
    runtime: Option<Runtime>,
}

impl Taken {
    fn keep(&self, metadata: &MetadataMap) {
        let value = |name: &str| {
            let values: Vec<_> = metadata.get_all(name).iter().collect();
            assert_eq!(values.len(), 1, "{name}");
            values[0].to_str().unwrap().to_owned()
        };
        self.0.lock().unwrap().headers.push(KEPT.map(value));
    }
}

#[tonic::async_trait]
impl LogsService for Taken {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.keep(request.metadata());
        let scopes = request.into_inner().resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
        self.0.lock().unwrap().records += scopes.map(|logs| logs.log_records.len()).sum::<usize>();
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Taken {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.keep(request.metadata());
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        self.0.lock().unwrap().spans += scopes.map(|spans| spans.spans.len()).sum::<usize>();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Taken::default();
        let (logs, traces) = (LogsServiceServer::new(taken.clone()), TraceServiceServer::new(taken.clone()));
        runtime.spawn(async move {
            let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
            let server = tonic::transport::Server::builder().add_service(logs).add_service(traces);
            server.serve_with_incoming(incoming).await
        });
        Self { address, taken, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn records(&self) -> usize {
        self.taken.0.lock().unwrap().records
    }

    pub(crate) fn spans(&self) -> usize {
        self.taken.0.lock().unwrap().spans
    }

    /// The values of two headers of each request.
    pub(crate) fn headers(&self) -> Vec<[String; 2]> {
        self.taken.0.lock().unwrap().headers.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
