//! Where the entries of a span belong.

use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use tracing::{dispatcher, Dispatch, Span as TracingSpan};
use tracing_subscriber::Registry;

use crate::correlate::origin::SpanOrigin;
use crate::correlate::span_start;

/// Where the entries of a span belong.
#[derive(Debug)]
pub(crate) enum EntrySpan {
    /// To a span of the OpenTelemetry API, which tracing knows nothing of.
    Api(Arc<SpanOrigin>),
    /// To a tracing span, and the OpenTelemetry span that it has, if it has one.
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

/// A span that is closed in its own subscriber. A registry closes the parent as well, but in the subscriber that is the
/// thread's: there the same id is another span, or none, which is a panic.
#[derive(Clone, Debug)]
pub(crate) struct BoundSpan(pub(crate) TracingSpan);

impl Drop for BoundSpan {
    fn drop(&mut self) {
        let span = std::mem::replace(&mut self.0, TracingSpan::none());
        span_start::catch_panic(|| in_subscriber(subscriber_of(&span), || drop(span)));
    }
}

/// Runs `work` where the ids of `subscriber`'s spans mean something.
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
