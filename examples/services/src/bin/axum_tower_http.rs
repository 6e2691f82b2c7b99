//! axum with tower-http's `TraceLayer`: the server's span is one's own, and its parent is the span
//! in the request's `traceparent`.
//!
//! ```console
//! cargo run --bin axum_tower_http
//! curl http://127.0.0.1:3000/orders/7 -H x-request-id:r-1
//! ```

use axum::extract::{MatchedPath, Path, Request};
use axum::routing::get;
use axum::Router;
use opentelemetry_http::HeaderExtractor;
use spanlog::opentelemetry::global;
use spanlog::tracing_opentelemetry::OpenTelemetrySpanExt as _;
use spanlog::{job, JobMetadata};
use tokio::net::TcpListener;
use tower_http::trace::TraceLayer;
use tracing::{info, info_span, Span};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _guard = spanlog::builder().with_service_name("orders").install()?;

    let app = Router::new()
        .route("/orders/{id}", get(order))
        .layer(TraceLayer::new_for_http().make_span_with(server_span));
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

/// A span that is created in a job takes the job to all that is logged in it.
fn server_span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let span = job::scope(JobMetadata::new(route.to_owned(), id.to_owned()), || {
        info_span!(
            "request",
            otel.name = format!("{} {route}", request.method()),
            otel.kind = "server",
            http.request.method = %request.method(),
            http.route = route,
            url.path = request.uri().path(),
        )
    });
    let parent =
        global::get_text_map_propagator(|propagator| propagator.extract(&HeaderExtractor(request.headers())));
    let _ = span.set_parent(parent); // fails without an OpenTelemetry layer
    span
}

async fn stopped() {
    let _ = tokio::signal::ctrl_c().await;
}
