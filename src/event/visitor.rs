//! The visitor that writes an event's fields into its record: body, severity, exception,
//! attributes.

use std::error::Error;
use std::fmt;

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;
use opentelemetry_semantic_conventions::attribute as semconv;
use tracing_core::field::Field;

use crate::event::callsite::{CallsiteInfo, FieldInfo, Role};
use crate::event::exception::{Causes, ErrorType};
use crate::event::merge::MergedAttributes;
use crate::examined;
use crate::fields::Sink;
use crate::format::{truncate, with_text, Limit};
use crate::keys::{self, is_control};
use crate::limits::Limits;
use crate::record::{severity_of_number, Record};
use crate::stats::Counters;
use crate::value::Value;
use crate::wire::scalar::Scalar;

/// How many attributes an event can have beyond its fields: one error becomes three attributes.
pub(crate) const MAX_EXTRA: usize = 2;

/// Writes an event's fields into a record as they are visited.
#[derive(Debug)]
pub(crate) struct EventVisitor<'a, R> {
    record: &'a mut R,
    /// Collects the attributes if a key could appear twice or the count limit could be exceeded.
    /// `None`: they are written directly to the record.
    merged: Option<&'a mut MergedAttributes>,
    callsite: &'static CallsiteInfo,
    value_limit: Limit,
    counters: &'a Counters,
    has_body: bool,
    /// An error was written as `exception.*`. Further ones become strings.
    has_exception: bool,
    /// The body of an event that has no message: the text of an `error` or `err` field, else a name
    /// made at run time.
    fallback_body: Option<Box<str>>,
    /// The fallback body is an error's text.
    has_error_text: bool,
}

impl<'a, R: Record> EventVisitor<'a, R> {
    pub(crate) fn new(
        record: &'a mut R,
        merged: Option<&'a mut MergedAttributes>,
        callsite: &'static CallsiteInfo,
        value_limit: Limit,
        counters: &'a Counters,
    ) -> Self {
        Self {
            record,
            merged,
            callsite,
            value_limit,
            counters,
            has_body: false,
            has_exception: false,
            fallback_body: None,
            has_error_text: false,
        }
    }

    /// Sets the fallback body of an event without a message: its error's text, else its name.
    #[inline]
    pub(crate) fn finish(&mut self) {
        if !self.has_body {
            self.set_fallback_body();
        }
    }

    #[cold]
    fn set_fallback_body(&mut self) {
        if let Some(text) = self.fallback_body.as_deref().or(self.callsite.event_name) {
            self.record.set_body(Value::Str(text));
        }
    }

    /// Writes or collects an attribute, and truncates a string that is too long.
    fn attribute(&mut self, name: &'static str, value: Value<'_>) {
        let value = match value {
            Value::Str(text) if text.len() > self.value_limit.0 => {
                self.counters.truncated_values(1);
                Value::Str(truncate(text, self.value_limit))
            }
            value => value,
        };
        match &mut self.merged {
            None => self.record.add_attribute(keys::key(name), value),
            Some(merged) => merged.put(keys::key(name), value.to_owned()),
        }
    }

    /// Sets the message of a `trace` entry. The event's own message has the entry's fields
    /// appended, for other layers.
    pub(crate) fn message(&mut self, message: &str) {
        self.record.set_body(Value::Str(message));
        self.has_body = true;
    }

    /// Adds an attribute from the sidecar, whose name was made at run time. Only called when
    /// attributes are collected.
    pub(crate) fn dynamic_attribute(&mut self, key: &Key, value: &AnyValue, limits: Limits) {
        if is_control(key.as_str()) {
            self.control(key.as_str(), Value::Any(value));
        } else if let Some(merged) = &mut self.merged {
            if limits.would_truncate(value) {
                self.counters.truncated_values(1);
            }
            merged.put(key.clone(), limits.truncate(value.clone()));
        }
    }

    /// Applies a control field: a severity number, or a name made at run time.
    fn control(&mut self, name: &str, value: Value<'_>) {
        match name {
            "otel.severity_number" => self.set_severity(value),
            "otel.event_name" => self.set_event_name(value),
            examined::FIELD => examined::add_record(),
            _ => {}
        }
    }

    fn set_severity(&mut self, value: Value<'_>) {
        let severity = match value {
            Value::I64(number) | Value::Any(&AnyValue::Int(number)) => severity_of_number(number),
            _ => None,
        };
        match severity {
            Some(severity) => self.record.set_severity(severity),
            None => self.counters.invalid_severities(1),
        }
    }

    fn set_event_name(&mut self, value: Value<'_>) {
        let name = match &value {
            Value::Str(name) => name,
            Value::Any(AnyValue::String(name)) => name.as_str(),
            _ => "",
        };
        if name.is_empty() || !self.record.set_run_time_name(name) {
            self.counters.ignored_event_names(1);
        } else if !self.has_error_text {
            self.fallback_body = Some(name.into());
        }
    }

    /// Everything except a short attribute that is written directly to the record.
    #[inline(never)]
    fn slow_path(&mut self, known: &FieldInfo, field: &Field, value: Value<'_>) {
        match known.role {
            Role::Attribute => self.attribute(field.name(), value),
            Role::Body => {
                self.record.set_body(value);
                self.has_body = true;
            }
            Role::ErrorText => {
                self.save_error_text(known, value);
                self.attribute(field.name(), value);
            }
            Role::Control => self.control(field.name(), value),
            Role::LogMetadata => {}
        }
    }

    /// Whether the text of this field becomes the body if the event has no message.
    fn may_become_body(&self, known: &FieldInfo) -> bool {
        !self.has_body && !self.has_error_text && known.role == Role::ErrorText
    }

    fn save_error_text(&mut self, known: &FieldInfo, value: Value<'_>) {
        if !self.may_become_body(known) {
            return;
        }
        let text = match value {
            Value::Str(text) => text.into(),
            Value::Bool(value) => value.to_string().into(),
            Value::I64(value) => value.to_string().into(),
            Value::F64(value) => value.to_string().into(),
            Value::Bytes(_) | Value::Any(_) => return,
        };
        self.set_error_text(text);
    }

    fn set_error_text(&mut self, text: Box<str>) {
        self.fallback_body = Some(text);
        self.has_error_text = true;
    }

    /// How much of a formatted value to keep.
    fn limit(&self, known: &FieldInfo) -> Limit {
        // Limits do not apply to the body, which this may become, nor to a name.
        if known.role == Role::Control || self.may_become_body(known) {
            Limit::NONE
        } else {
            self.value_limit
        }
    }

    #[inline(never)]
    fn attribute_text(&mut self, known: &FieldInfo, field: &Field, text: fmt::Arguments<'_>) {
        let formatted = with_text(self.limit(known), text, |text| self.value(field, text));
        formatted.count(self.counters);
    }

    /// Writes `exception.message`, `.type` and `.stacktrace`. The text is formatted once, even if
    /// it becomes the body as well.
    fn exception(&mut self, known: &FieldInfo, error: &(dyn Error + 'static)) {
        let is_body = self.may_become_body(known);
        let message = with_text(self.limit(known), format_args!("{error}"), |text| {
            if is_body {
                self.set_error_text(text.into());
            }
            self.attribute(semconv::EXCEPTION_MESSAGE, Value::Str(text));
        });
        let type_path = with_text(Limit::NONE, format_args!("{}", ErrorType(error)), |type_path| {
            if !type_path.is_empty() {
                self.attribute(semconv::EXCEPTION_TYPE, Value::Str(type_path));
            }
        });
        let causes = with_text(self.value_limit, format_args!("{}", Causes(error.source())), |causes| {
            if !causes.is_empty() {
                self.attribute(semconv::EXCEPTION_STACKTRACE, Value::Str(causes));
            }
        });
        for formatted in [message, type_path, causes] {
            formatted.count(self.counters);
        }
    }
}

impl<R: Record> Sink for EventVisitor<'_, R> {
    // `always`: for each type of value this should be inlined down to the record's buffer. The
    // compiler does not do so by itself.
    #[inline(always)]
    fn value<'v>(&mut self, field: &Field, value: impl Scalar<'v>) {
        let known = self.callsite.field(field);
        if known.role == Role::Attribute && self.merged.is_none() && value.text_len() <= self.value_limit.0 {
            self.record.add_field(field, &known.key, value);
        } else {
            self.slow_path(known, field, value.into());
        }
    }

    #[inline(always)]
    fn text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        let known = self.callsite.field(field);
        if known.role == Role::Body {
            self.has_body = true;
            self.record.format_body(text).count(self.counters);
        } else {
            self.attribute_text(known, field, text);
        }
    }

    fn error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let known = self.callsite.field(field);
        if known.role == Role::Body || self.has_exception {
            self.text(field, format_args!("{error}"));
            return;
        }
        self.has_exception = true;
        self.exception(known, error);
    }
}
