//! A logger as a `Context` value.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, SpanId};

use crate::trace::events;
use crate::trace::logger::Logger;
use crate::trace::span::Span;
use crate::trace::value::Fields;

/// The logger as a `Context` value.
pub(crate) struct LoggerValue {
    pub(crate) logger: Arc<dyn Logger>,
    /// The span that entries belong to. `None`: the logger is used as it is in any span.
    span: Option<SpanId>,
    /// The no-op span of this logger, made once, so that no-op spans do not allocate.
    pub(crate) nop: OnceLock<Arc<dyn Span>>,
}

impl LoggerValue {
    /// False if `cx` has another span than the logger. Then that was put into the context later,
    /// and not by [`start_span`](super::start_span).
    pub(crate) fn is_for_span_in(&self, cx: &Context) -> bool {
        self.span.is_none_or(|own| own == cx.span().span_context().span_id())
    }
}

/// The logger in `cx`, or else the default one.
pub(crate) fn get(cx: &Context) -> &Arc<dyn Logger> {
    match cx.get::<LoggerValue>() {
        Some(value) => &value.logger,
        None => events::default_logger(),
    }
}

/// Whether the logger is of type `L`.
pub(crate) fn is<L: Logger>(logger: &Arc<dyn Logger>) -> bool {
    let logger: &dyn Any = &**logger;
    logger.is::<L>()
}

pub(crate) fn with_shared_logger(cx: &Context, logger: Arc<dyn Logger>, span: Option<SpanId>) -> Context {
    cx.with_value(LoggerValue { logger, span, nop: OnceLock::new() })
}

/// `cx` with `fields` added to its logger, or to `own` if it has none.
pub(crate) fn with_fields_on_logger(cx: &Context, own: &Arc<dyn Logger>, fields: Fields) -> Context {
    let (logger, span) = match cx.get::<LoggerValue>() {
        Some(value) => (&value.logger, value.span),
        None => (own, None),
    };
    if !logger.takes_fields() {
        return cx.clone();
    }
    with_shared_logger(cx, logger.derive(fields), span)
}
