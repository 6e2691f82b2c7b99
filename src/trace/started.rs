//! A started span of any back end, and its logger.

use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::trace::{SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use crate::correlate::span_start;
use crate::job_scope::of_context;
use crate::panic_message::PanicsBefore;
use crate::span_moments::Ending;
use crate::trace::entry_span::EntrySpan;
use crate::trace::events::TracingLogger;
use crate::trace::logger::{Entry, Level, Logger};
use crate::trace::logger_value::{is, with_fields_on_logger, with_shared_logger};
use crate::trace::span::Span;
use crate::trace::value::Fields;
use crate::trace::{events, logger_value, value};

/// The state that all handles, contexts and loggers of a span share.
#[derive(Debug)]
struct StartedSpan {
    /// Holds the OpenTelemetry span, if there is one.
    cx: Context,
    entry_span: EntrySpan,
    /// Whether entries are also events on the span.
    has_events: bool,
    /// Fields and status, which are written when the span ends; `None` after that. They are not
    /// written earlier because the SDK appends attributes where the specification says that they
    /// are overwritten, so a field set twice would appear twice.
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    fields: Fields,
    status: Status,
    /// To tell its own panic.
    panics: PanicsBefore,
}

impl Open {
    fn new() -> Self {
        let (fields, status) = Default::default();
        Self { fields, status, panics: PanicsBefore::now() }
    }
}

impl StartedSpan {
    fn with_open(&self, change: impl FnOnce(&mut Open)) {
        if let Some(open) = &mut *self.open.lock().unwrap_or_else(PoisonError::into_inner) {
            change(open);
        }
    }

    /// `is_dropped`: nothing has ended it, so that a panic may.
    fn end(&self, is_dropped: bool) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Open { fields, status, panics }) = open else { return };
        // Span processors run now. What they do to the span through this crate has no effect, as it
        // counts as ended; otherwise they would deadlock.
        let _ending = Ending::of(of_context(&self.cx).map_or(0, |job| job.account.id));
        span_start::catch_panic(|| {
            let span = self.cx.span();
            span.set_attributes(fields.span_attributes());
            if is_dropped && panics.is_unwinding() {
                panics.write_to(&span);
            } else {
                span.set_status(status);
            }
            span.end();
        });
    }

    fn takes_events(&self) -> bool {
        self.has_events
            && self.open.lock().unwrap_or_else(PoisonError::into_inner).is_some()
            && self.cx.span().is_recording()
    }
}

impl Drop for StartedSpan {
    fn drop(&mut self) {
        self.end(true);
    }
}

/// The handle of a span.
#[derive(Debug)]
struct Handle {
    logger: Arc<dyn Logger>,
    started: Arc<StartedSpan>,
}

/// Makes the handle and the context of a span that was just started.
///
/// `own` holds the OpenTelemetry span. `cx` is the context to return, with the logger added, and
/// `before` the one that the span was started from.
pub(crate) fn new_handle(
    own: Context,
    cx: &Context,
    before: &Context,
    entry_span: EntrySpan,
    has_events: bool,
) -> (Context, Arc<dyn Span>) {
    let span = entry_span.span_context().map(SpanContext::span_id);
    let open = Mutex::new(Some(Open::new()));
    let started = Arc::new(StartedSpan { cx: own, entry_span, has_events, open });
    let logger = SpanLogger::shared(logger_value::get(before), started.clone());
    (with_shared_logger(cx, logger.clone(), span), Arc::new(Handle { logger, started }))
}

/// A logger like `logger` whose entries belong to the span in `cx`, which was not started with
/// [`trace`](crate::trace). `None` if there is no span.
pub(crate) fn bind_to_span_in(cx: &Context, logger: &Arc<dyn Logger>) -> Option<Arc<dyn Logger>> {
    let entry_span = EntrySpan::of_context(cx)?;
    let (own, open) = (Context::new(), Mutex::new(None));
    let started = StartedSpan { cx: own, entry_span, has_events: false, open };
    Some(SpanLogger::shared(logger, Arc::new(started)))
}

impl Span for Handle {
    fn end(&self) {
        self.started.end(false);
    }

    fn set_status(&self, error: Option<&dyn Error>) {
        let status = match error {
            None => Status::Ok,
            Some(error) => {
                let mut description = String::new();
                value::formatted(format_args!("{error}"), |text| text.clone_into(&mut description));
                Status::error(description)
            }
        };
        self.started.with_open(|open| {
            if open.status != Status::Ok {
                open.status = status;
            }
        });
    }

    fn add_fields(&self, cx: &Context, fields: Fields) -> Context {
        self.started.with_open(|open| open.fields.extend(fields.clone()));
        with_fields_on_logger(cx, &self.logger, fields)
    }

    fn logger(&self) -> Arc<dyn Logger> {
        self.logger.clone()
    }
}

/// The logger of a span: each entry becomes an event of the span, and is forwarded to the logger
/// that the context had before.
#[derive(Debug)]
struct SpanLogger {
    /// The logger that entries are forwarded to.
    sink: Arc<dyn Logger>,
    fields: Fields,
    started: Arc<StartedSpan>,
}

impl Logger for SpanLogger {
    fn log(&self, entry: &Entry<'_>) {
        let takes_events = self.started.takes_events();
        if !takes_events && !self.has_receiver(entry.level) {
            return;
        }
        let fields = match entry.fields.is_empty() {
            true => Cow::Borrowed(&self.fields),
            false => Cow::Owned(self.fields.merged(entry.fields)),
        };
        value::formatted(entry.message, |text| {
            if takes_events {
                self.add_event(entry.level, text, &fields);
            }
            self.forward(&Entry {
                level: entry.level,
                message: format_args!("{text}"),
                fields: &fields,
                span: Some(&self.started.entry_span),
                reached_tracing: None,
                is_on_span: takes_events,
            });
        });
    }

    fn derive(&self, fields: Fields) -> Arc<dyn Logger> {
        Arc::new(Self {
            sink: self.sink.clone(),
            fields: self.fields.merged(&fields),
            started: self.started.clone(),
        })
    }

    fn is_enabled(&self, level: Level) -> bool {
        self.started.takes_events() || self.has_receiver(level)
    }
}

impl SpanLogger {
    /// The logger of `started`, which forwards to `before`.
    fn shared(before: &Arc<dyn Logger>, started: Arc<StartedSpan>) -> Arc<dyn Logger> {
        Arc::new(Self { sink: without_span(before).clone(), fields: own_fields(before), started })
    }

    /// Whether entries go to `tracing` in addition to the configured logger.
    fn also_goes_to_tracing(&self) -> bool {
        matches!(self.started.entry_span, EntrySpan::Tracing(..)) && !is::<TracingLogger>(&self.sink)
    }

    /// Whether any logger takes entries of this level.
    fn has_receiver(&self, level: Level) -> bool {
        self.sink.is_enabled(level)
            || self.also_goes_to_tracing() && events::default_logger().is_enabled(level)
    }

    fn forward(&self, entry: &Entry<'_>) {
        // The configured logger may forward to `tracing` itself.
        let reached_tracing = Cell::new(false);
        if self.sink.is_enabled(entry.level) {
            self.sink.log(&Entry { reached_tracing: Some(&reached_tracing), ..*entry });
        }
        if self.also_goes_to_tracing() && !reached_tracing.get() {
            events::default_logger().log(entry);
        }
    }

    fn add_event(&self, level: Level, message: &str, fields: &Fields) {
        const LEVEL: &str = "level";
        // First, because the SDK drops the last attributes beyond its limit.
        let mut attributes = vec![KeyValue::new(LEVEL, level.as_str())];
        attributes.extend(fields.span_attributes().filter(|field| field.key.as_str() != LEVEL));
        self.started.cx.span().add_event(message.to_owned(), attributes);
    }
}

/// The logger that a child span's entries go to, without the parent span's: they are not events of
/// the parent.
fn without_span(logger: &Arc<dyn Logger>) -> &Arc<dyn Logger> {
    of_span(logger).map_or(logger, |own| &own.sink)
}

/// The fields that entries of a span start with. A user's own logger adds its fields itself.
fn own_fields(logger: &Arc<dyn Logger>) -> Fields {
    let any: &dyn Any = &**logger;
    let of_tracing = || Some(any.downcast_ref::<TracingLogger>()?.fields());
    of_span(logger).map(|own| &own.fields).or_else(of_tracing).cloned().unwrap_or_default()
}

fn of_span(logger: &Arc<dyn Logger>) -> Option<&SpanLogger> {
    let logger: &dyn Any = &**logger;
    logger.downcast_ref()
}
