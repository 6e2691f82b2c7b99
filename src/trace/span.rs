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
    /// Starts a span as a child of the one in `cx`. The returned context holds the span and its
    /// logger.
    fn start_span(&self, cx: &Context, name: &str) -> (Context, Arc<dyn Span>);
}

impl<T: Tracer + ?Sized> Tracer for Arc<T> {
    fn start_span(&self, cx: &Context, name: &str) -> (Context, Arc<dyn Span>) {
        (**self).start_span(cx, name)
    }
}

/// A started span. It can be used from any thread, and clones of the handle are the same span.
///
/// It ends with [`end`](Self::end), or when the last handle, context and logger that refer to it
/// are dropped. Nothing has an effect on it after that.
pub trait Span: fmt::Debug + Send + Sync {
    /// Ends the span.
    fn end(&self);

    /// Sets the status: Ok for `None`, otherwise Error with the error's text.
    ///
    /// As in OpenTelemetry, Ok is final: an error after it is ignored. Of several errors the last
    /// one counts.
    fn set_status(&self, error: Option<&dyn StdError>);

    /// Implements [`with_field`](trait.Span.html#method.with_field) and
    /// [`with_fields`](trait.Span.html#method.with_fields). For back ends.
    fn add_fields(&self, cx: &Context, fields: Fields) -> Context;

    /// Whether fields have any effect, on the span or on the logger of `cx`. If not, they are not
    /// collected, and `cx` is returned unchanged.
    fn takes_fields(&self, cx: &Context) -> bool {
        let _ = cx;
        true
    }

    /// The span's logger as of its start, with the fields of the parent context's logger. Fields
    /// set on the span later are on the [`logger`](crate::trace::logger()) of the contexts that
    /// [`with_field`](trait.Span.html#method.with_field) returns.
    ///
    /// Fields set on it are on entries only, not on the span. It can be used after the span has
    /// ended.
    fn logger(&self) -> Arc<dyn Logger>;
}

impl dyn Span + '_ {
    /// Sets a field on the span, and on the entries of the returned context's logger.
    ///
    /// The last value of a key wins. `cx` itself is not changed, nor are contexts derived from it.
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

    /// [`with_field`](trait.Span.html#method.with_field) for several fields.
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

    /// Sets the status from a result, and ends the span. Errors need not implement
    /// [`Error`](std::error::Error): `anyhow::Error`, `Box<dyn Error>` and strings work, too.
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

/// Anything with `Debug` and `Display`, as an error.
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
