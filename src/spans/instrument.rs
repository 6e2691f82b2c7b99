//! Errors of functions with `#[tracing::instrument(err)]`, which is how Rust code says that a
//! function failed.

use std::error::Error;
use std::fmt;

use opentelemetry::trace::{SpanRef, Status};
use opentelemetry::KeyValue;
use opentelemetry_semantic_conventions::attribute::EXCEPTION_MESSAGE;
use tracing::{Event, Metadata};
use tracing_core::field::Field;

use crate::fields::{Fields, Sink};
use crate::format::{with_text, Limit};
use crate::value::Value;
use crate::wire::scalar::Scalar;

/// Whether an event may be that of the attribute: its only field is `error`.
#[inline(always)]
pub(crate) fn may_be_error(metadata: &Metadata<'_>) -> bool {
    let fields = metadata.fields();
    fields.len() == 1 && fields.iter().next().is_some_and(|field| field.name() == "error")
}

/// Whether the attribute that made the span `span` also made such an event: both are of one line.
pub(crate) fn is_of(event: &Metadata<'_>, span: &Metadata<'_>) -> bool {
    event.line().is_some()
        && (event.line(), event.file(), event.target()) == (span.line(), span.file(), span.target())
}

/// The text of the error.
pub(crate) fn error_text(event: &Event<'_>) -> String {
    let mut text = Fields(Text::default());
    event.record(&mut text);
    text.0 .0
}

/// Sets the status, and adds the `exception` event. See the conventions for [exceptions on spans].
///
/// [exceptions on spans]: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
pub(crate) fn write(text: String, span: &SpanRef<'_>) {
    span.add_event("exception", vec![KeyValue::new(EXCEPTION_MESSAGE, text.clone())]);
    span.set_status(Status::error(text));
}

#[derive(Default)]
struct Text(String);

impl Sink for Text {
    fn value<'a>(&mut self, _: &Field, value: impl Scalar<'a>) {
        if let Value::Str(text) = value.into() {
            text.clone_into(&mut self.0);
        }
    }

    fn text(&mut self, _: &Field, text: fmt::Arguments<'_>) {
        // A failure is counted where the record is made.
        with_text(Limit::NONE, text, |text| text.clone_into(&mut self.0));
    }

    fn error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        self.text(field, format_args!("{error}"));
    }
}
