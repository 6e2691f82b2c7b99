//! The back end and the logger that do nothing.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use opentelemetry::Context;

use crate::trace::logger::{Entry, Level, Logger};
use crate::trace::logger_value::{with_fields_on_logger, LoggerValue};
use crate::trace::span::{Span, Tracer};
use crate::trace::value::Fields;
use crate::trace::{context, events};

/// Starts spans that do nothing, without allocating.
///
/// It does not silence loggers: such a span passes on the context's logger, including that of an
/// enclosing span, and fields set on the span are on entries. To silence entries, use
/// [`NopLogger`].
///
/// ```
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace::{self, NopTracer};
///
/// let cx = trace::with_tracer(&Context::current(), NopTracer::new());
/// let (cx, span) = trace::start_span(&cx, "sync");
/// trace::logger(&cx).info("is still said");
/// span.end();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NopTracer(());

impl NopTracer {
    /// The tracer.
    pub fn new() -> Self {
        Self(())
    }
}

impl Tracer for NopTracer {
    fn start_span(&self, cx: &Context, _name: &str) -> (Context, Arc<dyn Span>) {
        static OF_DEFAULT: OnceLock<Arc<dyn Span>> = OnceLock::new();
        let (slot, logger) = match cx.get::<LoggerValue>() {
            Some(own) if own.is_for_span_in(cx) => (&own.nop, &own.logger),
            Some(_) => return (cx.clone(), Arc::new(NopSpan { logger: context::logger(cx) })),
            None => (&OF_DEFAULT, events::default_logger()),
        };
        let span = slot.get_or_init(|| Arc::new(NopSpan { logger: logger.clone() }));
        (cx.clone(), span.clone())
    }
}

/// A span that does nothing, and passes on the logger of its context.
#[derive(Debug)]
struct NopSpan {
    logger: Arc<dyn Logger>,
}

impl Span for NopSpan {
    fn end(&self) {}

    fn set_status(&self, _error: Option<&dyn Error>) {}

    fn add_fields(&self, cx: &Context, fields: Fields) -> Context {
        with_fields_on_logger(cx, &self.logger, fields)
    }

    fn takes_fields(&self, cx: &Context) -> bool {
        cx.get::<LoggerValue>().map_or(&self.logger, |value| &value.logger).takes_fields()
    }

    fn logger(&self) -> Arc<dyn Logger> {
        self.logger.clone()
    }
}

/// Logs nothing.
///
/// ```
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace::{self, NopLogger};
///
/// let cx = trace::with_logger(&Context::current(), NopLogger::new());
/// trace::logger(&cx).error("nobody hears this");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NopLogger(());

impl NopLogger {
    /// The logger.
    pub fn new() -> Self {
        Self(())
    }
}

impl Logger for NopLogger {
    fn log(&self, _entry: &Entry<'_>) {}

    fn derive(&self, _fields: Fields) -> Arc<dyn Logger> {
        static SHARED: OnceLock<Arc<NopLogger>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(*self)).clone()
    }

    fn is_enabled(&self, _level: Level) -> bool {
        false
    }

    fn takes_fields(&self) -> bool {
        false
    }
}
