//! The default logger: entries as `tracing` events.
//!
//! tracing's fields have static names. So the event has only a message, and the fields travel in
//! its [sidecar], where a [`LogLayer`](crate::LogLayer) finds them. Other layers see them appended
//! to the message.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::Key;
use tracing::{dispatcher, Dispatch, Event};
use tracing_core::field::Value;
use tracing_core::span::Id;

use crate::correlate::sidecar;
use crate::trace::callsite::{Callsites, EntryCallsite};
use crate::trace::entry_span::EntrySpan;
use crate::trace::logger::{Entry, Level, Logger};
use crate::trace::value;
use crate::trace::value::Fields;

/// Logs through `tracing`, so that every layer gets the entries.
///
/// Filters apply to the level (Fatal is ERROR in `tracing`) and to the target, which is also the
/// scope of the records. It is `spanlog::trace` by default.
///
/// ```
/// use spanlog::opentelemetry::Context;
/// use spanlog::trace::{self, TracingLogger};
///
/// let cx = trace::with_logger(&Context::current(), TracingLogger::new().with_target("kubelet"));
/// trace::logger(&cx).with_field("pod", "web-0").info("creating"); // kubelet: creating pod="web-0"
/// ```
#[derive(Clone, Debug)]
pub struct TracingLogger {
    callsites: &'static Callsites,
    fields: Fields,
}

impl Default for TracingLogger {
    fn default() -> Self {
        Self { callsites: Callsites::of_default_target(), fields: Fields::new() }
    }
}

impl TracingLogger {
    /// The logger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the target of its events.
    ///
    /// The callsites of a target are never freed, so use few targets.
    #[must_use]
    pub fn with_target(self, target: impl Into<Cow<'static, str>>) -> Self {
        Self { callsites: Callsites::of(target.into()), ..self }
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }
}

/// The logger of a context without one.
pub(crate) fn default_logger() -> &'static Arc<dyn Logger> {
    static DEFAULT: OnceLock<Arc<dyn Logger>> = OnceLock::new();
    DEFAULT.get_or_init(|| Arc::new(TracingLogger::new()))
}

impl Logger for TracingLogger {
    fn log(&self, entry: &Entry<'_>) {
        if let Some(reached_tracing) = entry.reached_tracing {
            reached_tracing.set(true);
        }
        let callsite = self.callsites.at(entry.level());
        if !callsite.may_be_enabled() {
            return;
        }
        let in_span = match entry.span {
            Some(EntrySpan::Tracing(span, _)) => span.0.with_subscriber(|(id, dispatch)| {
                self.dispatch(callsite, dispatch, entry, Parent::Span(id));
            }),
            _ => None,
        };
        if in_span.is_none() {
            let parent = match entry.span {
                Some(EntrySpan::Api(origin)) if !origin.is_current() => Parent::None,
                _ => Parent::Current,
            };
            dispatcher::get_default(|dispatch| self.dispatch(callsite, dispatch, entry, parent));
        }
    }

    fn derive(&self, fields: Fields) -> Arc<dyn Logger> {
        Arc::new(Self { callsites: self.callsites, fields: self.fields.merged(&fields) })
    }

    fn is_enabled(&self, level: Level) -> bool {
        self.callsites.at(level).may_be_enabled()
    }
}

/// The parent of the event.
#[derive(Clone, Copy)]
enum Parent<'a> {
    Current,
    /// None, as the entry's span is not the current one, or tracing does not have it.
    None,
    Span(&'a Id),
}

impl TracingLogger {
    fn dispatch(
        &self,
        callsite: &'static EntryCallsite,
        dispatch: &Dispatch,
        entry: &Entry<'_>,
        parent: Parent<'_>,
    ) {
        if !callsite.is_enabled(dispatch) {
            return;
        }
        let fields = match entry.fields().is_empty() {
            true => Cow::Borrowed(&self.fields),
            false => Cow::Owned(self.fields.merged(entry.fields())),
        };
        let mut message = Arc::from("");
        value::formatted(entry.message(), |text| message = Arc::from(text));
        let metadata = callsite.metadata();
        let text = MessageWithFields { message: &message, fields: &fields, level: entry.level() };
        let text = format_args!("{text}");
        let values = [Some(&text as &dyn Value)];
        let values = metadata.fields().value_set_all(&values);
        let event = match parent {
            Parent::Current => Event::new(metadata, &values),
            Parent::None => Event::new_child_of(None, metadata, &values),
            Parent::Span(id) => Event::new_child_of(id.clone(), metadata, &values),
        };
        let fatal = (entry.level() == Level::Fatal).then(|| {
            let number = AnyValue::Int(Severity::Fatal as i64);
            (Key::from_static_str("otel.severity_number"), number)
        });
        let attributes = fields.record_attributes().chain(fatal).collect();
        let origin = match entry.span {
            Some(EntrySpan::Api(origin)) => Some(origin.clone()),
            _ => None,
        };
        let is_on_span = entry.is_on_span;
        sidecar::with_entry(attributes, message.clone(), origin, is_on_span, || dispatch.event(&event));
    }
}

/// The message of an entry, with its fields appended, for layers that do not know the sidecar.
struct MessageWithFields<'a> {
    message: &'a str,
    fields: &'a Fields,
    level: Level,
}

impl fmt::Display for MessageWithFields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)?;
        if self.level == Level::Fatal {
            // `tracing` has no such level, so consoles say ERROR.
            write!(f, " level={}", self.level)?;
        }
        if !self.fields.is_empty() {
            write!(f, " {}", self.fields)?;
        }
        Ok(())
    }
}
