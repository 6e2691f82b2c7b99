//! Events and links of a span.

use opentelemetry::{SpanId, TraceId};
use serde::de::{Deserialize, Deserializer, SeqAccess};

use super::id::{span_id, trace_id};
use super::scalars::{Nanos, Text};
use crate::graph::event::{Limited, SpanEvent, SpanLink};
use crate::graph::value::Values;
use crate::json_stream::{objects, read, Stream};

/// A list of events. What exceeds its limit is dropped as it is read.
#[derive(Default)]
pub(super) struct Events(pub(super) Limited<SpanEvent>);

/// A list of links, as [`Events`].
#[derive(Default)]
pub(super) struct Links(pub(super) Limited<SpanLink>);

#[derive(Default)]
struct Event {
    time_unix_nano: Nanos,
    name: Text,
    attributes: Values,
}

#[derive(Default)]
struct Link {
    trace_id: Text,
    span_id: Text,
    attributes: Values,
}

objects! {
    Event {
        "timeUnixNano" | "time_unix_nano" => time_unix_nano,
        "name" => name,
        "attributes" => attributes
    }
    Link {
        "traceId" | "trace_id" => trace_id,
        "spanId" | "span_id" => span_id,
        "attributes" => attributes
    }
}

impl Stream for Events {
    const EXPECTED: &'static str = "a list of objects";

    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let element = list.next_element::<Option<Event>>()?;
        let is_there = element.is_some();
        if let Some(event) = element.flatten() {
            self.0.push_event(event.name.0, event.time_unix_nano.0, event.attributes);
        }
        Ok(is_there)
    }
}

impl Stream for Links {
    const EXPECTED: &'static str = "a list of objects";

    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let element = list.next_element::<Option<Link>>()?;
        let is_there = element.is_some();
        if let Some(link) = element.flatten() {
            let trace_id = trace_id(&link.trace_id).unwrap_or(TraceId::INVALID);
            let span_id = span_id(&link.span_id).unwrap_or(SpanId::INVALID);
            self.0.push_link(trace_id, span_id, link.attributes);
        }
        Ok(is_there)
    }
}

impl<'de> Deserialize<'de> for Events {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(Self::default(), deserializer)
    }
}

impl<'de> Deserialize<'de> for Links {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(Self::default(), deserializer)
    }
}
