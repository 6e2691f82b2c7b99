//! Parses a span, a log record, a resource or a scope.

use opentelemetry::{SpanId, TraceId};

use crate::graph::call::{RawSpan, STATUS_CODE_ERROR};
use crate::graph::record::{first_known, Level, LogRecord};
use crate::graph::value::{ValueText, Values, MAX_DEPTH};
use crate::wire::read::{each, Malformed, Raw};

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
    let mut attributes = Values::default();
    each(bytes, |field, raw| {
        match field {
            1 => span.trace_id = trace_id(raw)?.unwrap_or(TraceId::INVALID),
            2 => span.span_id = span_id(raw)?.unwrap_or(SpanId::INVALID),
            4 => span.parent_id = span_id(raw)?.unwrap_or(SpanId::INVALID),
            5 => span.name = text(raw)?,
            7 => span.start_unix_nano = raw.fixed64()?,
            8 => span.end_unix_nano = Some(raw.fixed64()?),
            9 => pair(&mut attributes, raw)?,
            15 => (span.is_error, span.message) = status(raw.bytes()?)?,
            // Not kept, but a field of another wire type shows that this is not a span.
            3 | 11 | 13 => _ = raw.bytes()?,
            6 | 10 | 12 | 14 => _ = raw.varint()?,
            16 => _ = raw.fixed32()?,
            _ => {}
        }
        Ok(())
    })?;
    if span.trace_id == TraceId::INVALID || span.span_id == SpanId::INVALID {
        return Err(Malformed("a span has no valid ids"));
    }
    let is_truncated = attributes.is_truncated;
    span.attributes = attributes.pairs;
    Ok((span, is_truncated))
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
    record.level = Level::of_record(number, &severity_text);
    let is_truncated = body.is_truncated || attributes.is_truncated;
    record.body = body.text;
    record.attributes = attributes.pairs;
    Ok((record, is_truncated))
}

fn pair(attributes: &mut Values, raw: Raw<'_>) -> Result<(), Malformed> {
    let (key, value) = key_value(raw.bytes()?, 0)?;
    attributes.push(key, value);
    Ok(())
}

fn key_value(bytes: &[u8], depth: usize) -> Result<(String, ValueText), Malformed> {
    let (mut key, mut text_of_value) = (String::new(), ValueText::default());
    each(bytes, |field, raw| {
        match field {
            1 => key = text(raw)?,
            2 => text_of_value = value(raw.bytes()?, depth)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((key, text_of_value))
}

/// A value that is nested in `depth` lists and maps. The recursion ends with [`MAX_DEPTH`].
fn value(bytes: &[u8], depth: usize) -> Result<ValueText, Malformed> {
    let mut found = ValueText::default();
    each(bytes, |field, raw| {
        // The last one counts, as with any field that is repeated by mistake.
        found = match field {
            1 => ValueText::string(text(raw)?),
            2 => ValueText::literal(raw.varint()? != 0),
            // Negative numbers are in two's complement.
            3 => ValueText::literal(raw.varint()? as i64),
            4 => ValueText::double(f64::from_bits(raw.fixed64()?)),
            5 | 6 if depth == MAX_DEPTH => ValueText::too_deep(),
            5 => elements(raw, |bytes| Ok((String::new(), value(bytes, depth + 1)?)))?.into_list(),
            6 => elements(raw, |bytes| key_value(bytes, depth + 1))?.into_map(),
            7 => ValueText::bytes(raw.bytes()?),
            _ => return Ok(()),
        };
        Ok(())
    })?;
    Ok(found)
}

/// The elements of an `ArrayValue` or a `KeyValueList`.
fn elements<'a>(
    list: Raw<'a>,
    read: impl Fn(&'a [u8]) -> Result<(String, ValueText), Malformed>,
) -> Result<Values, Malformed> {
    let mut elements = Values::nested();
    each(list.bytes()?, |field, raw| {
        if field == 1 {
            let (key, value) = read(raw.bytes()?)?;
            elements.push(key, value);
        }
        Ok(())
    })?;
    Ok(elements)
}

/// `None` unless it has 16 bytes, and for all zeros, OTLP's other way to say that there is no id.
fn trace_id(raw: Raw<'_>) -> Result<Option<TraceId>, Malformed> {
    let id = <[u8; 16]>::try_from(raw.bytes()?).map(TraceId::from_bytes);
    Ok(id.ok().filter(|id| *id != TraceId::INVALID))
}

fn span_id(raw: Raw<'_>) -> Result<Option<SpanId>, Malformed> {
    let id = <[u8; 8]>::try_from(raw.bytes()?).map(SpanId::from_bytes);
    Ok(id.ok().filter(|id| *id != SpanId::INVALID))
}

/// An enumeration is an `int32`, but a negative one is encoded in 64 bits.
fn enumeration(raw: Raw<'_>) -> Result<i64, Malformed> {
    Ok(i64::from(raw.varint()? as i32))
}

/// Invalid UTF-8 is replaced.
fn text(raw: Raw<'_>) -> Result<String, Malformed> {
    match raw.text() {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Ok(String::from_utf8_lossy(raw.bytes()?).into_owned()),
    }
}
