//! The logger of a context.

use std::sync::Arc;

use opentelemetry::Context;

use crate::trace::logger::Logger;
use crate::trace::logger_value::{with_shared_logger, LoggerValue};
use crate::trace::{logger_value, started};

/// The logger of `cx`: that of the innermost span, with the fields set so far; otherwise the one
/// given to [`with_logger`]; otherwise a [`TracingLogger`](crate::trace::TracingLogger).
///
/// Unless [`with_logger`] was used, entries belong to the span in `cx`, whichever span is current:
/// that of an op ([`Op::context`](crate::op::Op::context)), a span of the OpenTelemetry API, or a
/// remote parent.
///
/// ```
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace;
///
/// trace::logger(&Context::current()).info("starting");
/// ```
pub fn logger(cx: &Context) -> Arc<dyn Logger> {
    match cx.get::<LoggerValue>() {
        Some(own) if own.is_for_span_in(cx) => own.logger.clone(),
        _ => {
            let logger = logger_value::get(cx);
            started::bind_to_span_in(cx, logger).unwrap_or_else(|| logger.clone())
        }
    }
}

/// A context with this logger. Spans started from it log through it. The logger's own fields are on
/// its entries; those of a [`TracingLogger`](crate::trace::TracingLogger) are on the spans' events
/// as well.
///
/// ```
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace::{self, TracingLogger};
///
/// // The scope of records and what console filters go by is the target.
/// let cx = trace::with_logger(&Context::current(), TracingLogger::new().with_target("kubelet"));
/// let (cx, span) = trace::start_span(&cx, "sync");
/// trace::logger(&cx).info("through that logger, with the span's ids");
/// span.end();
/// ```
#[must_use = "the given context is not changed"]
pub fn with_logger(cx: &Context, logger: impl IntoLogger) -> Context {
    with_shared_logger(cx, logger.into_logger(), None)
}

/// What [`with_logger`] takes: a [`Logger`], or a shared one.
pub trait IntoLogger {
    /// The logger, shared.
    fn into_logger(self) -> Arc<dyn Logger>;
}

impl<L: Logger> IntoLogger for L {
    fn into_logger(self) -> Arc<dyn Logger> {
        Arc::new(self)
    }
}

impl IntoLogger for Arc<dyn Logger> {
    fn into_logger(self) -> Arc<dyn Logger> {
        self
    }
}
