//! Events and links of a span as plain data.

use std::mem::size_of;

use opentelemetry::trace::{Event, Link};
use opentelemetry::{SpanId, TraceId};

use super::attributes::{attributes_of_sdk, bytes_of, last_value};
use super::moment::unix_nano;
use super::value::{Values, MAX_BYTES_TOGETHER};

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

    /// The memory in use, in a list of events.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + bytes_of(&self.attributes)
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

    /// The memory in use, in a list of links.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + bytes_of(&self.attributes)
    }
}

/// The events or the links of a span that is read, up to [`MAX_BYTES_TOGETHER`].
#[derive(Debug)]
pub(super) struct Limited<T> {
    pub(super) items: Vec<T>,
    bytes: usize,
    /// Whether one was dropped, or an attribute of one truncated.
    pub(super) is_truncated: bool,
}

impl<T> Default for Limited<T> {
    fn default() -> Self {
        Self { items: Vec::new(), bytes: 0, is_truncated: false }
    }
}

impl Limited<SpanEvent> {
    pub(super) fn push_event(&mut self, name: String, time_unix_nano: u64, attributes: Values) {
        self.is_truncated |= attributes.is_truncated;
        let event = SpanEvent { name, time_unix_nano, attributes: attributes.pairs };
        self.push(event.bytes(), event);
    }
}

impl Limited<SpanLink> {
    pub(super) fn push_link(&mut self, trace_id: TraceId, span_id: SpanId, attributes: Values) {
        self.is_truncated |= attributes.is_truncated;
        let link = SpanLink { trace_id, span_id, attributes: attributes.pairs };
        self.push(link.bytes(), link);
    }
}

impl<T> Limited<T> {
    fn push(&mut self, bytes: usize, item: T) {
        let fits = self.bytes + bytes <= MAX_BYTES_TOGETHER;
        self.is_truncated |= !fits;
        if fits {
            self.bytes += bytes;
            self.items.push(item);
        }
    }
}
