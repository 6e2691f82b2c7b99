//! The layer that gives each record to the capture that it belongs to.

use std::sync::Arc;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::Context as OpenTelemetry;
use tracing::{Dispatch, Event, Subscriber};
use tracing_core::span::{Attributes, Id, Record as SpanRecord};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Layer;

use crate::correlate::dispatch::DispatchSlot;
use crate::correlate::span_state::SpanState;
use crate::correlate::stack::OtelContext;
use crate::correlate::{resolve, stack};
use crate::layer::LogLayer;
use crate::limits::Limits;
use crate::record::Ids;
use crate::stats::Counters;
use crate::testing::draft::Drafts;
use crate::testing::record::{Place, Record};
use crate::testing::{draft, route, stamps};

/// A log layer, and where its records go.
#[derive(Debug)]
pub(crate) struct CaptureLayer {
    logs: LogLayer<Drafts>,
    /// Needed to get a span's OpenTelemetry context.
    dispatch: DispatchSlot,
    counters: Counters,
}

impl CaptureLayer {
    pub(crate) fn new() -> Self {
        let limits = Limits::from_env();
        let count = Limits::default().with_attribute_count(limits.attribute_count());
        let logs = LogLayer::of_records(Drafts { limits }).with_limits(count).with_keys(stamps::keys());
        Self { logs, dispatch: DispatchSlot::default(), counters: Counters::default() }
    }

    /// Where the event of a record was logged, by what the span layer says of its span: the
    /// record's ids are not trusted here.
    fn place<S>(&self, record: &Record, event: &Event<'_>, ctx: &Context<'_, S>) -> Place
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let current = Some(event).filter(|event| event.is_contextual() && stack::alive());
        let active = current.and_then(|_| OtelContext::read().span);
        let ids = record.trace_id.zip(record.span_id);
        let is_it = |span: &Ids| ids == Some((span.trace_id, span.span_id));
        if active.as_ref().is_some_and(is_it) {
            return match OpenTelemetry::map_current(|cx| cx.span().span_context().is_remote()) {
                true => Place::Remote,
                false => Place::Inside,
            };
        }
        let Some(span) = ctx.event_span(event) else {
            return match active {
                Some(_) => Place::Elsewhere("of the OpenTelemetry context".to_owned()),
                None => Place::Outside,
            };
        };
        let state = SpanState::find_or_unknown(&span);
        let context = resolve::otel_context(&state, &span.id(), &self.dispatch, &self.counters);
        // No context while a span is being started on this thread: then there is nothing to
        // compare.
        let own = context.map(|context| context.and_then(|context| Ids::of(context.span().span_context())));
        match own {
            None if ids.is_some() => Place::Inside,
            Some(Some(own)) if is_it(&own) => Place::Inside,
            _ => Place::Elsewhere(span.name().to_owned()),
        }
    }
}

impl<S> Layer<S> for CaptureLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.dispatch.register(dispatch);
        Layer::<S>::on_register_dispatch(&self.logs, dispatch);
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        // The SDK's own events, and those of exporters, are no test's.
        if event.metadata().target().starts_with("opentelemetry")
            || (stack::alive() && OtelContext::read().suppressed)
        {
            return;
        }
        self.logs.on_event(event, ctx.clone());
        let Some(mut record) = draft::take() else {
            let at = event.metadata();
            let event = format!("the event at {}:{}", at.file().unwrap_or("?"), at.line().unwrap_or(0));
            return match route::of_record(None) {
                Some(kept) => kept.add_lost(event),
                None => route::stray(&event),
            };
        };
        match route::of_record(record.span_id) {
            Some(kept) => {
                record.place = self.place(&record, event, &ctx);
                kept.add_record(record);
            }
            None => route::stray(&format!("the record {:?}", record.body)),
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        self.logs.on_new_span(attributes, id, ctx.clone());
        if let Some(address) = address(id, &ctx) {
            route::created(address);
        }
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, ctx: Context<'_, S>) {
        self.logs.on_record(id, values, ctx);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.logs.on_enter(id, ctx);
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        self.logs.on_exit(id, ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        if let Some(address) = address(&id, &ctx) {
            route::closed(address);
        }
    }
}

/// What identifies a span from its creation to its close.
fn address<S>(id: &Id, ctx: &Context<'_, S>) -> Option<usize>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let state = ctx.span(id).as_ref().and_then(SpanState::find)?;
    Some(Arc::as_ptr(&state) as usize)
}
