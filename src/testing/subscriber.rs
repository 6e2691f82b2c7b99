//! The subscriber of a test binary: set once, by its first capture.

use std::sync::OnceLock;

use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{global, Context};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;

use crate::job::processor::JobSpanProcessor;
use crate::log_tracer::LogTracer;
use crate::panics::PanicHook;
use crate::spans::SpanLayer;
use crate::testing::layer::CaptureLayer;
use crate::testing::processor::CaptureProcessor;
use crate::testing::stamps;

/// Sets the subscriber, if it is not set yet. False if the process has another one.
pub(crate) fn is_set() -> bool {
    static IS_OURS: OnceLock<bool> = OnceLock::new();
    *IS_OURS.get_or_init(set)
}

/// Sets what `install` does: the subscriber, the tracer provider, the propagator, the logger of the
/// `log` crate and the panic hook.
fn set() -> bool {
    let keys = stamps::keys();
    // The SDK logs.
    let _suppressed = Context::enter_telemetry_suppressed_scope();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(JobSpanProcessor::new().with_keys(keys))
        .with_span_processor(CaptureProcessor)
        .build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(env!("CARGO_PKG_NAME")))
        .with_tracked_inactivity(false);
    let subscriber =
        tracing_subscriber::registry().with(SpanLayer::new(spans).with_keys(keys)).with(CaptureLayer::new());
    if tracing::dispatcher::set_global_default(Dispatch::new(subscriber)).is_err() {
        return false;
    }
    global::set_tracer_provider(provider);
    global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]));
    // A program that has a logger of its own keeps it.
    let _ = LogTracer::install(log::LevelFilter::Trace);
    PanicHook::new().set();
    true
}
