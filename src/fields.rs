//! tracing's values as attribute values.
//!
//! [`Fields`] maps tracing's types, and a [`Sink`] takes the values: an event's go to
//! [`EventVisitor`](crate::event::visitor::EventVisitor), a span's are captured by
//! [`span::capture`].
//!
//! | value | becomes |
//! | --- | --- |
//! | `bool`, `i64`, `f64`, `str`, bytes | itself |
//! | `u64`, `i128`, `u128` | an integer where it fits `i64`, else an exact decimal string |
//! | `?x`, `%x` | a string, formatted once |
//! | `dyn Error` | `exception.*`, or a string |

pub(crate) mod span;

use std::error::Error;
use std::fmt;

use tracing_core::field::{Field, Visit};

use crate::wire::scalar::Scalar;

/// Takes the values of fields.
pub(crate) trait Sink {
    /// A value that keeps its type.
    fn value<'a>(&mut self, field: &Field, value: impl Scalar<'a>);
    /// A value that user code formats as text.
    fn text(&mut self, field: &Field, text: fmt::Arguments<'_>);
    /// An integer that does not fit `i64`, as decimal text.
    fn wide(&mut self, field: &Field, digits: fmt::Arguments<'_>) {
        self.text(field, digits);
    }
    /// An error, with its sources.
    fn error(&mut self, field: &Field, error: &(dyn Error + 'static));
}

/// The one implementation of tracing's `Visit`.
#[derive(Debug)]
pub(crate) struct Fields<S>(pub(crate) S);

impl<S: Sink> Visit for Fields<S> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.value(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.value(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.value(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.0.value(field, value),
            Err(_) => self.0.wide(field, format_args!("{value}")),
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.0.value(field, value),
            Err(_) => self.0.wide(field, format_args!("{value}")),
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match i64::try_from(value) {
            Ok(value) => self.0.value(field, value),
            Err(_) => self.0.wide(field, format_args!("{value}")),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.value(field, value);
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.0.value(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.0.error(field, value);
    }
}
