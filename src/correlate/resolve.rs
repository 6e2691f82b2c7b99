//! The ids of one span, from its span layer if need be.

use opentelemetry::trace::TraceContextExt;
use tracing_core::dispatcher::WeakDispatch;
use tracing_core::span::Id;

use crate::correlate::dispatch::Home;
use crate::correlate::span_state::{SpanState, Traced};
use crate::correlate::start_guard::{note_panic, Starting};
use crate::record::Ids;
use crate::stats::Counters;

/// The ids of `state`'s span, asking its span layer if need be. `None`: not to be had now.
///
/// Asking locks the span and starts it, which runs samplers and processors, and they may log. So it
/// is not done while a span is being started on this thread: the line may come from inside that lock.
pub(crate) fn ask(
    state: &std::sync::Arc<SpanState>,
    id: &Id,
    home: &Home,
    counters: &Counters,
) -> Option<Traced> {
    if let Some(known) = state.traced() {
        return Some(*known);
    }
    if Starting::is_under_way() || state.is_broken() {
        return None;
    }
    let dispatch = state.home().and_then(WeakDispatch::upgrade).or_else(|| home.dispatch())?;
    let starting = Starting::of(Some(state.clone()));
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tracing_opentelemetry::get_otel_context(id, &dispatch)
    }));
    drop(starting);
    match asked {
        Ok(Some(cx)) => state.set_traced(Traced::Yes(Ids::of(cx.span().span_context()))),
        Ok(None) => state.set_traced(Traced::No),
        Err(_) => {
            state.set_broken();
            note_panic();
            counters.panicked_spans(1);
            return None;
        }
    }
    state.traced().copied()
}
