//! A small abstraction over spans and log lines, so that one shares with the other what it knows.
//!
//! Beside the walk. Code that is written against [`Tracer`], [`Span`] and [`Logger`] does not say which
//! telemetry there is: the program chooses a back end, once with [`set_tracer`] or for one context
//! with [`with_tracer`]. All of it goes by an OpenTelemetry [`Context`] that is passed on by hand.
//!
//! ```
//! use spanlog::opentelemetry::Context;
//! use spanlog::trace;
//!
//! fn create_pod(cx: &Context, name: &str) {
//!     let (cx, span) = trace::start_span(cx, "create_pod");
//!     // On the span, and on what is logged in this context from here on.
//!     let cx = span.with_field(&cx, "pod", name);
//!     trace::logger(&cx).info("creating");
//!     // Only on this one entry.
//!     trace::logger(&cx).with_field("attempt", 1).warn("the image is not there yet");
//!     span.set_status(None);
//!     span.end();
//! }
//! create_pod(&Context::current(), "web-0");
//! ```
//!
//! A program sets its tracer once, when what stands behind it is set up; until then there are no spans, and
//! what is logged is logged all the same:
//!
//! ```
//! use spanlog::opentelemetry::global;
//! use spanlog::trace::{self, OtelTracer};
//!
//! // After `spanlog::builder().install()`, or whatever else sets the global tracer provider.
//! trace::set_tracer(OtelTracer::new(global::tracer("kubelet")))?;
//! # Ok::<(), spanlog::Error>(())
//! ```
//!
//! | back end | a span is | an entry is |
//! | --- | --- | --- |
//! | [`NopTracer`], the default | nothing | what the context's logger makes of it |
//! | [`OtelTracer`] | a span of the OpenTelemetry API | the same, with the span's ids, and an event on the span |
//! | [`TracingTracer`] | a `tracing` span | an event in that span, which every layer sees, and an event on its OpenTelemetry span |
//!
//! Where a context names no logger, entries are `tracing` events ([`TracingLogger`]): a
//! [`LogLayer`](crate::LogLayer) makes one record of each, with an attribute for each field, and a console
//! shows the fields behind the message. [`with_logger`] sends them elsewhere.

mod callsite;
mod events;
mod logger;
mod nop;
mod otel;
mod proxy;
mod started;
mod tracing;
mod value;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};

use opentelemetry::{Context, Key};

use crate::Error;

pub(crate) use self::callsite::is_entry;
pub use self::events::TracingLogger;
pub use self::logger::{Entry, Level, Logger};
pub use self::nop::{NopLogger, NopTracer};
pub use self::otel::OtelTracer;
pub use self::tracing::TracingTracer;
pub use self::value::{Fields, Value};

/// Starts spans.
///
/// ```
/// use std::sync::Arc;
///
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace::{self, NopTracer, Tracer};
///
/// let tracer: Arc<dyn Tracer> = Arc::new(NopTracer::new());
/// let (_cx, span) = tracer.start_span(&Context::new(), "reconcile");
/// span.end();
/// ```
pub trait Tracer: fmt::Debug + Send + Sync {
    /// Starts a span, a child of the one in `cx`. It lives in the returned context, whose logger is the span's.
    fn start_span(&self, cx: &Context, name: &str) -> (Context, Arc<dyn Span>);
}

impl<T: Tracer + ?Sized> Tracer for Arc<T> {
    fn start_span(&self, cx: &Context, name: &str) -> (Context, Arc<dyn Span>) {
        (**self).start_span(cx, name)
    }
}

/// A started span. It can be used from any thread, and is the same span wherever it is cloned to.
///
/// It ends at [`end`](Self::end), else when nothing refers to it any more: no handle, no context and no
/// logger. Whatever is done to it after that has no effect.
pub trait Span: fmt::Debug + Send + Sync {
    /// Ends the span.
    fn end(&self);

    /// Sets the status: Ok for `None`, Error with the error's text else.
    ///
    /// A status never goes back: an error after Ok is ignored, as OpenTelemetry has it. Among errors the
    /// last one counts.
    fn set_status(&self, error: Option<&dyn StdError>);

    /// What [`with_field`](trait.Span.html#method.with_field) and
    /// [`with_fields`](trait.Span.html#method.with_fields) are made of. For those who write a back end.
    fn add_fields(&self, cx: &Context, fields: Fields) -> Context;

    /// Whether fields have any effect, on the span or on the logger of `cx`. If not, no list of them is made, and `cx`
    /// stays as it is.
    fn takes_fields(&self, cx: &Context) -> bool {
        let _ = cx;
        true
    }

    /// The span's own logger, as it was when the span was started: with the fields that the starting
    /// context's logger had. The fields of the span are with the loggers of the contexts that
    /// [`with_field`](trait.Span.html#method.with_field) returned ([`logger`]).
    ///
    /// What is set on it touches single entries, never the span. It can be used after the span's end.
    fn logger(&self) -> Arc<dyn Logger>;
}

impl dyn Span + '_ {
    /// Sets a field: on the span, and on what the logger of the returned context says from now on.
    ///
    /// The last value of a key wins. `cx` itself is not changed, nor is any context that was made from it.
    ///
    /// ```
    /// use spanlog::opentelemetry::Context;
    /// use spanlog::trace;
    ///
    /// let (cx, span) = trace::start_span(&Context::current(), "delete_pod");
    /// let cx = span.with_field(&cx, "grace.seconds", 30);
    /// trace::logger(&cx).debug("waiting for it to stop");
    /// ```
    #[must_use = "the field is on entries of the returned context's logger"]
    pub fn with_field(&self, cx: &Context, key: impl Into<Key>, value: impl Into<Value>) -> Context {
        self.with_fields(cx, [(key, value)])
    }

    /// [`with_field`](trait.Span.html#method.with_field) for many at once.
    ///
    /// ```
    /// use spanlog::opentelemetry::Context;
    /// use spanlog::trace::{self, Value};
    ///
    /// let (cx, span) = trace::start_span(&Context::current(), "update_pod");
    /// let cx = span.with_fields(&cx, [("namespace", Value::from("default")), ("generation", 3.into())]);
    /// # drop(cx);
    /// ```
    #[must_use = "the fields are on entries of the returned context's logger"]
    pub fn with_fields<K: Into<Key>, V: Into<Value>>(
        &self,
        cx: &Context,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Context {
        if !self.takes_fields(cx) {
            return cx.clone();
        }
        self.add_fields(cx, fields.into_iter().collect())
    }

    /// Sets the status that a result comes to, and ends the span. Errors need not implement
    /// [`Error`](std::error::Error): `anyhow::Error`, `Box<dyn Error>` and strings do as well.
    ///
    /// ```
    /// use spanlog::opentelemetry::Context;
    /// use spanlog::trace;
    ///
    /// fn sync(cx: &Context) -> Result<(), Box<dyn std::error::Error>> {
    ///     let (cx, span) = trace::start_span(cx, "sync");
    ///     let result = create(&cx);
    ///     span.end_with(&result);
    ///     result
    /// }
    /// # fn create(_cx: &Context) -> Result<(), Box<dyn std::error::Error>> {
    /// #     Ok(())
    /// # }
    /// # sync(&Context::new()).unwrap();
    /// ```
    pub fn end_with<T, E: fmt::Debug + fmt::Display>(&self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.set_status(None),
            Err(error) => self.set_status(Some(&Shown(error))),
        }
        self.end();
    }
}

/// Anything that can be shown, as an error.
struct Shown<'a, E>(&'a E);

impl<E: fmt::Debug> fmt::Debug for Shown<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: fmt::Display> fmt::Display for Shown<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: fmt::Debug + fmt::Display> StdError for Shown<'_, E> {}

/// Starts a span with the tracer of `cx`, else with the process-wide one, else none at all.
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
    match (cx.get::<TracerValue>(), DEFAULT.get()) {
        (Some(own), _) => own.0.start_span(cx, name),
        (None, Some(default)) => default.start_span(cx, name),
        (None, None) => NopTracer::new().start_span(cx, name),
    }
}

/// A context in which [`start_span`] uses `tracer`. So do the contexts that are made from it.
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

/// Sets the tracer of the whole process, for contexts that have none of their own.
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
/// If one was set before. That one stays.
pub fn set_tracer(tracer: impl Tracer + 'static) -> Result<(), Error> {
    DEFAULT.set(Arc::new(tracer)).map_err(|_| Error::already_set("the tracer of `spanlog::trace`"))
}

/// The logger of `cx`: the innermost span's, with the fields that were set on the way; else the one
/// given to [`with_logger`]; else a [`TracingLogger`].
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

/// A context with this logger. Spans that are started from it log through it. Fields that it has by then are on its
/// entries; those of a [`TracingLogger`] are on the spans' events as well.
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

static DEFAULT: OnceLock<Arc<dyn Tracer>> = OnceLock::new();

/// The tracer as a `Context` value.
struct TracerValue(Arc<dyn Tracer>);

/// The logger as a `Context` value.
struct LoggerValue {
    logger: Arc<dyn Logger>,
    /// The no-op span of this logger, made once: a span that does nothing allocates nothing.
    nop: OnceLock<Arc<dyn Span>>,
}

/// Whether the logger is one of ours that is treated apart.
fn is<L: Logger>(logger: &Arc<dyn Logger>) -> bool {
    let logger: &dyn Any = &**logger;
    logger.is::<L>()
}

fn with_shared_logger(cx: &Context, logger: Arc<dyn Logger>) -> Context {
    cx.with_value(LoggerValue { logger, nop: OnceLock::new() })
}
