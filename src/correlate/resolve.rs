//! The ids of one span, which may have to be started to get them.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::Context;
use tracing_core::dispatcher::WeakDispatch;
use tracing_core::span::Id;

use crate::correlate::dispatch::DispatchSlot;
use crate::correlate::span_state::{OtelSpan, SpanState};
use crate::correlate::start_guard::{set_panicked, StartGuard};
use crate::record::Ids;
use crate::stats::Counters;

/// The ids of `state`'s span, from its span layer unless they are known. `None`: unavailable now.
pub(crate) fn resolve_ids(
    state: &Arc<SpanState>,
    id: &Id,
    dispatch: &DispatchSlot,
    counters: &Counters,
) -> Option<OtelSpan> {
    if let Some(known) = state.otel_span() {
        return Some(*known);
    }
    state.set_otel_span(match otel_context(state, id, dispatch, counters)? {
        Some(cx) => OtelSpan::Known(Ids::of(cx.span().span_context())),
        None => OtelSpan::Absent,
    });
    state.otel_span().copied()
}

/// The context of `state`'s span, from its span layer. `None`: unavailable now, or after a panic.
/// `Some(None)`: no span layer has the span.
///
/// The span layer locks the span and starts it, which runs samplers and processors, and they may
/// log. So this returns `None` while a span is being started on this thread: the event may come
/// from inside that lock, and would deadlock.
pub(crate) fn otel_context(
    state: &Arc<SpanState>,
    id: &Id,
    dispatch: &DispatchSlot,
    counters: &Counters,
) -> Option<Option<Context>> {
    if StartGuard::is_under_way() || state.is_broken() {
        return None;
    }
    let dispatch = state.dispatch().and_then(WeakDispatch::upgrade).or_else(|| dispatch.dispatch())?;
    let starting = StartGuard::of(Some(state.clone()));
    let context =
        catch_unwind(AssertUnwindSafe(|| tracing_opentelemetry::get_otel_context(id, &dispatch))).ok();
    drop(starting);
    if context.is_none() {
        state.set_broken();
        set_panicked();
        counters.panicked_spans(1);
    }
    context
}
