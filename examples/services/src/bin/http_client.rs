//! A client with reqwest: the request carries the ids of the client's span in `traceparent`.
//!
//! ```console
//! cargo run --bin http_client -- http://127.0.0.1:3000/orders/7
//! ```

use opentelemetry_http::HeaderInjector;
use reqwest::{Client, Request, Response};
use spanlog::opentelemetry::global;
use spanlog::tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing::{field, info, info_span, Instrument as _, Span};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: http_client URL")?;
    let _guard = spanlog::builder().with_service_name("shop").install()?;

    let client = Client::new();
    let response = send(&client, client.get(url).build()?).await?;
    println!("{}", response.text().await?);
    Ok(())
}

/// Sends a request in a span of its own.
async fn send(client: &Client, mut request: Request) -> reqwest::Result<Response> {
    let span = info_span!(
        "request",
        otel.name = %request.method(),
        otel.kind = "client",
        http.request.method = %request.method(),
        url.full = %request.url(),
        http.response.status_code = field::Empty,
    );
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&span.context(), &mut HeaderInjector(request.headers_mut()));
    });
    async {
        let response = client.execute(request).await?;
        Span::current().record("http.response.status_code", i64::from(response.status().as_u16()));
        info!("answered");
        Ok(response)
    }
    .instrument(span)
    .await
}
