//! From inside a runtime of one thread, which is blocked meanwhile.

use std::time::Duration;

use spanlog::otlp::{Pipeline, Protocol};

use crate::kinds;
use crate::sink::Sink;

const SECOND: Duration = Duration::from_secs(1);

fn flush_and_shut_down(protocol: Protocol, url: String) {
    let pipeline = Pipeline::builder().with_endpoint(url).with_protocol(protocol).build().unwrap();
    tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || {
        for number in 0..600 {
            tracing::info!(number, "before the flush");
        }
        pipeline.flush(SECOND).unwrap();
        assert_eq!(pipeline.stats().delivered, 600);
        for number in 0..600 {
            tracing::info!(number, "after the flush");
        }
    });
    let report = pipeline.shutdown(SECOND);
    assert!(report.is_complete, "{report}");
    assert_eq!((report.stats.delivered, report.stats.pending), (1200, 0));
}

/// Guarantees: flush and shutdown within a second, everything delivered, on a runtime of one thread.
#[tokio::test(flavor = "current_thread")]
async fn http_from_a_runtime_of_one_thread() {
    let sink = Sink::start();
    flush_and_shut_down(Protocol::HttpProtobuf, sink.url());
    assert_eq!(sink.records().len(), 1200);
}

/// Guarantees: the same where a runtime has many threads.
#[tokio::test(flavor = "multi_thread")]
async fn http_from_a_runtime_of_many_threads() {
    let sink = Sink::start();
    flush_and_shut_down(Protocol::HttpJson, sink.url());
    assert_eq!(sink.records().len(), 1200);
}

#[cfg(feature = "grpc")]
pub use self::grpc::Server;

#[cfg(feature = "grpc")]
mod grpc {
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex};

    use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
        LogsService, LogsServiceServer,
    };
    use opentelemetry_proto::tonic::collector::logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
    };
    use tokio::runtime::{Builder, Runtime};
    use tonic::transport::server::TcpIncoming;
    use tonic::{Request, Response, Status};
    use tracing::subscriber::NoSubscriber;

    use super::*;

    type Requests = Arc<Mutex<Vec<ExportLogsServiceRequest>>>;

    /// A receiver that takes everything, and keeps it.
    pub struct Server {
        address: SocketAddr,
        requests: Requests,
        runtime: Option<Runtime>,
    }

    struct Service(Requests);

    #[tonic::async_trait]
    impl LogsService for Service {
        async fn export(
            &self,
            request: Request<ExportLogsServiceRequest>,
        ) -> Result<Response<ExportLogsServiceResponse>, Status> {
            self.0.lock().unwrap().push(request.into_inner());
            Ok(Response::new(ExportLogsServiceResponse::default()))
        }
    }

    impl Server {
        pub fn start() -> Self {
            let silence = || std::mem::forget(tracing::subscriber::set_default(NoSubscriber::new()));
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .on_thread_start(silence)
                .build()
                .unwrap();
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let address = listener.local_addr().unwrap();
            let requests = Requests::default();
            let service = LogsServiceServer::new(Service(requests.clone()));
            runtime.spawn(async move {
                let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
                tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await
            });
            Self { address, requests, runtime: Some(runtime) }
        }

        pub fn url(&self) -> String {
            format!("http://{}", self.address)
        }

        pub fn requests(&self) -> Vec<ExportLogsServiceRequest> {
            self.requests.lock().unwrap().clone()
        }

        pub fn bodies(&self) -> Vec<String> {
            let scopes = self
                .requests()
                .into_iter()
                .flat_map(|request| request.resource_logs)
                .flat_map(|logs| logs.scope_logs);
            scopes
                .flat_map(|logs| logs.log_records)
                .map(|record| crate::sink::body(&record).to_owned())
                .collect()
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            if let Some(runtime) = self.runtime.take() {
                runtime.shutdown_background();
            }
        }
    }

    /// Guarantees: flush and shutdown within a second, everything delivered, on a runtime of one thread.
    #[tokio::test(flavor = "current_thread")]
    async fn grpc_from_a_runtime_of_one_thread() {
        let server = Server::start();
        flush_and_shut_down(Protocol::Grpc, server.url());
        assert_eq!(server.bodies().len(), 1200);
    }
}
