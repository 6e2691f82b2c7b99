//! The logger of a context.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use opentelemetry::Context;

use crate::trace::events;
use crate::trace::logger::Logger;
use crate::trace::span::Span;

/// The logger of `cx`: that of the innermost span, with the fields set so far; otherwise the one
/// given to [`with_logger`]; otherwise a [`TracingLogger`](crate::trace::TracingLogger).
///
/// ```
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace;
///
/// trace::logger(&Context::current()).info("starting");
/// ```
pub fn logger(cx: &Context) -> Arc<dyn Logger> {
    match cx.get::<LoggerValue>() {
        Some(own) => own.logger.clone(),
        None => events::default_logger().clone(),
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
    with_shared_logger(cx, logger.into_logger())
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

/// The logger as a `Context` value.
pub(crate) struct LoggerValue {
    pub(crate) logger: Arc<dyn Logger>,
    /// The no-op span of this logger, made once, so that no-op spans do not allocate.
    pub(crate) nop: OnceLock<Arc<dyn Span>>,
}

/// Whether the logger is of type `L`.
pub(crate) fn is<L: Logger>(logger: &Arc<dyn Logger>) -> bool {
    let logger: &dyn Any = &**logger;
    logger.is::<L>()
}

pub(crate) fn with_shared_logger(cx: &Context, logger: Arc<dyn Logger>) -> Context {
    cx.with_value(LoggerValue { logger, nop: OnceLock::new() })
}
