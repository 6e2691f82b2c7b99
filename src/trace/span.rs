//! [`Tracer`] and [`Span`]: what a back end implements.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use opentelemetry::{Context, Key};

use crate::trace::logger::Logger;
use crate::trace::value::{Fields, Value};

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

    /// Whether fields have any effect, on the span or on the logger of `cx`. If not, no list of them is made, and
    /// `cx` stays as it is.
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
            Err(error) => self.set_status(Some(&DisplayError(error))),
        }
        self.end();
    }
}

/// Anything that can be shown, as an error.
struct DisplayError<'a, E>(&'a E);

impl<E: fmt::Debug> fmt::Debug for DisplayError<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: fmt::Display> fmt::Display for DisplayError<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: fmt::Debug + fmt::Display> StdError for DisplayError<'_, E> {}
