//! Where a span of the OpenTelemetry API was started. Its [`trace`](crate::trace) entries belong to
//! it wherever they are made.

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::Context;

use crate::correlate::layer_span::{LayerId, LayerSpan};
use crate::correlate::{queries, stack};
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
        let parent_origin =
            parent.get::<Arc<Self>>().filter(|origin| origin.span == *parent.span().span_context());
        Self {
            span: own.span().span_context().clone(),
            job: job_scope::of_context(own).cloned(),
            layer_spans: match parent_origin {
                // A child inherits what its parent does, on whatever thread it is started.
                Some(parent_origin) => parent_origin.layer_spans.clone(),
                None if has_other_span(parent) => Vec::new(),
                None => queries::innermost_layer_spans(),
            },
        }
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
