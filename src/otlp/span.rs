//! Finished spans, encoded as OTLP where they end.
//!
//! The fields of `Span` are written in the order of their numbers, so that the bytes equal those
//! that prost writes of what opentelemetry-proto makes of the same span.

pub(crate) mod processor;
pub(crate) mod scope;
#[cfg(all(test, not(loom), feature = "json-lines"))]
pub(crate) mod tests;

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status};
use opentelemetry::{KeyValue, Value as OtelValue};
use opentelemetry_sdk::trace::SpanData;

use crate::value::{any_value, Value};
use crate::wire::put::{
    put_bytes, put_fixed64, put_pair, put_uint, tag, varint_len, FIXED32, FIXED64, LENGTH, VARINT,
};
use crate::wire::read::{each, Raw};

/// The field numbers of `opentelemetry.proto.trace.v1.Span`.
mod field {
    pub(super) const TRACE_ID: u8 = 1;
    pub(super) const SPAN_ID: u8 = 2;
    pub(super) const TRACE_STATE: u8 = 3;
    pub(super) const PARENT_SPAN_ID: u8 = 4;
    pub(super) const NAME: u8 = 5;
    pub(super) const KIND: u8 = 6;
    pub(super) const START_TIME: u8 = 7;
    pub(super) const END_TIME: u8 = 8;
    pub(super) const ATTRIBUTES: u8 = 9;
    pub(super) const DROPPED_ATTRIBUTES: u8 = 10;
    pub(super) const EVENTS: u8 = 11;
    pub(super) const DROPPED_EVENTS: u8 = 12;
    pub(super) const LINKS: u8 = 13;
    pub(super) const DROPPED_LINKS: u8 = 14;
    pub(super) const STATUS: u8 = 15;
    /// The tag of field 16, a fixed 32-bit number, which takes two bytes.
    pub(super) const FLAGS_TAG: [u8; 2] = [0x85, 0x01];
}

/// In `flags`: whether the parent is remote is known, and is so.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Writes a `Span` message.
pub(crate) fn put_span(out: &mut Vec<u8>, span: &SpanData) {
    let mut ids = [0; 28];
    ids[..2].copy_from_slice(&[tag(field::TRACE_ID, LENGTH), 16]);
    ids[2..18].copy_from_slice(&span.span_context.trace_id().to_bytes());
    ids[18..20].copy_from_slice(&[tag(field::SPAN_ID, LENGTH), 8]);
    ids[20..].copy_from_slice(&span.span_context.span_id().to_bytes());
    out.extend_from_slice(&ids);
    put_text(out, field::TRACE_STATE, &span.span_context.trace_state().header());
    if span.parent_span_id != SpanId::INVALID {
        put_bytes(out, field::PARENT_SPAN_ID, &span.parent_span_id.to_bytes());
    }
    put_text(out, field::NAME, &span.name);
    put_uint(out, field::KIND, kind(&span.span_kind));
    put_time(out, field::START_TIME, span.start_time);
    put_time(out, field::END_TIME, span.end_time);
    put_attributes(out, field::ATTRIBUTES, &span.attributes);
    put_count(out, field::DROPPED_ATTRIBUTES, span.dropped_attributes_count);
    for event in span.events.iter() {
        put_nested(out, field::EVENTS, |out| put_event(out, event));
    }
    put_count(out, field::DROPPED_EVENTS, span.events.dropped_count);
    for link in span.links.iter() {
        put_nested(out, field::LINKS, |out| put_link(out, link));
    }
    put_count(out, field::DROPPED_LINKS, span.links.dropped_count);
    put_nested(out, field::STATUS, |out| put_status(out, &span.status));
    out.extend_from_slice(&field::FLAGS_TAG);
    out.extend_from_slice(&flags(span.parent_span_is_remote, &span.span_context).to_le_bytes());
}

/// An encoded span that had not ended when its process did, as it is sent: with an end, `last_alive`, or its start
/// if that is later. With its header.
pub(crate) fn interrupted(span: &[u8], last_alive: Option<SystemTime>) -> Vec<u8> {
    let since = last_alive.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let mut end = since.as_nanos() as u64;
    let _ = each(span, |number, raw| {
        if let (7, Raw::Fixed64(start)) = (number, raw) {
            end = end.max(start);
        }
        Ok(())
    });
    let mut whole = span.to_vec();
    put_fixed64(&mut whole, field::END_TIME, end);
    put_attributes(&mut whole, field::ATTRIBUTES, &[KeyValue::new("op.outcome", "interrupted")]);
    let status = Status::error("interrupted: its process ended before it did");
    put_nested(&mut whole, field::STATUS, |out| put_status(out, &status));
    let mut framed = Vec::new();
    put_bytes(&mut framed, 2, &whole);
    framed
}

/// The id of an encoded span.
pub(crate) fn id_of(span: &[u8]) -> Option<SpanId> {
    let mut id = None;
    let read = each(span, |number, raw| {
        if number == u64::from(field::SPAN_ID) {
            id = raw.bytes()?.try_into().ok().map(SpanId::from_bytes);
        }
        Ok(())
    });
    read.ok().and(id)
}

fn put_event(out: &mut Vec<u8>, event: &Event) {
    put_time(out, 1, event.timestamp);
    put_text(out, 2, &event.name);
    put_attributes(out, 3, &event.attributes);
    put_count(out, 4, event.dropped_attributes_count);
}

fn put_link(out: &mut Vec<u8>, link: &Link) {
    put_bytes(out, 1, &link.span_context.trace_id().to_bytes());
    put_bytes(out, 2, &link.span_context.span_id().to_bytes());
    put_text(out, 3, &link.span_context.trace_state().header());
    put_attributes(out, 4, &link.attributes);
    put_count(out, 5, link.dropped_attributes_count);
    out.push(tag(6, FIXED32));
    out.extend_from_slice(&flags(link.span_context.is_remote(), &link.span_context).to_le_bytes());
}

fn put_status(out: &mut Vec<u8>, status: &Status) {
    match status {
        Status::Unset => {}
        Status::Ok => put_uint(out, 3, 1),
        Status::Error { description } => {
            put_text(out, 2, description);
            put_uint(out, 3, 2);
        }
    }
}

fn kind(kind: &SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn flags(is_remote: bool, span: &SpanContext) -> u32 {
    let remote = if is_remote { HAS_IS_REMOTE | IS_REMOTE } else { HAS_IS_REMOTE };
    u32::from(span.trace_flags().to_u8()) | remote
}

/// A text. Proto3 leaves out an empty one.
pub(super) fn put_text(out: &mut Vec<u8>, field: u8, text: &str) {
    if !text.is_empty() {
        put_bytes(out, field, text.as_bytes());
    }
}

fn put_count(out: &mut Vec<u8>, field: u8, count: u32) {
    if count > 0 {
        put_uint(out, field, u64::from(count));
    }
}

/// A time. One before 1970 becomes 0, which is left out.
pub(super) fn put_time(out: &mut Vec<u8>, field: u8, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_nanos = since.as_nanos() as u64;
    if unix_nanos > 0 {
        put_fixed64(out, field, unix_nanos);
    }
}

pub(super) fn put_attributes<'a>(
    out: &mut Vec<u8>,
    field: u8,
    attributes: impl IntoIterator<Item = &'a KeyValue>,
) {
    for KeyValue { key, value, .. } in attributes {
        let key = key.as_str();
        if put_short(out, field, key, value) {
            continue;
        }
        match value {
            OtelValue::Bool(value) => put_pair(out, field, key, &Value::Bool(*value)),
            OtelValue::I64(value) => put_pair(out, field, key, &Value::I64(*value)),
            OtelValue::F64(value) => put_pair(out, field, key, &Value::F64(*value)),
            OtelValue::String(value) => put_pair(out, field, key, &Value::Str(value.as_str())),
            other => put_pair(out, field, key, &Value::Any(&any_value(other.clone()))),
        }
    }
}

/// Writes an attribute whose lengths take one byte each, as most do. False, and nothing written, if
/// they do not.
#[inline]
fn put_short(out: &mut Vec<u8>, field: u8, key: &str, value: &OtelValue) -> bool {
    // A scalar, with the tag of its kind.
    let mut scalar = [0; 11];
    let (scalar, text): (&[u8], &str) = match value {
        OtelValue::String(text) => (&[], text.as_str()),
        OtelValue::Bool(value) => {
            scalar[..2].copy_from_slice(&[tag(2, VARINT), u8::from(*value)]);
            (&scalar[..2], "")
        }
        OtelValue::I64(value) => {
            scalar[0] = tag(3, VARINT);
            let (mut left, mut len) = (*value as u64, 1);
            while left >= 0x80 {
                scalar[len] = left as u8 | 0x80;
                (left, len) = (left >> 7, len + 1);
            }
            scalar[len] = left as u8;
            (&scalar[..=len], "")
        }
        OtelValue::F64(value) => {
            scalar[0] = tag(4, FIXED64);
            scalar[1..9].copy_from_slice(&value.to_bits().to_le_bytes());
            (&scalar[..9], "")
        }
        _ => return false,
    };
    let (key_len, value_len) = (key.len(), scalar.len() + text.len());
    if key.is_empty() || key_len + value_len > 100 {
        return false;
    }
    let (key_len, value_len) = (key_len as u8, value_len as u8);
    if scalar.is_empty() {
        out.extend_from_slice(&[tag(field, LENGTH), key_len + value_len + 6, tag(1, LENGTH), key_len]);
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(&[tag(2, LENGTH), value_len + 2, tag(1, LENGTH), value_len]);
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend_from_slice(&[tag(field, LENGTH), key_len + value_len + 4, tag(1, LENGTH), key_len]);
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(&[tag(2, LENGTH), value_len]);
        out.extend_from_slice(scalar);
    }
    true
}

/// Writes a message whose length is not known before.
pub(super) fn put_nested(out: &mut Vec<u8>, field: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag(field, LENGTH), 0]);
    let start = out.len();
    write(out);
    let mut len = out.len() - start;
    if len < 0x80 {
        out[start - 1] = len as u8;
        return;
    }
    // The length takes more than the one byte that was left for it.
    let mut varint = [0; 10];
    let used = varint_len(len as u64);
    for byte in &mut varint[..used] {
        *byte = len as u8 | 0x80;
        len >>= 7;
    }
    varint[used - 1] &= 0x7f;
    out.splice(start - 1..start, varint[..used].iter().copied());
}
