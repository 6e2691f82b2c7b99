//! A tonic client: an interceptor puts the ids of the current span into each call's metadata.
//!
//! ```console
//! cargo run --bin grpc_client -- http://127.0.0.1:50051
//! ```

use opentelemetry_http::HeaderInjector;
use spanlog::opentelemetry::global;
use spanlog::tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tonic::transport::Endpoint;
use tonic::{Request, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::HealthCheckRequest;
use tracing::{info, info_span, Instrument as _, Span};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: grpc_client URL")?;
    let _guard = spanlog::builder().with_service_name("shop").install()?;

    let channel = Endpoint::from_shared(url)?.connect().await?;
    let mut client = HealthClient::with_interceptor(channel, inject);
    let span = info_span!(
        "call",
        otel.name = "grpc.health.v1.Health/Check",
        otel.kind = "client",
        rpc.system.name = "grpc"
    );
    async {
        let request = HealthCheckRequest { service: "stock".to_owned() };
        let status = client.check(request).await?.into_inner().status();
        info!(status = status.as_str_name(), "answered");
        Ok(())
    }
    .instrument(span)
    .await
}

fn inject(mut call: Request<()>) -> Result<Request<()>, Status> {
    global::get_text_map_propagator(|propagator| {
        propagator
            .inject_context(&Span::current().context(), &mut HeaderInjector(call.metadata_mut().as_mut()));
    });
    Ok(call)
}
