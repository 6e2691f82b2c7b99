//! axum with axum-tracing-opentelemetry: its layer makes the server's span, a child of the span in
//! the request's `traceparent`. Its feature `tracing_level_info` is on.
//!
//! ```console
//! cargo run --bin axum_layer
//! curl http://127.0.0.1:3000/orders/7 -H x-request-id:r-1
//! ```

use axum::extract::{MatchedPath, Path, Request};
use axum::middleware::{from_fn, Next};
use axum::response::Response;
use axum::routing::get;
use axum::Router;
use axum_tracing_opentelemetry::middleware::{OtelAxumLayer, OtelInResponseLayer};
use spanlog::job::FutureExt as _;
use spanlog::JobMetadata;
use tokio::net::TcpListener;
use tracing::info;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _guard = spanlog::builder().with_service_name("orders").install()?;

    let app = Router::new()
        .route("/orders/{id}", get(order))
        .route_layer(from_fn(as_job)) // of what has a route
        .layer(OtelInResponseLayer) // the trace id in the response
        .layer(OtelAxumLayer::default()); // the last layer is the outermost
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn order(Path(id): Path<u32>) -> String {
    info!(order = id, "looked up");
    format!("order {id}")
}

/// A request is an execution of a job: the job is the route, the execution the request.
async fn as_job(route: MatchedPath, request: Request, next: Next) -> Response {
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let job = JobMetadata::new(route.as_str().to_owned(), id.to_owned());
    next.run(request).with_job(job).await
}

async fn stopped() {
    let _ = tokio::signal::ctrl_c().await;
}
