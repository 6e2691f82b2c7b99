//! The innermost active span.

use opentelemetry::Context;

use crate::correlate::queries;
use crate::correlate::span_state::SpanState;
use crate::correlate::stack::{alive, OtelContext};
use crate::correlate::start_guard::StartGuard;

/// Runs one of two functions on the innermost active span: `tracing` on a tracing span, `api` on
/// one that was started with the OpenTelemetry API and attached after it.
///
/// Runs neither while a span is being started on this thread, which holds that span's lock. A plain
/// `OpenTelemetryLayer` does not announce that. But it starts a span while the span is entered, and
/// until all layers have done that, the span is not on the stack. So a tracing span that is not on
/// the stack is left alone.
pub(crate) fn on_current_span(tracing: impl FnOnce(&tracing::Span, &SpanState), api: impl FnOnce(&Context)) {
    if !alive() || StartGuard::is_under_way() {
        return;
    }
    let span = tracing::Span::current();
    let cx = OtelContext::read();
    match span.id() {
        Some(id) if !queries::api_span_is_inside(&id, cx.span) => {
            if let Some(state) = queries::entered_state(&id) {
                tracing(&span, &state);
            }
        }
        _ => api(&Context::current()),
    }
}
