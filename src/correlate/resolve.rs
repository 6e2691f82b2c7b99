//! The ids of one span, which may have to be started to get them.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::Context;
use tracing::{Dispatch, Subscriber as _};
use tracing_core::dispatcher::WeakDispatch;
use tracing_core::span::Id;
use tracing_subscriber::Registry;

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
/// log. Meanwhile the span is not the registry's current one: they may touch that, which would wait
/// for the lock. And this returns `None` while a span is being started on this thread: the event may come
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
    let _exited = Exited::of(id, &dispatch);
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

/// A current span that the registry considers exited until this is dropped. No layer sees that.
struct Exited<'a> {
    registry: &'a Registry,
    id: &'a Id,
}

impl<'a> Exited<'a> {
    /// `None` if the span is not the current one.
    fn of(id: &'a Id, dispatch: &'a Dispatch) -> Option<Self> {
        let registry = dispatch.downcast_ref::<Registry>()?;
        if registry.current_span().id() != Some(id) {
            return None;
        }
        registry.exit(id);
        Some(Self { registry, id })
    }
}

impl Drop for Exited<'_> {
    fn drop(&mut self) {
        self.registry.enter(self.id);
    }
}
