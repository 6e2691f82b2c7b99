//! Errors of functions with `#[tracing::instrument(err)]`, which is how Rust code says that a
//! function failed.

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{SpanRef, Status};
use tracing::{Event, Metadata};

use crate::event::exception;
use crate::fields::span::capture_fields;

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
    match capture_fields(|visitor| event.record(visitor)).pop() {
        Some((_, AnyValue::String(text))) => text.to_string(),
        _ => String::new(),
    }
}

/// Sets the status, and adds the `exception` event.
pub(crate) fn write(text: String, span: &SpanRef<'_>) {
    exception::add_event(span, None, text.clone(), String::new());
    span.set_status(Status::error(text));
}
