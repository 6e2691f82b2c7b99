//! The limits of a record's attributes.

use std::env;
use std::sync::Arc;

use opentelemetry::logs::AnyValue;

use crate::diagnostics;
use crate::format::{truncate, Limit};

/// Limits of a record's attributes, as in OpenTelemetry's [specification][attributes]. They do not
/// apply to the body.
///
/// Beyond the count, inherited fields are dropped first, beginning with the outermost span's, then
/// the event's last attributes. Stamps of the job and op are never dropped or truncated, so that
/// the ids of two jobs stay different. [`Stats`](crate::Stats) counts what is dropped or truncated.
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
    /// The limits that `OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT`,
    /// `OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT` and their general forms (`OTEL_ATTRIBUTE_…`)
    /// set. The `LOGRECORD` form takes precedence.
    ///
    /// A value that is not a number is ignored, and reported once through the
    /// [diagnostics](crate::set_diagnostics).
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

    /// Sets the maximum number of attributes of a record. Default: 128.
    #[must_use]
    pub fn with_attribute_count(self, attribute_count: usize) -> Self {
        Self { attribute_count, ..self }
    }

    /// Sets the maximum length of a string value in bytes. Default: unlimited.
    ///
    /// A longer string is truncated at the last character boundary within the limit.
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

    /// Whether a value has a string that is too long.
    pub(crate) fn would_truncate(&self, value: &AnyValue) -> bool {
        match value {
            AnyValue::String(text) => text.as_str().len() > self.value_length().0,
            AnyValue::ListAny(values) => values.iter().any(|value| self.would_truncate(value)),
            _ => false,
        }
    }

    /// Truncates the strings of a value, also those in arrays.
    pub(crate) fn truncate(&self, value: AnyValue) -> AnyValue {
        match value {
            value if !self.would_truncate(&value) => value,
            AnyValue::String(text) => {
                let kept: Arc<str> = truncate(text.as_str(), self.value_length()).into();
                AnyValue::String(kept.into())
            }
            AnyValue::ListAny(values) => values.into_iter().map(|value| self.truncate(value)).collect(),
            value => value,
        }
    }
}

/// The number in an environment variable. An empty one counts as unset.
fn number(name: &str) -> Option<usize> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    let number = value.to_str().and_then(|value| value.trim().parse().ok());
    if number.is_none() {
        diagnostics::report_once(format_args!(
            "{name} is {value:?}, but must be a number of at least 0; it is ignored"
        ));
    }
    number
}
