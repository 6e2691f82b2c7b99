//! The back end over `tracing`.

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::Context;
use tracing::dispatcher::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing::{dispatcher, Span as TracingSpan};
use tracing_core::field::Value;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Registry;

use crate::correlate::context_span::{subscriber_of, BoundSpan, ContextSpan};
use crate::correlate::dispatch::in_subscriber;
use crate::correlate::origin::SpanOrigin;
use crate::correlate::span_state::SpanState;
use crate::correlate::{ambient, origin, span_start, stack};
use crate::job_scope;
use crate::trace::callsite;
use crate::trace::entry_span::EntrySpan;
use crate::trace::nop::NopTracer;
use crate::trace::proxy::Proxy;
use crate::trace::span::{Span, Tracer};
use crate::trace::started::new_handle;

/// Starts `tracing` spans, so that every layer sees them and the entries in them.
///
/// No filter disables such a span, as with an [op](crate::op). Entries are events in it and, with a
/// span layer, events on its OpenTelemetry span. If [`with_logger`](super::with_logger) sends them
/// elsewhere, they go there as well. A logger that forwards them to `tracing` itself does not cause
/// a second event.
///
/// A span belongs to the subscriber that is the thread's default when it is started. Its children
/// and entries go there from every thread. Without a subscriber there is no span, and a
/// [`TracingLogger`](super::TracingLogger) logs the entries.
///
/// `tracing` never frees the name of a span, so only the first 512 different names are used in
/// `tracing`. A span with a later name is called `span` there, and has its name in the field
/// `otel.name`, which tracing-opentelemetry uses as the name.
///
/// The names of its fields are made at run time, but those of `tracing` are static. So fields are
/// on the OpenTelemetry span and on entries, not on the `tracing` span.
///
/// ```
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace::{self, TracingTracer};
///
/// let cx = trace::with_tracer(&Context::current(), TracingTracer::new());
/// let (cx, span) = trace::start_span(&cx, "create_pod");
/// trace::logger(&cx).info("the console shows it inside the span");
/// span.end();
/// ```
///
/// With a plain `OpenTelemetryLayer`, entries are on the span twice, because that layer copies
/// events, and an entry of level Error sets the span's status to Error.
/// [`SpanLayer`](crate::SpanLayer) does neither.
#[derive(Clone, Copy, Debug)]
pub struct TracingTracer {
    /// Whether entries are also events on their OpenTelemetry span.
    has_events: bool,
}

impl Default for TracingTracer {
    fn default() -> Self {
        Self { has_events: true }
    }
}

impl TracingTracer {
    /// The tracer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether entries are also events on their OpenTelemetry span. Default: yes.
    #[must_use]
    pub fn with_span_events(self, has_events: bool) -> Self {
        Self { has_events }
    }
}

impl Tracer for TracingTracer {
    fn start_span(&self, cx: &Context, name: &str) -> (Context, Arc<dyn Span>) {
        let cx = ambient::with_ambient(cx);
        let Some(mut span) = span_start::catch_panic(|| create(name, &cx)) else {
            return NopTracer::new().start_span(&cx, name);
        };
        let state = state_of(&span);
        let own = span_start::start_otel_span(&mut span, state.as_ref(), |_| ());
        let ids = own.as_ref().map_or(SpanContext::NONE, |own| own.span().span_context().clone());
        let after = match &own {
            Some(own) => cx.with_span(Proxy::new(own.clone())),
            None => cx.clone(),
        };
        // So that spans of the OpenTelemetry API inside it inherit what it does.
        let after = after.with_value(Arc::new(SpanOrigin::of(&after, &cx)));
        let span = BoundSpan(span);
        let after = ContextSpan::attach_to(&after, span.clone());
        new_handle(own.unwrap_or_default(), &after, &cx, EntrySpan::Tracing(span, ids), self.has_events)
    }
}

/// Creates the `tracing` span: a child of the one in `cx`, else of the current one.
fn create(name: &str, cx: &Context) -> TracingSpan {
    let (metadata, is_named) = callsite::span_metadata(name);
    let values = [Some(&name as &dyn Value)];
    let values = metadata.fields().value_set_all(if is_named { &[] } else { &values });
    if !stack::alive() {
        return TracingSpan::none();
    }
    if let Some(parent) = ContextSpan::of(cx) {
        let parent = &parent.span.0;
        let create = || TracingSpan::child_of(parent.id(), metadata, &values);
        return in_subscriber(subscriber_of(parent).as_ref(), create);
    }
    // Entries of a span without a subscriber would not reach one that is set later.
    if dispatcher::get_default(Dispatch::is::<NoSubscriber>) {
        return TracingSpan::none();
    }
    let has_other_span = origin::has_other_span(cx);
    let make = || match has_other_span {
        true => TracingSpan::new_root(metadata, &values),
        false => TracingSpan::new(metadata, &values),
    };
    let ambient = ambient::ambient_job().map_or(0, |scope| scope.id);
    let span = match job_scope::of_context(cx) {
        Some(job) if job.id != ambient => job.run(make),
        _ => make(),
    };
    if cx.span().span_context().is_valid() {
        // This fails without a span layer, and then there is no OpenTelemetry span that needs a
        // parent.
        let _ = span.set_parent(cx.clone());
    }
    span
}

/// The state that this crate's layers keep for the span.
fn state_of(span: &TracingSpan) -> Option<Arc<SpanState>> {
    let found = span_start::catch_panic(|| {
        span.with_subscriber(|(id, dispatch)| {
            SpanState::find(&dispatch.downcast_ref::<Registry>()?.span(id)?)
        })
    });
    found.flatten().flatten()
}
