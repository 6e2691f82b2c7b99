//! The innermost active span.

use opentelemetry::Context;

use crate::correlate::queries;
use crate::correlate::span_state::SpanState;
use crate::correlate::stack::{alive, OtelContext};

/// Runs one of two functions on the innermost active span: `tracing` on a tracing span, `api` on
/// one that was started with the OpenTelemetry API and attached after it.
pub(crate) fn on_current_span(
    tracing: impl FnOnce(&tracing::Span, Option<&SpanState>),
    api: impl FnOnce(&Context),
) {
    if !alive() {
        return;
    }
    let span = tracing::Span::current();
    let cx = OtelContext::read();
    match span.id() {
        Some(id) if !queries::api_span_is_inside(&id, cx.span) => {
            tracing(&span, queries::entered_state(&id).as_deref());
        }
        _ => api(&Context::current()),
    }
}
