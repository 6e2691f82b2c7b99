//! Parses a span, a log record, a resource or a scope.

use opentelemetry::{SpanId, TraceId};

use super::values::{enumeration, pair, span_id, text, trace_id, value};
use crate::graph::call::{kind_of_number, RawSpan, STATUS_CODE_ERROR};
use crate::graph::event::{Limited, SpanEvent, SpanLink};
use crate::graph::record::{first_known, LogRecord, RecordLevel};
use crate::graph::value::{ValueText, Values};
use crate::wire::read::{each, Malformed};

/// `service.name` of a resource.
pub(super) fn service(resource: &[u8]) -> Result<Option<String>, Malformed> {
    let mut attributes = Values::default();
    each(resource, |field, raw| match field {
        1 => pair(&mut attributes, raw),
        _ => Ok(()),
    })?;
    Ok(attributes.find("service.name").map(str::to_owned))
}

pub(super) fn scope_name(scope: &[u8]) -> Result<String, Malformed> {
    let mut name = String::new();
    each(scope, |field, raw| {
        if field == 1 {
            name = text(raw)?;
        }
        Ok(())
    })?;
    Ok(name)
}

/// A span, and whether it was truncated.
pub(super) fn span(bytes: &[u8]) -> Result<(RawSpan, bool), Malformed> {
    let mut span = RawSpan::default();
    let (mut attributes, mut events, mut links) = (Values::default(), Limited::default(), Limited::default());
    each(bytes, |field, raw| {
        match field {
            1 => span.trace_id = trace_id(raw)?.unwrap_or(TraceId::INVALID),
            2 => span.span_id = span_id(raw)?.unwrap_or(SpanId::INVALID),
            4 => span.parent_id = span_id(raw)?.unwrap_or(SpanId::INVALID),
            5 => span.name = text(raw)?,
            6 => span.kind = kind_of_number(enumeration(raw)?),
            7 => span.start_unix_nano = raw.fixed64()?,
            8 => span.end_unix_nano = Some(raw.fixed64()?),
            9 => pair(&mut attributes, raw)?,
            11 => event(&mut events, raw.bytes()?)?,
            13 => link(&mut links, raw.bytes()?)?,
            15 => (span.is_error, span.message) = status(raw.bytes()?)?,
            // Not kept, but a field of another wire type shows that this is not a span.
            3 => _ = raw.bytes()?,
            10 | 12 | 14 => _ = raw.varint()?,
            16 => _ = raw.fixed32()?,
            _ => {}
        }
        Ok(())
    })?;
    if span.trace_id == TraceId::INVALID || span.span_id == SpanId::INVALID {
        return Err(Malformed("a span has no valid ids"));
    }
    let is_truncated = attributes.is_truncated || events.is_truncated || links.is_truncated;
    (span.attributes, span.events, span.links) = (attributes.pairs, events.items, links.items);
    Ok((span, is_truncated))
}

fn event(events: &mut Limited<SpanEvent>, bytes: &[u8]) -> Result<(), Malformed> {
    let (mut time_unix_nano, mut name, mut attributes) = (0, String::new(), Values::default());
    each(bytes, |field, raw| {
        match field {
            1 => time_unix_nano = raw.fixed64()?,
            2 => name = text(raw)?,
            3 => pair(&mut attributes, raw)?,
            _ => {}
        }
        Ok(())
    })?;
    events.push_event(name, time_unix_nano, attributes);
    Ok(())
}

fn link(links: &mut Limited<SpanLink>, bytes: &[u8]) -> Result<(), Malformed> {
    let (mut trace, mut span, mut attributes) = (None, None, Values::default());
    each(bytes, |field, raw| {
        match field {
            1 => trace = trace_id(raw)?,
            2 => span = span_id(raw)?,
            4 => pair(&mut attributes, raw)?,
            _ => {}
        }
        Ok(())
    })?;
    links.push_link(trace.unwrap_or(TraceId::INVALID), span.unwrap_or(SpanId::INVALID), attributes);
    Ok(())
}

fn status(bytes: &[u8]) -> Result<(bool, String), Malformed> {
    let (mut code, mut message) = (0, String::new());
    each(bytes, |field, raw| {
        match field {
            2 => message = text(raw)?,
            3 => code = enumeration(raw)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((code == STATUS_CODE_ERROR, message))
}

/// A log record, and whether it was truncated.
pub(super) fn record(bytes: &[u8]) -> Result<(LogRecord, bool), Malformed> {
    let mut record = LogRecord::default();
    let (mut number, mut severity_text, mut observed) = (0, String::new(), 0);
    let (mut body, mut attributes) = (ValueText::default(), Values::default());
    each(bytes, |field, raw| {
        match field {
            1 => record.time_unix_nano = raw.fixed64()?,
            2 => number = enumeration(raw)?,
            3 => severity_text = text(raw)?,
            5 => body = value(raw.bytes()?, 0)?,
            6 => pair(&mut attributes, raw)?,
            7 => _ = raw.varint()?,
            8 => _ = raw.fixed32()?,
            9 => record.trace_id = trace_id(raw)?,
            10 => record.span_id = span_id(raw)?,
            11 => observed = raw.fixed64()?,
            12 => record.event_name = text(raw)?,
            _ => {}
        }
        Ok(())
    })?;
    record.time_unix_nano = first_known(record.time_unix_nano, observed);
    record.level = RecordLevel::of_record(number, &severity_text);
    let is_truncated = body.is_truncated || attributes.is_truncated;
    record.body = body.text;
    record.attributes = attributes.pairs;
    Ok((record, is_truncated))
}
