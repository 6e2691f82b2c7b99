//! Events and links of a span as plain data.

use opentelemetry::trace::{Event, Link};
use opentelemetry::{SpanId, TraceId};

use super::attributes::{attribute_bytes, attributes_of_sdk, last_value};
use super::moment::unix_nano;

/// An event of a span, such as an [exception].
///
/// [exception]: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanEvent {
    /// The event's name: `exception`.
    pub name: String,
    /// Nanoseconds since the Unix epoch; 0 if unknown.
    pub time_unix_nano: u64,
    /// The event's attributes in their original order, each value as text.
    pub attributes: Vec<(String, String)>,
}

/// A link from a span to another one, which may be in another trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanLink {
    /// The trace id of the span that is linked to.
    pub trace_id: TraceId,
    /// The span id of the span that is linked to.
    pub span_id: SpanId,
    /// The link's attributes in their original order, each value as text.
    pub attributes: Vec<(String, String)>,
}

impl SpanEvent {
    /// The value of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        last_value(&self.attributes, key)
    }

    pub(super) fn of_sdk(event: &Event) -> Self {
        Self {
            name: event.name.to_string(),
            time_unix_nano: unix_nano(event.timestamp),
            attributes: attributes_of_sdk(&event.attributes),
        }
    }

    /// The bytes of all its texts.
    pub(super) fn text_bytes(&self) -> usize {
        self.name.len() + attribute_bytes(&self.attributes)
    }
}

impl SpanLink {
    pub(super) fn of_sdk(link: &Link) -> Self {
        Self {
            trace_id: link.span_context.trace_id(),
            span_id: link.span_context.span_id(),
            attributes: attributes_of_sdk(&link.attributes),
        }
    }
}
