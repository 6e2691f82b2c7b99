//! Starts spans that this crate ends itself.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::Context;
use tracing::Span;

use crate::correlate::span_state::{OtelSpan, SpanState};
use crate::correlate::start_guard;
use crate::correlate::start_guard::StartGuard;
use crate::diagnostics::report_once;
use crate::record::Ids;

/// Runs `work`, and catches a panic of a sampler, a processor or another layer: ops and
/// [`trace`](crate::trace) spans never fail. `None` after a panic.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    if done.is_none() {
        start_guard::set_panicked();
        report_once(format_args!(
            "an op or span caught a panic, which came from a sampler, a processor or another layer"
        ));
    }
    done
}

/// Starts a span's OpenTelemetry span and returns its context, through which the caller ends it.
/// `prepare` runs immediately before the start.
///
/// A panic of the start poisons the span's lock. A plain `OpenTelemetryLayer` would then panic when
/// the span is entered, changed or closed, so without a [`SpanLayer`](crate::SpanLayer), which does
/// not forward to it any more, `span` becomes none, and is never closed.
pub(crate) fn start_otel_span(
    span: &mut Span,
    state: Option<&Arc<SpanState>>,
    prepare: impl FnOnce(&Span),
) -> Option<Context> {
    let context = catch_panic(|| {
        prepare(span);
        let _starting = StartGuard::of(state.cloned());
        span.with_subscriber(|(id, dispatch)| tracing_opentelemetry::get_otel_context(id, dispatch)).flatten()
    });
    if let (None, Some(state)) = (&context, state) {
        state.set_broken();
        if !state.has_span_layer() {
            // One reference more than there are handles keeps it open.
            span.with_subscriber(|(id, dispatch)| dispatch.clone_span(id));
            *span = Span::none();
        }
    }
    let context = context.flatten();
    if let (Some(state), Some(context)) = (state, &context) {
        state.set_otel_span(OtelSpan::Known(Ids::of(context.span().span_context())));
    }
    context
}
