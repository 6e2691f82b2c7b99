//! The ids of one span, which may have to be started to get them.

use opentelemetry::trace::TraceContextExt;
use tracing_core::dispatcher::WeakDispatch;
use tracing_core::span::Id;

use crate::correlate::dispatch::DispatchSlot;
use crate::correlate::span_state::{OtelSpan, SpanState};
use crate::correlate::start_guard::{set_panicked, StartGuard};
use crate::record::Ids;
use crate::stats::Counters;

/// The ids of `state`'s span, from its span layer unless they are known. `None`: unavailable now.
///
/// The span layer locks the span and starts it, which runs samplers and processors, and they may
/// log. So this returns `None` while a span is being started on this thread: the event may come
/// from inside that lock, and would deadlock.
pub(crate) fn resolve_ids(
    state: &std::sync::Arc<SpanState>,
    id: &Id,
    dispatch: &DispatchSlot,
    counters: &Counters,
) -> Option<OtelSpan> {
    if let Some(known) = state.otel_span() {
        return Some(*known);
    }
    if StartGuard::is_under_way() || state.is_broken() {
        return None;
    }
    let dispatch = state.dispatch().and_then(WeakDispatch::upgrade).or_else(|| dispatch.dispatch())?;
    let starting = StartGuard::of(Some(state.clone()));
    let resolved = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tracing_opentelemetry::get_otel_context(id, &dispatch)
    }));
    drop(starting);
    match resolved {
        Ok(Some(cx)) => state.set_otel_span(OtelSpan::Known(Ids::of(cx.span().span_context()))),
        Ok(None) => state.set_otel_span(OtelSpan::Absent),
        Err(_) => {
            state.set_broken();
            set_panicked();
            counters.panicked_spans(1);
            return None;
        }
    }
    state.otel_span().copied()
}
