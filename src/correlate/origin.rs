//! Where a span of the OpenTelemetry API was started, for entries that are of that span wherever they are made.

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::Context;

use crate::correlate::layer_span::{LayerId, LayerSpan};
use crate::correlate::queries;
use crate::correlate::stack;
use crate::job_scope::{self, JobScope};
use crate::record::Ids;

/// Whether `cx` names a span that is not the current one: what is current on this thread has nothing to do with it.
pub(crate) fn has_other_span(cx: &Context) -> bool {
    let own = cx.span().span_context().clone();
    own.is_valid() && stack::alive() && Context::map_current(|current| *current.span().span_context() != own)
}

/// One started span: whose ids an entry has, and what its record inherits.
#[derive(Debug)]
pub(crate) struct SpanOrigin {
    span: SpanContext,
    job: Option<Arc<JobScope>>,
    /// By log layer, the tracing span that it was started in. It may be over: a node keeps no span open.
    layer_spans: Vec<(LayerId, Arc<LayerSpan>)>,
}

impl SpanOrigin {
    /// The origin of the span in `own`, which was just started on this thread from `parent`.
    pub(crate) fn of(own: &Context, parent: &Context) -> Self {
        let parent_origin =
            parent.get::<Arc<Self>>().filter(|origin| origin.span == *parent.span().span_context());
        Self {
            span: own.span().span_context().clone(),
            job: job_scope::of_context(own).cloned(),
            layer_spans: match parent_origin {
                // A child inherits with its parent, on whatever thread it is started.
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
