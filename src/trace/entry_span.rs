//! The span that entries belong to.

use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use tracing::{dispatcher, Dispatch, Span as TracingSpan};
use tracing_subscriber::Registry;

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
        span_start::catch_panic(|| in_subscriber(subscriber_of(&span), || drop(span)));
    }
}

/// Runs `work` with `subscriber` as the thread's default, so that its span ids are valid.
pub(crate) fn in_subscriber<T>(subscriber: Option<Dispatch>, work: impl FnOnce() -> T) -> T {
    let registry = |dispatch: &Dispatch| dispatch.downcast_ref::<Registry>().map(std::ptr::from_ref);
    match subscriber {
        Some(subscriber) if dispatcher::get_default(registry) != registry(&subscriber) => {
            dispatcher::with_default(&subscriber, work)
        }
        _ => work(),
    }
}

pub(crate) fn subscriber_of(span: &TracingSpan) -> Option<Dispatch> {
    span.with_subscriber(|(_, subscriber)| subscriber.clone())
}
