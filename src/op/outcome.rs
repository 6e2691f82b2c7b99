//! How an op ended, and what that writes to its span.

use std::any::type_name;
use std::fmt::{Debug, Display};

use opentelemetry::trace::{SpanRef, Status};
use opentelemetry::KeyValue;
use opentelemetry_semantic_conventions::attribute as semconv;

use crate::event::exception::ErrorType;
use crate::format::{with_text, Limit};

/// The attribute for an op that ended without a result.
const OUTCOME: &str = "op.outcome";

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

    pub(crate) fn write_to(self, span: &SpanRef<'_>) {
        span.set_attribute(KeyValue::new(OUTCOME, self.name()));
        match self {
            Self::Dropped | Self::Cancelled => {}
            Self::Panicked => {
                span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, "panic"));
                span.set_status(Status::error("panicked"));
            }
            #[cfg(feature = "tokio")]
            Self::TimedOut => {
                span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, "timeout"));
                span.set_status(Status::error("timed out"));
            }
        }
    }
}

/// Writes an error to a span: an `exception` event, the status Error, and `error.type`.
///
/// See the conventions for [exceptions on spans] and for [recording errors].
///
/// [exceptions on spans]: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
/// [recording errors]: https://opentelemetry.io/docs/specs/semconv/general/recording-errors/
pub(crate) fn write_error<E: Debug + Display>(error: &E, span: &SpanRef<'_>) {
    let (message, type_path) = write_exception(error, span);
    let error_type = type_path.unwrap_or_else(|| UNKNOWN_ERROR.to_owned());
    span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, error_type));
    span.set_status(Status::error(message));
}

/// Writes only the `exception` event of an error, for an [`Outcome`] that writes the rest. Returns
/// the error's message and type.
pub(crate) fn write_exception<E: Debug + Display>(error: &E, span: &SpanRef<'_>) -> (String, Option<String>) {
    let message = text_of(format_args!("{error}"));
    let type_path = type_of(error);
    let mut attributes = Vec::with_capacity(2);
    if let Some(type_path) = &type_path {
        attributes.push(KeyValue::new(semconv::EXCEPTION_TYPE, type_path.clone()));
    }
    attributes.push(KeyValue::new(semconv::EXCEPTION_MESSAGE, message.clone()));
    span.add_event("exception", attributes);
    (message, type_path)
}

/// The type of an error, if it can be determined: the static type, or for a boxed error the type
/// that its `Debug` begins with. A string has none.
fn type_of<E: Debug>(error: &E) -> Option<String> {
    let name = type_name::<E>().trim_start_matches('&');
    if name == "str" || name == "alloc::string::String" || name.starts_with("alloc::borrow::Cow<") {
        return None;
    }
    let is_opaque = name.starts_with("alloc::boxed::Box<") || name.starts_with("dyn ");
    if is_opaque || name == "anyhow::Error" {
        let type_path = text_of(format_args!("{}", ErrorType(error)));
        return match type_path.is_empty() {
            false => Some(type_path),
            true if is_opaque => None,
            true => Some(name.to_owned()),
        };
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
