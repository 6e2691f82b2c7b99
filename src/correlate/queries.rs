//! Lookups in this thread's stack, for events for which nothing is cached.

use std::sync::Arc;

use tracing_core::span::Id;

use crate::correlate::ambient::ambient_job;
use crate::correlate::layer_span::{InheritSettings, LayerId, LayerSpan};
use crate::correlate::span_state::{OtelSpan, SpanState};
use crate::correlate::stack::{with_stack, Entry, EntryKind};
use crate::job_scope::{JobScope, JobVersion};
use crate::record::inherited::InheritedAttributes;
use crate::record::Ids;

/// The layer's `nth` entered span that is not closed, counted from the innermost.
pub(crate) fn enclosing_span(layer: LayerId, nth: usize) -> Option<(Id, Arc<SpanState>)> {
    with_stack(|stack| {
        let open = stack.entries.iter().rev().filter(|entry| !entry.is_stale());
        let span = open.filter_map(|entry| entry.span_of(layer)).nth(nth)?;
        Some((span.id.clone(), span.state.clone()))
    })
    .flatten()
}

/// The innermost entered span of any layer that is not closed.
pub(crate) fn innermost_span() -> Option<(Id, Arc<SpanState>)> {
    with_stack(|stack| {
        let mut open = stack.entries.iter().rev().filter(|entry| !entry.is_stale());
        let span = open.find_map(Entry::span)?;
        Some((span.id.clone(), span.state.clone()))
    })
    .flatten()
}

/// The layer's innermost entered span that is not closed, as the layer sees it.
pub(crate) fn innermost_layer_span(layer: LayerId) -> Option<Arc<LayerSpan>> {
    with_stack(|stack| {
        let mut open = stack.entries.iter().rev().filter(|entry| !entry.is_stale());
        open.find_map(|entry| entry.span_of(layer))?.layer_span.clone()
    })
    .flatten()
}

/// Caches what records of that span inherit.
pub(crate) fn cache_inherited(layer: LayerId, inherited: &Arc<InheritedAttributes>) {
    let replaced = with_stack(|stack| {
        let mut open = stack.entries.iter_mut().rev().filter(|entry| !entry.is_stale());
        match &mut open.find(|entry| entry.span_of(layer).is_some())?.kind {
            EntryKind::Span(span) => span.inherited.replace(inherited.clone()),
            EntryKind::JobScope => None,
        }
    });
    drop(replaced);
}

/// Whether `current` is a span of the OpenTelemetry API that was attached after the layer's
/// innermost span, whose ids are `own`, was entered.
pub(crate) fn api_span_is_inside_innermost(layer: LayerId, current: &Option<Ids>, own: &Option<Ids>) -> bool {
    with_stack(|stack| {
        let mut open = stack.entries.iter().rev().filter(|entry| !entry.is_stale());
        open.find(|entry| entry.span_of(layer).is_some()).is_some_and(|entry| entry.encloses(current, own))
    })
    .unwrap_or(false)
}

/// The span `id` as the layer sees it, if the layer has entered it on this thread.
pub(crate) fn entered_layer_span(layer: LayerId, id: &Id) -> Option<Arc<LayerSpan>> {
    with_stack(|stack| {
        let mut spans = stack.entries.iter().rev().filter_map(|entry| entry.span_of(layer));
        spans.find(|span| span.id == *id)?.layer_span.clone()
    })
    .flatten()
}

/// For each log layer, its innermost entered span.
pub(crate) fn innermost_layer_spans() -> Vec<(LayerId, Arc<LayerSpan>)> {
    with_stack(|stack| {
        let mut innermost: Vec<(LayerId, Arc<LayerSpan>)> = Vec::new();
        for span in stack.entries.iter().rev().filter(|entry| !entry.is_stale()).filter_map(Entry::span) {
            let is_known = innermost.iter().any(|(layer, _)| *layer == span.layer);
            if let Some(layer_span) = span.layer_span.as_ref().filter(|_| !is_known) {
                innermost.push((span.layer, layer_span.clone()));
            }
        }
        innermost
    })
    .unwrap_or_default()
}

/// What records inherit outside any span: the current job's stamps.
pub(crate) fn inherited_outside_spans(layer: LayerId, inherit: &InheritSettings) -> Arc<InheritedAttributes> {
    inherited_of_job(layer, ambient_job().as_ref(), inherit)
}

/// What records of `job` inherit outside any span. Cached for this thread.
pub(crate) fn inherited_of_job(
    layer: LayerId,
    job: Option<&Arc<JobScope>>,
    inherit: &InheritSettings,
) -> Arc<InheritedAttributes> {
    let version = JobVersion::of(job);
    let known = with_stack(|stack| {
        stack.outside_spans(layer).filter(|inherited| inherited.version.job == version).cloned()
    });
    if let Some(inherited) = known.flatten() {
        return inherited;
    }
    let inherited = Arc::new(InheritedAttributes::without_span(job, inherit));
    let replaced = with_stack(|stack| stack.set_outside_spans(layer, inherited.clone()));
    drop(replaced);
    inherited
}

/// The state of the span `id`, if it is entered on this thread.
pub(crate) fn entered_state(id: &Id) -> Option<Arc<SpanState>> {
    with_stack(|stack| Some(innermost_entry_of(&stack.entries, id)?.span()?.state.clone())).flatten()
}

/// Whether the span `current` was attached after the span `id` was entered.
pub(crate) fn api_span_is_inside(id: &Id, current: Option<Ids>) -> bool {
    with_stack(|stack| {
        let entry = innermost_entry_of(&stack.entries, id)?;
        let own = match entry.span()?.state.otel_span() {
            Some(OtelSpan::Known(ids)) => *ids,
            _ => None,
        };
        Some(entry.encloses(&current, &own))
    })
    .flatten()
    .unwrap_or(false)
}

/// The innermost entry of the span `id`, of any layer.
fn innermost_entry_of<'a>(entries: &'a [Entry], id: &Id) -> Option<&'a Entry> {
    entries.iter().rev().find(|entry| entry.span().is_some_and(|span| span.id == *id))
}

/// Whether the span whose ids are `ids` is the innermost active one, and a tracing span. `current`:
/// the span of the `Context`.
pub(crate) fn is_innermost(ids: Ids, current: Option<Ids>) -> bool {
    with_stack(|stack| {
        let mut open = stack.entries.iter().rev().filter(|entry| !entry.is_stale());
        let (entry, span) = open.find_map(|entry| Some((entry, entry.span()?)))?;
        let own = *span.state.otel_span()?;
        Some(own == OtelSpan::Known(Some(ids)) && !entry.encloses(&current, &Some(ids)))
    })
    .flatten()
    .unwrap_or(false)
}
