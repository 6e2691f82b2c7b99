//! How much of a record is kept, and what goes first when it is too much.

use std::env;
use std::sync::Arc;

use opentelemetry::logs::AnyValue;

use crate::diagnostics;
use crate::format::{truncate, Limit};

/// Limits of one record, as the specification has them for [attributes]. They never touch the body.
///
/// When the count bites, inherited fields go first, those of the outermost span before all, then
/// the event's last ones. Stamps of the job and op stay. What goes is counted in [`Stats`](crate::Stats).
///
/// [attributes]: https://opentelemetry.io/docs/specs/otel/common/#attribute-limits
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    attribute_count: usize,
    value_length: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { attribute_count: 128, value_length: None }
    }
}

impl Limits {
    /// The limits that `OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT`, `OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT`
    /// and their general forms (`OTEL_ATTRIBUTE_…`) set; the record's own form goes first.
    ///
    /// An unusable value is reported once through the diagnostics and ignored.
    pub fn from_env() -> Self {
        let default = Self::default();
        Self {
            attribute_count: number("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT")
                .or_else(|| number("OTEL_ATTRIBUTE_COUNT_LIMIT"))
                .unwrap_or(default.attribute_count),
            value_length: number("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT")
                .or_else(|| number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")),
        }
    }

    /// Sets the most attributes that a record has. Default: 128.
    #[must_use]
    pub fn with_attribute_count(self, attribute_count: usize) -> Self {
        Self { attribute_count, ..self }
    }

    /// Sets the most bytes that a string value has. Default: unlimited.
    ///
    /// A longer string ends on the last character boundary before.
    #[must_use]
    pub fn with_value_length(self, bytes: usize) -> Self {
        Self { value_length: Some(bytes), ..self }
    }

    #[inline]
    pub(crate) fn attribute_count(&self) -> usize {
        self.attribute_count
    }

    #[inline]
    pub(crate) fn value_length(&self) -> Limit {
        self.value_length.map_or(Limit::NONE, Limit)
    }

    /// Cuts the strings of a value that came ready-made, where they are too long.
    pub(crate) fn truncate(&self, value: AnyValue) -> AnyValue {
        match value {
            AnyValue::String(text) if text.as_str().len() > self.value_length().0 => {
                let kept: Arc<str> = truncate(text.as_str(), self.value_length()).into();
                AnyValue::String(kept.into())
            }
            AnyValue::ListAny(values) => values.into_iter().map(|value| self.truncate(value)).collect(),
            value => value,
        }
    }
}

/// An environment variable that is a number; empty is unset.
fn number(name: &str) -> Option<usize> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    let number = value.to_str().and_then(|value| value.trim().parse().ok());
    if number.is_none() {
        diagnostics::report_once(format_args!(
            "{name} is {value:?}, which is no number of at least 0; it is ignored"
        ));
    }
    number
}
