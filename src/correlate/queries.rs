//! What is asked of a thread's stack where nothing is remembered of the last event.

use std::cell::RefCell;
use std::sync::Arc;

use tracing_core::span::Id;

use crate::correlate::ambient::ambient_job;
use crate::correlate::layer_span::{InheritSettings, LayerSpan};
use crate::correlate::span_state::{OtelSpan, SpanState};
use crate::correlate::stack::{with_stack, Entry};
use crate::job_scope::{JobScope, JobVersion};
use crate::record::inherited::InheritedAttributes;
use crate::record::Ids;

/// Shows `look` the innermost entered span of `owner` that is not gone.
pub(crate) fn live<T>(owner: u64, look: impl FnOnce(&mut Entry) -> T) -> Option<T> {
    with_stack(|stack| {
        let mut own = stack.entries.iter_mut().rev().filter(|entry| entry.owner == owner);
        own.find(|entry| !entry.is_stale()).map(look)
    })
    .flatten()
}

/// The owner's `nth` entered span, counted from the innermost.
pub(crate) fn enclosing_span(owner: u64, nth: usize) -> Option<(Id, Arc<SpanState>)> {
    with_stack(|stack| {
        let mut own = stack.entries.iter().rev().filter(|entry| entry.owner == owner && !entry.is_stale());
        let entry = own.nth(nth)?;
        Some((entry.span_id(), entry.state.clone()?))
    })
    .flatten()
}

/// The node of the span `id`, if the owner has entered it on this thread.
pub(crate) fn entered_node(owner: u64, id: &Id) -> Option<Arc<LayerSpan>> {
    with_stack(|stack| {
        let mut entries = stack.entries.iter().rev();
        let entry = entries.find(|entry| entry.owner == owner && entry.span == id.into_u64())?;
        entry.layer_span.clone()
    })
    .flatten()
}

/// For each log layer, the node of the innermost span that it knows to be entered.
pub(crate) fn innermost_nodes() -> Vec<(u64, Arc<LayerSpan>)> {
    with_stack(|stack| {
        let mut layer_spans: Vec<(u64, Arc<LayerSpan>)> = Vec::new();
        for entry in stack.entries.iter().rev().filter(|entry| !entry.is_stale()) {
            if let Some(layer_span) = entry
                .layer_span
                .as_ref()
                .filter(|_| layer_spans.iter().all(|(known, _)| *known != entry.owner))
            {
                layer_spans.push((entry.owner, layer_span.clone()));
            }
        }
        layer_spans
    })
    .unwrap_or_default()
}

/// What records inherit outside any span: the current job's stamps.
pub(crate) fn block_without_span(owner: u64, inherit: &InheritSettings) -> Arc<InheritedAttributes> {
    block_of_job(owner, ambient_job().as_ref(), inherit)
}

/// What records inherit that have a job and no span.
pub(crate) fn block_of_job(
    owner: u64,
    job: Option<&Arc<JobScope>>,
    inherit: &InheritSettings,
) -> Arc<InheritedAttributes> {
    thread_local! {
        // By owner, as this thread last saw it. A thread has few layers.
        static BLOCKS: RefCell<Vec<(u64, Arc<InheritedAttributes>)>> = const { RefCell::new(Vec::new()) };
    }
    let version = JobVersion::of(job);
    let known = BLOCKS.try_with(|blocks| {
        let blocks = blocks.borrow();
        let (_, inherited) = blocks.iter().find(|(known, _)| *known == owner)?;
        (inherited.version.job == version).then(|| inherited.clone())
    });
    if let Ok(Some(inherited)) = known {
        return inherited;
    }
    let inherited = Arc::new(InheritedAttributes::without_span(job, inherit));
    let replaced = BLOCKS.try_with(|blocks| {
        let mut blocks = blocks.borrow_mut();
        match blocks.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, known)) => Some(std::mem::replace(known, inherited.clone())),
            None => {
                blocks.push((owner, inherited.clone()));
                None
            }
        }
    });
    drop(replaced);
    inherited
}

/// What is known of the span `id`, if a layer has entered it on this thread.
pub(crate) fn entered_state(id: &Id) -> Option<Arc<SpanState>> {
    with_stack(|stack| {
        let entry = stack.entries.iter().rev().find(|entry| entry.span == id.into_u64())?;
        entry.state.clone()
    })
    .flatten()
}

/// Whether `now` was attached after the span `id` was entered.
pub(crate) fn api_span_is_inside(id: &Id, now: Option<Ids>) -> bool {
    with_stack(|stack| {
        let entry = stack.entries.iter().rev().find(|entry| entry.span == id.into_u64())?;
        let own = entry.state.as_ref().and_then(|state| match state.otel_span() {
            Some(OtelSpan::Known(ids)) => *ids,
            _ => None,
        });
        Some(entry.is_outside_of(&now, &own))
    })
    .flatten()
    .unwrap_or(false)
}
