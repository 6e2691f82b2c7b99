//! The tracing span of an OpenTelemetry `Context`, for contexts that an op or a
//! [`trace`](crate::trace) span returned.

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::Context;
use tracing::{Dispatch, Span};

use crate::correlate::dispatch::in_subscriber;
use crate::correlate::span_start::catch_panic;
use crate::job_scope;

/// A span handle that is dropped with the span's own subscriber as the thread's default. Closing a
/// span also closes its parent, which the registry does in the thread's default subscriber: in
/// another one the parent's id would be a different span, or none, which panics.
#[derive(Clone, Debug)]
pub(crate) struct BoundSpan(pub(crate) Span);

impl Drop for BoundSpan {
    fn drop(&mut self) {
        let span = std::mem::replace(&mut self.0, Span::none());
        catch_panic(|| in_subscriber(subscriber_of(&span).as_ref(), || drop(span)));
    }
}

pub(crate) fn subscriber_of(span: &Span) -> Option<Dispatch> {
    span.with_subscriber(|(_, subscriber)| subscriber.clone())
}

/// The tracing span of a context, as a `Context` value.
#[derive(Debug)]
pub(crate) struct ContextSpan {
    pub(crate) span: BoundSpan,
    /// The OpenTelemetry span of that context. If a context has another one, a span was started
    /// inside this one.
    ids: SpanContext,
    /// The job of that context. With another job, entries and new spans are not in this span in
    /// `tracing`, as they would get its job.
    job: u64,
}

impl ContextSpan {
    /// `cx`, as the context of `span`.
    pub(crate) fn attach_to(cx: &Context, span: BoundSpan) -> Context {
        cx.with_value(Self { span, ids: cx.span().span_context().clone(), job: job_id(cx) })
    }

    /// The tracing span of `cx`, unless another span or job was put into it since.
    pub(crate) fn of(cx: &Context) -> Option<&Self> {
        let own = cx.get::<Self>()?;
        let is_innermost = own.ids == *cx.span().span_context() && own.job == job_id(cx);
        (is_innermost && !own.span.0.is_none()).then_some(own)
    }
}

fn job_id(cx: &Context) -> u64 {
    job_scope::of_context(cx).map_or(0, |scope| scope.id)
}
