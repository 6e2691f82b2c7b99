//! A tonic server: one span for each call, a child of the span in the call's metadata.
//!
//! The service is gRPC's own health check, whose code needs no protoc.
//!
//! ```console
//! cargo run --bin grpc_server
//! ```

use opentelemetry_http::HeaderExtractor;
use spanlog::opentelemetry::global;
use spanlog::tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tokio::net::TcpListener;
use tonic::codegen::http;
use tonic::codegen::tokio_stream::Empty;
use tonic::transport::server::TcpIncoming;
use tonic::transport::Server;
use tonic::{async_trait, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tracing::{info, info_span, Span};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _guard = spanlog::builder().with_service_name("stock").install()?;

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    Server::builder()
        .trace_fn(server_span)
        .add_service(HealthServer::new(Service))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), stopped())
        .await?;
    Ok(())
}

fn server_span(request: &http::Request<()>) -> Span {
    let method = request.uri().path().trim_start_matches('/');
    let span = info_span!("call", otel.name = method, otel.kind = "server", rpc.system.name = "grpc");
    let parent =
        global::get_text_map_propagator(|propagator| propagator.extract(&HeaderExtractor(request.headers())));
    let _ = span.set_parent(parent); // fails without an OpenTelemetry layer
    span
}

struct Service;

#[async_trait]
impl Health for Service {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        info!(service = request.into_inner().service, "checked");
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    type WatchStream = Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("watch"))
    }
}

async fn stopped() {
    let _ = tokio::signal::ctrl_c().await;
}
