//! Finds an event's ids and inherited attributes: which sources, in which order.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use tracing::{Event, Subscriber};
use tracing_core::span::Id;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::correlate::dispatch::DispatchSlot;
use crate::correlate::layer_span::{InheritSettings, LayerId, LayerSpan};
use crate::correlate::origin::SpanOrigin;
use crate::correlate::resolve::resolve_ids;
use crate::correlate::span_state::{OtelSpan, SpanState};
use crate::correlate::stack::{update_job, OtelContext, Stack};
use crate::correlate::start_guard::StartGuard;
use crate::correlate::without_ids::WithoutIds;
use crate::correlate::{ambient, queries, sidecar};
use crate::job_scope::JobScope;
use crate::record::inherited::InheritedAttributes;
use crate::record::Ids;
use crate::stats::Counters;

/// The ids of an event's span, and what its record inherits.
pub(crate) type Correlation = (Option<Ids>, Arc<InheritedAttributes>);

/// A [`Correlation`] that was looked up.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) ids: Option<Ids>,
    pub(crate) inherited: Arc<InheritedAttributes>,
    /// There are no ids, though the event is in a tracing span or names one.
    pub(crate) is_without_ids: bool,
}

/// The parts of a log layer that a lookup needs.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    pub(crate) layer: LayerId,
    pub(crate) dispatch: &'a DispatchSlot,
    pub(crate) inherit: &'a InheritSettings,
    pub(crate) counters: &'a Counters,
}

impl Lookup<'_> {
    /// Looks everything up, for an event for which nothing is [`cached`](Self::cached).
    #[inline(never)]
    pub(crate) fn resolve<'a, S>(
        &self,
        event: &Event<'_>,
        cx: &OtelContext,
        ctx: &'a Context<'_, S>,
    ) -> Resolved
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let (ids, inherited) = match event.parent() {
            _ if event.is_contextual() => self.contextual(*cx, ctx),
            Some(parent) => self.explicit(parent, ctx),
            None => match sidecar::origin(event.metadata()) {
                Some(origin) => self.of_api_span(&origin),
                None => self.root(),
            },
        };
        let is_without_ids = ids.is_none() && self.should_have_ids(event, ctx);
        Resolved { ids, inherited, is_without_ids }
    }

    /// Whether an event whose record has no ids is in a tracing span or names one. Reports the reason
    /// once.
    fn should_have_ids<'a, S>(&self, event: &Event<'_>, ctx: &'a Context<'_, S>) -> bool
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let current = || ctx.lookup_current().filter(|_| event.is_contextual()).map(|span| span.id());
        let Some(id) = event.parent().cloned().or_else(current) else { return false };
        let is_starting = StartGuard::is_under_way();
        let find = || SpanState::find(&ctx.span(&id).filter(|_| !is_starting)?);
        let state =
            queries::entered_state(&id).or_else(|| catch_unwind(AssertUnwindSafe(find)).unwrap_or_default());
        WithoutIds::of(state.and_then(|state| state.otel_span().copied()), is_starting).report();
        true
    }

    /// `info!(parent: None, ..)`: no span, and the current job.
    fn root(&self) -> Correlation {
        (None, queries::inherited_outside_spans(self.layer, self.inherit))
    }

    /// A `trace` entry of a span of the OpenTelemetry API: that span, and what it inherits from
    /// where it was started.
    fn of_api_span(&self, origin: &SpanOrigin) -> Correlation {
        let job = origin.job().cloned().or_else(ambient::ambient_job);
        (origin.ids(), self.inherited_of_origin(origin, job.as_ref()))
    }

    fn inherited_of_origin(
        &self,
        origin: &SpanOrigin,
        job: Option<&Arc<JobScope>>,
    ) -> Arc<InheritedAttributes> {
        match origin.layer_span(self.layer) {
            Some(layer_span) => layer_span.inherited(job, self.inherit),
            None => queries::inherited_of_job(self.layer, job, self.inherit),
        }
    }

    /// What records of the current `Context`'s span inherit, if that span brings it: an op's, or one
    /// of [`trace`](crate::trace).
    fn inherited_of_context(&self, cx: &OtelContext) -> Option<Arc<InheritedAttributes>> {
        let origin = SpanOrigin::of_current(cx.span.as_ref()?)?;
        Some(self.inherited_of_origin(&origin, ambient::ambient_job().as_ref()))
    }

    /// `info!(parent: &span, ..)`: that span and its job, whether or not it is entered.
    fn explicit<'a, S>(&self, parent: &Id, ctx: &'a Context<'_, S>) -> Correlation
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        if StartGuard::is_under_way() {
            return self.of_starting_span(parent);
        }
        let correlation = catch_unwind(AssertUnwindSafe(|| self.of_span(parent, ctx)));
        correlation.unwrap_or_else(|_| self.fallback(None))
    }

    fn of_span<'a, S>(&self, parent: &Id, ctx: &'a Context<'_, S>) -> Correlation
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let Some(span) = ctx.span(parent) else { return self.root() };
        let layer_span = LayerSpan::of(&span, self.layer, &self.inherit.fields);
        // For a span created outside any job, the current job counts, as for contextual events.
        let job = layer_span.state.job().cloned().or_else(ambient::ambient_job);
        (self.nearest_ids(span, ctx), layer_span.inherited(job.as_ref(), self.inherit))
    }

    /// An explicit parent, while a span is being started on this thread. It may be this very span,
    /// with its extensions locked by this thread, so this uses only what the stack has.
    fn of_starting_span(&self, parent: &Id) -> Correlation {
        let Some(layer_span) = queries::entered_layer_span(self.layer, parent) else { return self.root() };
        let ids = match layer_span.state.otel_span() {
            Some(OtelSpan::Known(ids)) => *ids,
            _ => None,
        };
        let job = layer_span.state.job().cloned().or_else(ambient::ambient_job);
        (ids, layer_span.inherited(job.as_ref(), self.inherit))
    }

    /// `info!(..)`: the innermost active span and the innermost job.
    fn contextual<'a, S>(&self, cx: OtelContext, ctx: &'a Context<'_, S>) -> Correlation
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let correlation = catch_unwind(AssertUnwindSafe(|| self.of_innermost_span(cx, ctx)));
        correlation.unwrap_or_else(|_| self.fallback(cx.span))
    }

    /// For spans whose extensions cannot be read: another layer panicked while it held their lock.
    /// It stays poisoned, also for the span that reuses the registry's slot.
    fn fallback(&self, ids: Option<Ids>) -> Correlation {
        self.counters.panicked_spans(1);
        (ids, queries::inherited_outside_spans(self.layer, self.inherit))
    }

    /// The result for a contextual event, if nothing has changed since this thread's last event in
    /// the same span, or outside any span.
    #[inline(always)]
    pub(crate) fn cached<'s, S>(
        &self,
        stack: &'s Stack,
        cx: &'s OtelContext,
        ctx: &Context<'_, S>,
    ) -> Option<(Option<&'s Ids>, &'s Arc<InheritedAttributes>)>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let job = stack.job_version(cx)?;
        let Some((entry, span)) = stack.innermost(self.layer) else {
            let inherited = stack.outside_spans(self.layer)?;
            // A span in the `Context` may bring what its records inherit.
            let is_current = cx.span.is_none() && inherited.version.job == job && is_outside_spans(ctx);
            return is_current.then_some((None, inherited));
        };
        let (layer_span, inherited) = (span.layer_span.as_ref()?, span.inherited.as_ref()?);
        // Without ids, the event has to be counted.
        let Some(OtelSpan::Known(own @ Some(_))) = span.state.otel_span() else { return None };
        if inherited.version != layer_span.version(job) || span.state.is_closed() {
            return None;
        }
        (!entry.encloses(&cx.span, own)).then_some((own.as_ref(), inherited))
    }

    fn of_innermost_span<'a, S>(&self, cx: OtelContext, ctx: &'a Context<'_, S>) -> Correlation
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let Some((id, state)) =
            queries::enclosing_span(self.layer, 0).filter(|(_, state)| !state.is_closed())
        else {
            return self.of_registry_span(cx, ctx);
        };
        let own = resolve_ids(&state, &id, self.dispatch, self.counters);
        update_job(self.layer);
        let known = match own {
            Some(OtelSpan::Known(own)) => own,
            _ => None,
        };
        let is_api_span_inside = queries::api_span_is_inside_innermost(self.layer, &cx.span, &known);
        let ids = match own {
            _ if is_api_span_inside => cx.span,
            Some(OtelSpan::Known(own)) => own,
            // It has no OpenTelemetry span, or is being started: the next enclosing span counts.
            _ => self.enclosing_ids().unwrap_or(cx.span),
        };
        let of_context = if is_api_span_inside { self.inherited_of_context(&cx) } else { None };
        let inherited = of_context
            .or_else(|| self.inherited_of_innermost())
            .unwrap_or_else(|| queries::inherited_outside_spans(self.layer, self.inherit));
        (ids, inherited)
    }

    /// No span of this layer is on the stack, but the registry may have a current one: it was
    /// entered before this layer existed, or is being entered right now, and then a plain
    /// `OpenTelemetryLayer` may hold its lock. Only a `SpanLayer` distinguishes these, so without
    /// one the span's ids are not resolved.
    fn of_registry_span<'a, S>(&self, cx: OtelContext, ctx: &'a Context<'_, S>) -> Correlation
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let current = if is_outside_spans(ctx) { None } else { ctx.lookup_current() };
        let Some(span) = current else {
            let inherited = self
                .inherited_of_context(&cx)
                .unwrap_or_else(|| queries::inherited_outside_spans(self.layer, self.inherit));
            return (cx.span, inherited);
        };
        let layer_span = LayerSpan::of(&span, self.layer, &self.inherit.fields);
        let inherited = layer_span.inherited(ambient::ambient_job().as_ref(), self.inherit);
        let ids = match layer_span.state.has_span_layer() {
            true => cx.span.or_else(|| self.nearest_ids(span, ctx)),
            false => cx.span,
        };
        (ids, inherited)
    }

    /// The ids of the nearest span that encloses the innermost one and has an OpenTelemetry span.
    fn enclosing_ids(&self) -> Option<Option<Ids>> {
        let spans = (1..).map_while(|nth| queries::enclosing_span(self.layer, nth));
        for (id, state) in spans {
            if let Some(OtelSpan::Known(ids)) = resolve_ids(&state, &id, self.dispatch, self.counters) {
                return Some(ids);
            }
        }
        None
    }

    /// What records of the innermost entered span inherit. Cached for this thread's next event in
    /// it.
    fn inherited_of_innermost(&self) -> Option<Arc<InheritedAttributes>> {
        let layer_span = queries::innermost_layer_span(self.layer)?;
        let inherited = layer_span.inherited(ambient::ambient_job().as_ref(), self.inherit);
        queries::cache_inherited(self.layer, &inherited);
        Some(inherited)
    }

    /// The ids of `span`, or of its nearest ancestor that has an OpenTelemetry span.
    fn nearest_ids<'a, S>(&self, span: SpanRef<'a, S>, ctx: &Context<'_, S>) -> Option<Ids>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        std::iter::successors(Some(span), SpanRef::parent)
            .find_map(|span| {
                let state = SpanState::find_or_unknown(&span);
                self.dispatch.find_in_event(&span.id(), &state);
                if self.is_being_started(&span, &state, ctx) {
                    return None;
                }
                match resolve_ids(&state, &span.id(), self.dispatch, self.counters) {
                    Some(OtelSpan::Known(ids)) => Some(ids),
                    _ => None,
                }
            })
            .flatten()
    }

    /// Whether a plain `OpenTelemetryLayer` is starting `span` right now, holding its lock. It does
    /// not announce that, but any other current span's ids became known when it was entered.
    fn is_being_started<S>(&self, span: &SpanRef<'_, S>, state: &SpanState, ctx: &Context<'_, S>) -> bool
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        !state.has_span_layer()
            && state.otel_span().is_none()
            && (queries::entered_layer_span(self.layer, &span.id()).is_some()
                || ctx.lookup_current().is_some_and(|current| current.id() == span.id()))
    }
}

/// Whether the registry has no current span whose ids may be resolved.
#[inline]
fn is_outside_spans<S>(ctx: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    ctx.lookup_current().is_none() || StartGuard::is_under_way()
}
