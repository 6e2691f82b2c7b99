//! The span that entries belong to.

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::Context;

use crate::correlate::context_span::{BoundSpan, ContextSpan};
use crate::correlate::origin::SpanOrigin;

/// The span that entries belong to.
#[derive(Debug)]
pub(crate) enum EntrySpan {
    /// A span that tracing does not have, or that only the OpenTelemetry `Context` names.
    Api(Arc<SpanOrigin>),
    /// A tracing span, and the context of its OpenTelemetry span, invalid if it has none.
    Tracing(BoundSpan, SpanContext),
}

impl EntrySpan {
    /// The span in `cx`, if it has one.
    pub(crate) fn of_context(cx: &Context) -> Option<Self> {
        let ids = cx.span().span_context().clone();
        match ContextSpan::of(cx) {
            Some(own) => Some(Self::Tracing(own.span.clone(), ids)),
            None => ids.is_valid().then(|| Self::Api(SpanOrigin::of_context(cx))),
        }
    }

    /// `None` in a span without valid ids.
    pub(crate) fn span_context(&self) -> Option<&SpanContext> {
        let span = match self {
            Self::Api(origin) => origin.span(),
            Self::Tracing(_, span) => span,
        };
        span.is_valid().then_some(span)
    }
}
