//! Where a span was started that only an OpenTelemetry `Context` names. Records in that context, and
//! [`trace`](crate::trace) entries of the span, belong to it wherever they are made.

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::Context;
use tracing::Span;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Registry;

use crate::correlate::layer_span::{LayerId, LayerSpan};
use crate::correlate::span_start::catch_panic;
use crate::correlate::stack::OtelContext;
use crate::correlate::{ambient, queries, stack};
use crate::job_scope;
use crate::job_scope::JobScope;
use crate::record::Ids;

/// Whether `cx` has a valid span that is not this thread's current one. Then what is current on
/// this thread is unrelated to `cx`.
pub(crate) fn has_other_span(cx: &Context) -> bool {
    let own = cx.span().span_context().clone();
    own.is_valid() && stack::alive() && Context::map_current(|current| *current.span().span_context() != own)
}

/// A started span: the ids of its entries, and what their records inherit.
#[derive(Debug)]
pub(crate) struct SpanOrigin {
    span: SpanContext,
    /// The job of the context that it was started from.
    job: Option<Arc<JobScope>>,
    /// For each log layer, the tracing span that it was started in. That may be closed by now: a
    /// [`LayerSpan`] does not keep it open.
    layer_spans: Vec<(LayerId, Arc<LayerSpan>)>,
}

impl SpanOrigin {
    /// The origin of the span in `own`, which was just started on this thread as a child of
    /// `parent`.
    pub(crate) fn of(own: &Context, parent: &Context) -> Self {
        Self {
            span: own.span().span_context().clone(),
            job: job_scope::of_context(own).cloned(),
            layer_spans: match Self::find(parent) {
                // A child inherits what its parent does, on whatever thread it is started.
                Some(parent_origin) => parent_origin.layer_spans.clone(),
                None if has_other_span(parent) => Vec::new(),
                None => queries::innermost_layer_spans(),
            },
        }
    }

    /// The origin of the tracing span `span`, whose OpenTelemetry span is in `own`.
    pub(crate) fn of_tracing_span(own: &Context, span: &Span) -> Self {
        let layer_spans = || {
            span.with_subscriber(|(id, dispatch)| {
                Some(LayerSpan::all(&dispatch.downcast_ref::<Registry>()?.span(id)?))
            })
        };
        Self {
            span: own.span().span_context().clone(),
            job: job_scope::of_context(own).cloned(),
            layer_spans: catch_panic(layer_spans).flatten().flatten().unwrap_or_default(),
        }
    }

    /// The origin of the span in `cx`, with the job in `cx`.
    pub(crate) fn of_context(cx: &Context) -> Arc<Self> {
        let job = job_scope::of_context(cx);
        match Self::find(cx).filter(|origin| id_of(origin.job()) == id_of(job)) {
            Some(origin) => origin.clone(),
            None => Arc::new(Self::of(cx, cx)),
        }
    }

    /// The origin of the current `Context`'s span, whose ids are `ids`.
    pub(crate) fn of_current(ids: &Ids) -> Option<Arc<Self>> {
        Context::map_current(|cx| Self::find(cx).filter(|origin| origin.ids() == Some(*ids)).cloned())
    }

    /// The origin in `cx`, if it is that of the innermost span.
    fn find(cx: &Context) -> Option<&Arc<Self>> {
        cx.get::<Arc<Self>>().filter(|origin| origin.span == *cx.span().span_context())
    }

    /// Whether events of this thread are in this span and in its job, so that an entry can be an
    /// event of the current tracing span, for layers that show that.
    pub(crate) fn is_current(&self) -> bool {
        stack::alive()
            && self.ids().is_some_and(|own| queries::is_innermost(own, OtelContext::read().span))
            && id_of(ambient::ambient_job().as_ref()) == id_of(self.job())
    }

    pub(crate) fn span(&self) -> &SpanContext {
        &self.span
    }

    pub(crate) fn ids(&self) -> Option<Ids> {
        Ids::of(&self.span)
    }

    pub(crate) fn job(&self) -> Option<&Arc<JobScope>> {
        self.job.as_ref()
    }

    pub(crate) fn layer_span(&self, layer: LayerId) -> Option<&Arc<LayerSpan>> {
        self.layer_spans.iter().find(|(known, _)| *known == layer).map(|(_, layer_span)| layer_span)
    }
}

fn id_of(job: Option<&Arc<JobScope>>) -> Option<u64> {
    job.map(|job| job.id)
}
