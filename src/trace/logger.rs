//! [`Logger`], and the [`Entry`] that it logs.

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use opentelemetry::Key;

use crate::trace::entry_span::EntrySpan;
use crate::trace::value::{Fields, Value};

/// The level of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For developers of the program. Severity 5.
    Debug,
    /// Normal progress. Severity 9.
    Info,
    /// Something unexpected. Severity 13.
    Warn,
    /// Something failed. Severity 17.
    Error,
    /// The program cannot continue. Severity 21. Logging it does not end the program.
    Fatal,
}

impl Level {
    /// All levels, from [`Debug`](Self::Debug) upward.
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// The name in lower case, as on a span's event.
    ///
    /// ```
    /// assert_eq!(spanlog::trace::Level::Warn.as_str(), "warn");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One log entry, passed to a logger.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub(crate) level: Level,
    pub(crate) message: fmt::Arguments<'a>,
    pub(crate) fields: &'a Fields,
    /// The span that the entry was made in.
    pub(crate) span: Option<&'a EntrySpan>,
    /// Set to true by a [`TracingLogger`](super::TracingLogger) that gets the entry, so that it
    /// goes to `tracing` only once.
    pub(crate) reached_tracing: Option<&'a Cell<bool>>,
    /// It is an event of its span already.
    pub(crate) is_on_span: bool,
}

impl<'a> Entry<'a> {
    /// An entry outside any span.
    ///
    /// ```
    /// use spanlog::trace::{Entry, Fields, Level, Logger, TracingLogger};
    ///
    /// let fields = Fields::from([("pod", "web-0")]);
    /// TracingLogger::new().log(&Entry::new(Level::Info, format_args!("created"), &fields));
    /// ```
    pub fn new(level: Level, message: fmt::Arguments<'a>, fields: &'a Fields) -> Self {
        Self { level, message, fields, span: None, reached_tracing: None, is_on_span: false }
    }

    /// The entry with another message, for a logger that wraps another one. The span stays the
    /// same.
    #[must_use]
    pub fn with_message(self, message: fmt::Arguments<'a>) -> Self {
        Self { message, ..self }
    }

    /// The entry with these fields instead of its own. The span stays the same.
    #[must_use]
    pub fn with_fields(self, fields: &'a Fields) -> Self {
        Self { fields, ..self }
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The message. If the entry was made in a span, it is already formatted, so displaying it runs
    /// no code of the caller.
    pub fn message(&self) -> fmt::Arguments<'a> {
        self.message
    }

    /// The entry's fields.
    pub fn fields(&self) -> &'a Fields {
        self.fields
    }

    /// The span that the entry was made in. `None` outside any span, or in one without valid ids.
    pub fn span_context(&self) -> Option<SpanContext> {
        self.span?.span_context().cloned()
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("level", &self.level)
            .field("message", &self.message)
            .field("fields", self.fields)
            .finish_non_exhaustive()
    }
}

macro_rules! levels {
    ($($level:ident, $plain:ident, $formatted:ident;)*) => {$(
        #[doc = concat!("Logs `message` at [`Level::", stringify!($level), "`].")]
        fn $plain(&self, message: &str) {
            self.$formatted(format_args!("{message}"));
        }

        #[doc = concat!("Logs `message` at [`Level::", stringify!($level), "`], which is formatted only if the level is enabled.")]
        fn $formatted(&self, message: fmt::Arguments<'_>) {
            if self.is_enabled(Level::$level) {
                self.log(&Entry::new(Level::$level, message, &Fields::EMPTY));
            }
        }
    )*};
}

/// Logs entries.
///
/// Programs get a shared logger from [`logger`](super::logger()) or
/// [`Span::logger`](super::Span::logger):
///
/// ```
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace;
///
/// let logger = trace::logger(&Context::current()).with_field("pod", "web-0");
/// logger.info("creating");
/// logger.warn_fmt(format_args!("{} of {} containers are ready", 1, 2));
/// logger.with_error(&std::io::Error::other("no room")).fatal("giving up"); // and does not exit
/// ```
///
/// To send entries somewhere else, implement two functions and pass the logger to
/// [`with_logger`](super::with_logger):
///
/// ```
/// use std::sync::Arc;
///
/// use spanlog::trace::{Entry, Fields, Logger};
///
/// #[derive(Debug)]
/// struct ToStandardError(Fields);
///
/// impl Logger for ToStandardError {
///     fn log(&self, entry: &Entry<'_>) {
///         let fields = self.0.merged(entry.fields());
///         eprintln!("{} {} {fields}", entry.level(), entry.message());
///     }
///
///     fn derive(&self, fields: Fields) -> Arc<dyn Logger> {
///         Arc::new(Self(self.0.merged(&fields)))
///     }
/// }
/// ```
pub trait Logger: Any + fmt::Debug + Send + Sync {
    /// Logs an entry. Implementations merge the logger's fields into the entry's, which take
    /// precedence.
    fn log(&self, entry: &Entry<'_>);

    /// A logger with these additional fields. For implementations; callers use
    /// [`with_field`](trait.Logger.html#method.with_field).
    fn derive(&self, fields: Fields) -> Arc<dyn Logger>;

    /// Whether entries of this level are logged. If not, `log` is not called for them, and they are
    /// formatted only if they are also events of a span.
    fn is_enabled(&self, level: Level) -> bool {
        let _ = level;
        true
    }

    /// Whether fields have any effect. If not, [`with_field`](trait.Logger.html#method.with_field)
    /// does not collect them.
    fn takes_fields(&self) -> bool {
        true
    }

    levels! {
        Debug, debug, debug_fmt;
        Info, info, info_fmt;
        Warn, warn, warn_fmt;
        Error, error, error_fmt;
        Fatal, fatal, fatal_fmt;
    }
}

impl dyn Logger + '_ {
    /// A logger whose entries have this additional field. The last value of a key wins.
    ///
    /// ```
    /// use spanlog::opentelemetry::Context;
    /// use spanlog::trace;
    ///
    /// trace::logger(&Context::current()).with_field("attempt", 2).info("again");
    /// ```
    #[must_use = "the logger itself is not changed"]
    pub fn with_field(&self, key: impl Into<Key>, value: impl Into<Value>) -> Arc<dyn Logger> {
        self.with_fields([(key, value)])
    }

    /// [`with_field`](trait.Logger.html#method.with_field) for several fields.
    ///
    /// ```
    /// use spanlog::opentelemetry::Context;
    /// use spanlog::trace::{self, Value};
    ///
    /// let fields = [("pod", Value::from("web-0")), ("attempt", 2.into())];
    /// trace::logger(&Context::current()).with_fields(fields).info("again");
    /// ```
    #[must_use = "the logger itself is not changed"]
    pub fn with_fields<K: Into<Key>, V: Into<Value>>(
        &self,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Arc<dyn Logger> {
        self.derive(if self.takes_fields() { fields.into_iter().collect() } else { Fields::EMPTY })
    }

    /// A logger whose entries have the error's text in the field `err`.
    ///
    /// ```
    /// use spanlog::opentelemetry::Context;
    /// use spanlog::trace;
    ///
    /// let error = std::io::Error::other("no room");
    /// trace::logger(&Context::current()).with_error(&error).warn("trying again");
    /// ```
    #[must_use = "the logger itself is not changed"]
    pub fn with_error(&self, error: &dyn Error) -> Arc<dyn Logger> {
        if !self.takes_fields() {
            return self.derive(Fields::EMPTY);
        }
        self.with_field("err", Value::error(error))
    }
}
