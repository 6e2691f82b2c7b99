//! What spans are made with: samplers, a parent in another process, and providers that keep what
//! they are given.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::fmt;

use opentelemetry::trace::{
    Link, SpanContext, SpanKind, TraceContextExt, TraceFlags, TraceState, TracerProvider,
};
use opentelemetry::{Context, KeyValue, SpanId, TraceId};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SamplingResult, SdkTracerProvider, ShouldSample, SpanData,
};
use spanlog::{LogLayer, Records, SpanLayer};
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Layer;

/// A sampler that is a function of a span's trace, name and attributes.
#[derive(Clone)]
pub struct SamplerFn<F>(pub F);

impl<F> fmt::Debug for SamplerFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SamplerFn")
    }
}

impl<F> ShouldSample for SamplerFn<F>
where
    F: Fn(TraceId, &str, &[KeyValue]) -> bool + Clone + Send + Sync + 'static,
{
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let sampler = match (self.0)(trace_id, name, attributes) {
            true => Sampler::AlwaysOn,
            false => Sampler::AlwaysOff,
        };
        sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

pub const REMOTE_TRACE: TraceId =
    TraceId::from_bytes(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
pub const REMOTE_SPAN: SpanId = SpanId::from_bytes(0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());

/// A sampled span of another process.
pub fn remote_span() -> SpanContext {
    SpanContext::new(REMOTE_TRACE, REMOTE_SPAN, TraceFlags::SAMPLED, true, TraceState::default())
}

/// A context in which that span is the parent.
pub fn remote_context() -> Context {
    Context::new().with_remote_span_context(remote_span())
}

/// A tracer provider, and where its finished spans are.
pub fn kept_spans() -> (SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    (SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build(), exporter)
}

/// Our span layer over this provider.
pub fn span_layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    SpanLayer::new(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
}

/// A subscriber with that layer, and a log layer.
pub fn subscriber<R: Records>(provider: &SdkTracerProvider, logs: LogLayer<R>) -> Dispatch
where
    LogLayer<R>: Send + Sync + 'static,
{
    Dispatch::new(tracing_subscriber::registry().with(span_layer(provider)).with(logs))
}

pub fn ids_of(span: &SpanData) -> (TraceId, SpanId) {
    (span.span_context.trace_id(), span.span_context.span_id())
}
