//! The span that entries belong to.

use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use tracing::{Dispatch, Span as TracingSpan};

use crate::correlate::dispatch::in_subscriber;
use crate::correlate::origin::SpanOrigin;
use crate::correlate::span_start;

/// The span that entries belong to.
#[derive(Debug)]
pub(crate) enum EntrySpan {
    /// A span of the OpenTelemetry API, which tracing does not have.
    Api(Arc<SpanOrigin>),
    /// A tracing span, and the context of its OpenTelemetry span, invalid if it has none.
    Tracing(BoundSpan, SpanContext),
}

impl EntrySpan {
    pub(crate) fn span_context(&self) -> Option<SpanContext> {
        let span = match self {
            Self::Api(origin) => origin.span(),
            Self::Tracing(_, span) => span,
        };
        span.is_valid().then(|| span.clone())
    }
}

/// A span handle that is dropped with the span's own subscriber as the thread's default. Closing a
/// span also closes its parent, which the registry does in the thread's default subscriber: in
/// another one the parent's id would be a different span, or none, which panics.
#[derive(Clone, Debug)]
pub(crate) struct BoundSpan(pub(crate) TracingSpan);

impl Drop for BoundSpan {
    fn drop(&mut self) {
        let span = std::mem::replace(&mut self.0, TracingSpan::none());
        span_start::catch_panic(|| in_subscriber(subscriber_of(&span).as_ref(), || drop(span)));
    }
}

pub(crate) fn subscriber_of(span: &TracingSpan) -> Option<Dispatch> {
    span.with_subscriber(|(_, subscriber)| subscriber.clone())
}
