//! How an op ended, and what that writes to its span.

use std::any::type_name;
use std::error::Error;
use std::fmt::{Debug, Display};

use opentelemetry::trace::{SpanRef, Status};
use opentelemetry::KeyValue;
use opentelemetry_semantic_conventions::attribute as semconv;

use crate::event::exception;
use crate::event::exception::{Causes, ErrorType};
use crate::format::{with_text, Limit};

/// The attribute for an op that ended without a result.
const OUTCOME: &str = "op.outcome";

/// The attribute for the signal that stopped an op; the conventions have none.
const SIGNAL: &str = "op.signal";

/// The conventions' value of `error.type` for an error of unknown type.
const UNKNOWN_ERROR: &str = "_OTHER";

/// How an op ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was dropped.
    Dropped,
    /// Its future was dropped before completion.
    Cancelled,
    /// A panic unwound through it.
    Panicked,
    /// It exceeded its time limit.
    #[cfg(feature = "tokio")]
    TimedOut,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
            #[cfg(feature = "tokio")]
            Self::TimedOut => "timed_out",
        }
    }

    /// For a panic, [`PanicsBefore`](crate::panic_message::PanicsBefore) writes the rest, for a time
    /// limit [`Failure::write_timed_out`].
    pub(crate) fn write_to(self, span: &SpanRef<'_>) {
        span.set_attribute(KeyValue::new(OUTCOME, self.name()));
    }
}

/// Writes that a signal stopped the op.
pub(crate) fn write_cancelled(span: &SpanRef<'_>, signal: String) {
    span.set_attribute(KeyValue::new(SIGNAL, signal));
    Outcome::Cancelled.write_to(span);
}

/// What an op's span says of the error that ended it.
pub(crate) struct Failure {
    message: String,
    type_path: Option<String>,
    /// One `Caused by:` line for each source that is known.
    causes: String,
}

impl Failure {
    /// Of any error. Only an anyhow or eyre error shows its causes, in its `Debug`.
    pub(crate) fn of_any<E: Debug + Display>(error: &E) -> Self {
        let causes = if shows_causes::<E>() {
            listed_causes(&text_of(format_args!("{error:?}")))
        } else {
            String::new()
        };
        Self { message: text_of(format_args!("{error}")), type_path: type_of(error), causes }
    }

    pub(crate) fn of_error<E: Error + ?Sized>(error: &E) -> Self {
        let causes = text_of(format_args!("{}", Causes(error.source())));
        Self { message: text_of(format_args!("{error}")), type_path: type_of(error), causes }
    }

    /// Writes an `exception` event, the status Error, and `error.type`.
    ///
    /// See the conventions for [exceptions on spans] and for [recording errors].
    ///
    /// [exceptions on spans]: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
    /// [recording errors]: https://opentelemetry.io/docs/specs/semconv/general/recording-errors/
    pub(crate) fn write_to(&self, span: &SpanRef<'_>) {
        self.write_as(self.type_path.clone().unwrap_or_else(|| UNKNOWN_ERROR.to_owned()), span);
    }

    /// [`write_to`](Self::write_to) for an op that exceeded its time limit.
    #[cfg(feature = "tokio")]
    pub(crate) fn write_timed_out(&self, span: &SpanRef<'_>) {
        Outcome::TimedOut.write_to(span);
        self.write_as("timeout".to_owned(), span);
    }

    fn write_as(&self, error_type: String, span: &SpanRef<'_>) {
        let (message, causes) = (self.message.clone(), self.causes.clone());
        exception::add_event(span, self.type_path.clone(), message, causes);
        span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, error_type));
        span.set_status(Status::error(self.message.clone()));
    }
}

/// Whether errors of this type list their causes in their `Debug`, after the message.
fn shows_causes<E>() -> bool {
    matches!(type_name::<E>().trim_start_matches('&'), "anyhow::Error" | "eyre::Report")
}

/// The causes in the `Debug` of an anyhow or eyre error: under the heading, indented, and numbered
/// if there are several.
fn listed_causes(debug: &str) -> String {
    let Some((_, listed)) = debug.split_once("\n\nCaused by:\n") else { return String::new() };
    let listed = listed.split("\n\n").next().unwrap_or_default();
    let mut causes = String::new();
    for (index, line) in listed.lines().enumerate() {
        let line = line.trim_start();
        let unnumbered = line.split_once(": ").filter(|(number, _)| number.parse::<u32>().is_ok());
        let separator = if index == 0 { "" } else { "\n" };
        match unnumbered {
            Some((_, cause)) => causes += &format!("{separator}Caused by: {cause}"),
            None if index == 0 => causes += &format!("Caused by: {line}"),
            // The next line of a cause that has several.
            None => causes += &format!("\n{line}"),
        }
    }
    causes
}

/// The type of an error, if it can be determined: the static type, or for a boxed error the type
/// that its `Debug` begins with. A string has none.
fn type_of<E: Debug + ?Sized>(error: &E) -> Option<String> {
    let name = type_name::<E>().trim_start_matches('&');
    if name == "str" || name == "alloc::string::String" || name.starts_with("alloc::borrow::Cow<") {
        return None;
    }
    if name.starts_with("alloc::boxed::Box<") || name.starts_with("dyn ") {
        let type_path = text_of(format_args!("{}", ErrorType(error)));
        return (!type_path.is_empty()).then_some(type_path);
    }
    Some(name.to_owned())
}

fn text_of(text: std::fmt::Arguments<'_>) -> String {
    let mut owned = String::new();
    // Failures are not counted: after a panic inside `Display`, the text is what was written before
    // it.
    with_text(Limit::NONE, text, |text| text.clone_into(&mut owned));
    owned
}
