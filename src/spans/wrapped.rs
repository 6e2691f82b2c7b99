//! What a [`SpanLayer`](super::SpanLayer) can wrap.

use tracing::Subscriber;
use tracing_opentelemetry::{FilteredOpenTelemetryLayer, OpenTelemetryLayer};
use tracing_subscriber::layer::Filter;
use tracing_subscriber::registry::LookupSpan;

/// A layer of tracing-opentelemetry.
///
/// A [`FilteredOpenTelemetryLayer`] is replaced by the layer inside it: a
/// [`SpanLayer`](super::SpanLayer) forwards no events, so there is nothing to filter or to count.
///
/// [`FilteredOpenTelemetryLayer`]: https://docs.rs/tracing-opentelemetry/0.34/tracing_opentelemetry/struct.FilteredOpenTelemetryLayer.html
pub trait OtelLayer<S, T> {
    /// The layer that makes the spans.
    fn into_inner(self) -> OpenTelemetryLayer<S, T>;
}

impl<S, T> OtelLayer<S, T> for OpenTelemetryLayer<S, T> {
    fn into_inner(self) -> Self {
        self
    }
}

impl<S, T, F> OtelLayer<S, T> for FilteredOpenTelemetryLayer<S, T, F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    F: Filter<S>,
{
    fn into_inner(self) -> OpenTelemetryLayer<S, T> {
        let mut inner = None;
        // The only way to get at it. What takes its place is dropped.
        drop(self.map_inner(|layer| {
            inner = Some(layer);
            tracing_opentelemetry::layer::<S>()
        }));
        inner.unwrap_or_else(|| unreachable!("`map_inner` calls its argument"))
    }
}
