//! StartGuard a span that is ended by us.

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

/// An op never fails, nor does a span of [`trace`](crate::trace): `None` where a sampler, a processor or another layer panics.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    if done.is_none() {
        start_guard::set_panicked();
        report_once(format_args!(
            "a panic was caught in an op or span: a sampler's, a processor's, or that of another layer"
        ));
    }
    done
}

/// Starts a span's OpenTelemetry span and takes its context, for one who ends that span itself. `prepare` is
/// the last that happens to it before.
pub(crate) fn start_otel_span(
    span: &Span,
    state: Option<&Arc<SpanState>>,
    prepare: impl FnOnce(),
) -> Option<Context> {
    let context = catch_panic(|| {
        prepare();
        let _starting = StartGuard::of(state.cloned());
        span.with_subscriber(|(id, dispatch)| tracing_opentelemetry::get_otel_context(id, dispatch)).flatten()
    });
    if let (None, Some(state)) = (&context, state) {
        state.set_broken();
    }
    let context = context.flatten();
    if let (Some(state), Some(context)) = (state, &context) {
        state.set_otel_span(OtelSpan::Known(Ids::of(context.span().span_context())));
    }
    context
}
