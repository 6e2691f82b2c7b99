//! The back end over any OpenTelemetry tracer.

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::{TraceContextExt, Tracer as ApiTracer};
use opentelemetry::Context;

use crate::correlate::origin::SpanOrigin;
use crate::correlate::{ambient, span_start};
use crate::trace::entry_span::EntrySpan;
use crate::trace::nop::NopTracer;
use crate::trace::span::{Span, Tracer};
use crate::trace::started::new_handle;

/// Starts spans with a tracer of the OpenTelemetry API.
///
/// Entries go to the context's logger with the span's ids, and are events on the span. They belong
/// to that span wherever they are made: on another thread, inside another span, or after its end.
///
/// ```
/// use opentelemetry::trace::TracerProvider;
/// use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace::{self, OtelTracer};
///
/// let exporter = InMemorySpanExporter::default();
/// let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
/// let cx = trace::with_tracer(&Context::current(), OtelTracer::new(provider.tracer("kubelet")));
///
/// let (cx, span) = trace::start_span(&cx, "create_pod");
/// let _cx = span.with_field(&cx, "pod", "web-0");
/// span.logger().info("creating");
/// span.end();
///
/// let spans = exporter.get_finished_spans().unwrap();
/// assert_eq!(spans[0].attributes[0].value.as_str(), "web-0");
/// assert_eq!(spans[0].events[0].name, "creating");
/// ```
///
/// Fields are written when the span ends. So samplers do not see them, and a span that is ended
/// through the OpenTelemetry API has none. A [`JobSpanProcessor`](crate::JobSpanProcessor) stamps
/// the span with the job of its parent context, or else with the current job.
pub struct OtelTracer<T> {
    tracer: T,
    /// Whether entries are also events on their span.
    has_events: bool,
}

impl<T> OtelTracer<T>
where
    T: ApiTracer + Send + Sync,
    T::Span: Send + Sync + 'static,
{
    /// A back end over `tracer`, such as `opentelemetry::global::tracer("kubelet")`. Get a global
    /// tracer only after the provider was set: one from before that never does anything.
    pub fn new(tracer: T) -> Self {
        Self { tracer, has_events: true }
    }
}

impl<T> OtelTracer<T> {
    /// Sets whether entries are also events on their span. Default: yes.
    #[must_use]
    pub fn with_span_events(self, has_events: bool) -> Self {
        Self { has_events, ..self }
    }
}

impl<T> Tracer for OtelTracer<T>
where
    T: ApiTracer + Send + Sync,
    T::Span: Send + Sync + 'static,
{
    fn start_span(&self, cx: &Context, name: &str) -> (Context, Arc<dyn Span>) {
        let cx = ambient::with_ambient(cx);
        let Some(span) = span_start::catch_panic(|| self.tracer.start_with_context(name.to_owned(), &cx))
        else {
            return NopTracer::new().start_span(&cx, name);
        };
        let own = cx.with_span(span);
        let origin = Arc::new(SpanOrigin::of(&own, &cx));
        let after = own.with_value(origin.clone());
        new_handle(own, &after, &cx, EntrySpan::Api(origin), self.has_events)
    }
}

impl<T> fmt::Debug for OtelTracer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelTracer").field("has_events", &self.has_events).finish_non_exhaustive()
    }
}
