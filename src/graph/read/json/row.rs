//! Rows of the tables `otel_traces` and `otel_logs` of a ClickHouse engine, as `FORMAT JSONEachRow`
//! writes them: an object per line, whose members are the columns.

use std::fmt;
use std::mem::{size_of, take};

use opentelemetry::{SpanId, TraceId};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

use super::id::{span_id, trace_id};
use super::scalars::{from_text, is_error, severity_number, span_kind, Text};
use super::time::Time;
use crate::graph::attributes::bytes_of;
use crate::graph::call::{kind_of_number, RawSpan};
use crate::graph::event::{Limited, SpanEvent, SpanLink};
use crate::graph::read::notes::Cause;
use crate::graph::read::store::Store;
use crate::graph::record::{LogRecord, RecordLevel};
use crate::graph::value::{ValueText, Values, MAX_BYTES_TOGETHER};
use crate::json_stream::{read, Fill, Stream};

/// The columns that a span is read from. A table of another exporter, or a `SELECT`, may lack some.
const OF_SPANS: [&str; 17] = [
    "SpanName",
    "Timestamp",
    "TraceId",
    "SpanId",
    "ParentSpanId",
    "SpanKind",
    "ServiceName",
    "SpanAttributes",
    "Duration",
    "StatusCode",
    "StatusMessage",
    "Events.Timestamp",
    "Events.Name",
    "Events.Attributes",
    "Links.TraceId",
    "Links.SpanId",
    "Links.Attributes",
];

/// The columns that a log record is read from, besides `EventName`, which older tables lack.
const OF_RECORDS: [&str; 8] = [
    "Body",
    "Timestamp",
    "TraceId",
    "SpanId",
    "SeverityNumber",
    "SeverityText",
    "ScopeName",
    "LogAttributes",
];

/// The columns of a row as far as they were read: a span if it has a `SpanName`, a log record if it
/// has a `Body`.
#[derive(Default)]
pub(super) struct Row {
    columns: Vec<&'static str>,
    trace_id: Text,
    span_id: Text,
    parent_span_id: Text,
    /// `SpanName` or `Body`.
    text: Text,
    timestamp: Time,
    duration: Duration,
    span_kind: Text,
    service_name: Text,
    status_code: Text,
    status_message: Text,
    severity_number: Text,
    severity_text: Text,
    scope_name: Text,
    event_name: Text,
    attributes: Attributes,
    events: Events,
    links: Links,
}

/// The columns of a list of events.
#[derive(Default)]
struct Events {
    times: List<Time>,
    names: List<Text>,
    attributes: List<Attributes>,
}

/// The columns of a list of links.
#[derive(Default)]
struct Links {
    trace_ids: List<Text>,
    span_ids: List<Text>,
    attributes: List<Attributes>,
}

impl Row {
    /// Reads a column; returns whether it is one of those that are used.
    pub(super) fn column<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match name {
            "TraceId" => self.trace_id = map.next_value()?,
            "SpanId" => self.span_id = map.next_value()?,
            "ParentSpanId" => self.parent_span_id = map.next_value()?,
            "SpanName" | "Body" => self.text = map.next_value()?,
            "Timestamp" => self.timestamp = map.next_value()?,
            "Duration" => self.duration = map.next_value()?,
            "SpanKind" => self.span_kind = map.next_value()?,
            "ServiceName" => self.service_name = map.next_value()?,
            "StatusCode" => self.status_code = map.next_value()?,
            "StatusMessage" => self.status_message = map.next_value()?,
            "SeverityNumber" => self.severity_number = map.next_value()?,
            "SeverityText" => self.severity_text = map.next_value()?,
            "ScopeName" => self.scope_name = map.next_value()?,
            "EventName" => self.event_name = map.next_value()?,
            "SpanAttributes" | "LogAttributes" => self.attributes = map.next_value()?,
            "Events.Timestamp" => map.next_value_seed(Fill(&mut self.events.times))?,
            "Events.Name" => map.next_value_seed(Fill(&mut self.events.names))?,
            "Events.Attributes" => map.next_value_seed(Fill(&mut self.events.attributes))?,
            "Links.TraceId" => map.next_value_seed(Fill(&mut self.links.trace_ids))?,
            "Links.SpanId" => map.next_value_seed(Fill(&mut self.links.span_ids))?,
            "Links.Attributes" => map.next_value_seed(Fill(&mut self.links.attributes))?,
            _ => return Ok(false),
        }
        if !self.has(name) {
            self.columns.extend(OF_SPANS.iter().chain(&OF_RECORDS).find(|column| **column == name));
        }
        Ok(true)
    }

    /// Adds the span or record of a row that was read to its end. Returns whether it is one.
    pub(super) fn add_to(&mut self, place: &str, store: &mut Store) -> bool {
        let row = take(self);
        if row.has(OF_SPANS[0]) && row.has(OF_RECORDS[0]) {
            // Other columns are in both tables, and those of one would be taken for those of the other.
            store.notes.add(Cause::Unusable, || {
                format!(
                    "{place}: a row with both SpanName and Body, as of a JOIN, was skipped: select spans and \
                     log records apart"
                )
            });
        } else if row.has(OF_SPANS[0]) {
            row.note_missing(&OF_SPANS, "span", place, store);
            row.add_span(place, store);
        } else if row.has(OF_RECORDS[0]) {
            row.note_missing(&OF_RECORDS, "log record", place, store);
            row.add_record(place, store);
        } else {
            return false;
        }
        true
    }

    fn has(&self, column: &str) -> bool {
        self.columns.contains(&column)
    }

    /// Once for each source, not for each of its rows.
    fn note_missing(&self, needed: &[&str], what: &str, place: &str, store: &mut Store) {
        let missing: Vec<_> = needed.iter().copied().filter(|name| !self.has(name)).collect();
        if !missing.is_empty() {
            let source = place.rsplit_once(':').map_or(place, |(source, _)| source);
            let missing = missing.join(", ");
            let note = format!("{source}: rows lack these columns of a {what}: {missing}");
            store.notes.add_once(Cause::MissingColumns, note);
        }
    }

    fn add_span(self, place: &str, store: &mut Store) {
        let (events, links) = (self.events.into_events(), self.links.into_links());
        let Attributes(attributes) = self.attributes;
        let is_truncated = attributes.is_truncated || events.is_truncated || links.is_truncated;
        let start_unix_nano = self.timestamp.0;
        let span = RawSpan {
            trace_id: trace_id(&self.trace_id).unwrap_or(TraceId::INVALID),
            span_id: span_id(&self.span_id).unwrap_or(SpanId::INVALID),
            parent_id: span_id(&self.parent_span_id).unwrap_or(SpanId::INVALID),
            name: self.text.0,
            service: Some(self.service_name.0).filter(|name| !name.is_empty()),
            start_unix_nano,
            end_unix_nano: Some(start_unix_nano.wrapping_add(self.duration.0)),
            is_error: is_error(&self.status_code.0),
            message: self.status_message.0,
            kind: kind_of_number(span_kind(&self.span_kind.0)),
            attributes: attributes.pairs,
            events: events.items,
            links: links.items,
            ..RawSpan::default()
        };
        store.add_span(span, is_truncated, place);
    }

    fn add_record(self, place: &str, store: &mut Store) {
        let body = ValueText::string(self.text.0);
        let Attributes(attributes) = self.attributes;
        let record = LogRecord {
            trace_id: trace_id(&self.trace_id),
            span_id: span_id(&self.span_id),
            time_unix_nano: self.timestamp.0,
            level: RecordLevel::of_record(severity_number(&self.severity_number.0), &self.severity_text.0),
            target: self.scope_name.0,
            event_name: self.event_name.0,
            body: body.text,
            attributes: attributes.pairs,
        };
        store.add_record(record, body.is_truncated || attributes.is_truncated, place);
    }
}

impl Events {
    fn into_events(self) -> Limited<SpanEvent> {
        let count = self.times.items.len().max(self.names.items.len()).max(self.attributes.items.len());
        let is_truncated = self.times.is_truncated | self.names.is_truncated | self.attributes.is_truncated;
        let mut events = Limited::default();
        events.is_truncated = is_truncated;
        let names_and_times = self.names.padded().zip(self.times.padded());
        for ((name, time), Attributes(attributes)) in
            names_and_times.zip(self.attributes.padded()).take(count)
        {
            events.push_event(name.0, time.0, attributes);
        }
        events
    }
}

impl Links {
    fn into_links(self) -> Limited<SpanLink> {
        let count = self.trace_ids.items.len().max(self.span_ids.items.len());
        let is_truncated =
            self.trace_ids.is_truncated | self.span_ids.is_truncated | self.attributes.is_truncated;
        let mut links = Limited::default();
        links.is_truncated = is_truncated;
        let ids = self.trace_ids.padded().zip(self.span_ids.padded());
        for ((trace, span), Attributes(attributes)) in ids.zip(self.attributes.padded()).take(count) {
            let trace_id = trace_id(&trace).unwrap_or(TraceId::INVALID);
            links.push_link(trace_id, span_id(&span).unwrap_or(SpanId::INVALID), attributes);
        }
        links
    }
}

/// A column of the type `Array`. What exceeds its limit is dropped as it is read.
#[derive(Default)]
struct List<T> {
    items: Vec<T>,
    bytes: usize,
    is_truncated: bool,
}

impl<T: Default> List<T> {
    /// The lists of a row are equally long, unless a column is missing or was truncated.
    fn padded(self) -> impl Iterator<Item = T> {
        self.items.into_iter().chain(std::iter::repeat_with(T::default))
    }
}

impl<T: DeserializeOwned + Default + Bytes> Stream for List<T> {
    const EXPECTED: &'static str = "a list, as in a column of the type Array";

    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let Some(item) = list.next_element::<Option<T>>()? else { return Ok(false) };
        let item = item.unwrap_or_default();
        self.bytes += size_of::<T>() + item.bytes();
        if self.bytes <= MAX_BYTES_TOGETHER {
            self.items.push(item);
        } else {
            self.is_truncated = true;
        }
        Ok(true)
    }
}

/// The memory of an element besides its own size.
trait Bytes {
    fn bytes(&self) -> usize;
}

impl Bytes for Time {
    fn bytes(&self) -> usize {
        0
    }
}

impl Bytes for Text {
    fn bytes(&self) -> usize {
        self.0.len()
    }
}

impl Bytes for Attributes {
    fn bytes(&self) -> usize {
        bytes_of(&self.0.pairs)
    }
}

/// A column of the type `Map`.
#[derive(Default)]
struct Attributes(Values);

impl Stream for Attributes {
    const EXPECTED: &'static str = "an object, as in a column of the type Map";

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let MapText(text) = map.next_value()?;
        self.0.push(name.to_owned(), ValueText::string(text));
        Ok(true)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(Self::default(), deserializer)
    }
}

/// A value in a column of the type `Map`. A table with columns of the type `JSON` has other values,
/// and its keys are split at their dots: it is refused, as the keys could not be told.
struct MapText(String);

impl<'de> Deserialize<'de> for MapText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapTextVisitor;

        impl Visitor<'_> for MapTextVisitor {
            type Value = MapText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, as in a column of the type Map(String, String), not JSON")
            }

            fn visit_str<E>(self, text: &str) -> Result<MapText, E> {
                Ok(MapText(text.to_owned()))
            }
        }

        deserializer.deserialize_str(MapTextVisitor)
    }
}

/// A duration in nanoseconds. A negative one, of a clock that was set back, wraps around, as it does
/// in a column of the type `UInt64`; added to the start it gives the end.
#[derive(Default)]
struct Duration(u64);

from_text!(Duration);

impl TryFrom<Text> for Duration {
    type Error = String;

    fn try_from(Text(text): Text) -> Result<Self, String> {
        let nanos = text.parse().or_else(|_| text.parse::<i64>().map(|nanos| nanos as u64));
        match nanos {
            Ok(nanos) => Ok(Self(nanos)),
            Err(_) if text.is_empty() => Ok(Self(0)),
            Err(_) => Err(format!("invalid value: {text:?}, expected nanoseconds")),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]
mod tests {
    use serde::de::DeserializeSeed;

    use super::*;

    /// Guarantees: what exceeds the limit of a list is not even kept until the end of the row.
    #[test]
    fn a_list_is_bounded_while_it_is_read() {
        let json = serde_json::to_string(&vec!["x".repeat(1 << 20); 6]).unwrap();
        let mut list = List::<Text>::default();
        Fill(&mut list).deserialize(&mut serde_json::Deserializer::from_str(&json)).unwrap();
        assert_eq!((list.items.len(), list.is_truncated), (3, true));
    }
}
