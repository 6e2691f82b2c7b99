//! A span that another context owns.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::trace::{Span, SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};

/// Puts the span of one context into another, for which `Context` has no method.
/// tracing-opentelemetry keeps the span in a context of its own, but the caller's context, with its
/// baggage and other values, has to be kept.
pub(crate) struct Proxy {
    /// The context that owns the span.
    cx: Context,
    /// A copy, as [`Span::span_context`] returns a reference.
    ids: SpanContext,
}

impl Proxy {
    pub(crate) fn new(cx: Context) -> Self {
        let ids = cx.span().span_context().clone();
        Self { cx, ids }
    }
}

impl Span for Proxy {
    fn add_event_with_timestamp<T: Into<Cow<'static, str>>>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) {
        self.cx.span().add_event_with_timestamp(name, timestamp, attributes);
    }

    fn span_context(&self) -> &SpanContext {
        &self.ids
    }

    fn is_recording(&self) -> bool {
        self.cx.span().is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        self.cx.span().set_attribute(attribute);
    }

    fn set_status(&mut self, status: Status) {
        self.cx.span().set_status(status);
    }

    fn update_name<T: Into<Cow<'static, str>>>(&mut self, new_name: T) {
        self.cx.span().update_name(new_name);
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        self.cx.span().add_link(span_context, attributes);
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        self.cx.span().end_with_timestamp(timestamp);
    }
}
