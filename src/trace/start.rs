//! Starting a span with the tracer of a context, or of the process.

use std::sync::{Arc, OnceLock};

use opentelemetry::Context;

use crate::error::Error;
use crate::trace::nop::NopTracer;
use crate::trace::span::{Span, Tracer};

/// Starts a span with the tracer of `cx`, or with the process-wide one. Without either, the span
/// does nothing.
///
/// The logger of the returned context is the span's.
///
/// ```
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace;
///
/// let (cx, span) = trace::start_span(&Context::current(), "sync");
/// trace::logger(&cx).info("in the span");
/// span.end();
/// ```
pub fn start_span(cx: &Context, name: &str) -> (Context, Arc<dyn Span>) {
    match cx.get::<TracerValue>().map(|own| &own.0).or_else(|| DEFAULT.get()) {
        Some(tracer) => tracer.start_span(cx, name),
        None => NopTracer::new().start_span(cx, name),
    }
}

/// A context in which [`start_span`] uses `tracer`, as do contexts derived from it.
///
/// ```
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace::{self, TracingTracer};
///
/// let cx = trace::with_tracer(&Context::current(), TracingTracer::new());
/// let (_cx, span) = trace::start_span(&cx, "sync");
/// span.end();
/// ```
#[must_use = "the given context is not changed"]
pub fn with_tracer(cx: &Context, tracer: impl Tracer + 'static) -> Context {
    cx.with_value(TracerValue(Arc::new(tracer)))
}

/// Sets the tracer of the process, for contexts that have none of their own.
///
/// ```
/// use spanlog::trace::{self, TracingTracer};
///
/// trace::set_tracer(TracingTracer::new()).unwrap();
/// assert!(trace::set_tracer(TracingTracer::new()).unwrap_err().is_already_set());
/// ```
///
/// # Errors
///
/// If one was set before, which stays in place.
pub fn set_tracer(tracer: impl Tracer + 'static) -> Result<(), Error> {
    DEFAULT.set(Arc::new(tracer)).map_err(|_| Error::already_set("the tracer of `spanlog::trace`"))
}

static DEFAULT: OnceLock<Arc<dyn Tracer>> = OnceLock::new();

/// The tracer as a `Context` value.
struct TracerValue(Arc<dyn Tracer>);
