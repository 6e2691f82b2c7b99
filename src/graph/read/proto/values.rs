//! Parses the values of fields: texts, ids, enumerations and attributes.

use opentelemetry::{SpanId, TraceId};

use crate::graph::value::{ValueText, Values, MAX_DEPTH};
use crate::wire::read::{each, Malformed, Raw};

/// Adds the attribute that a field holds.
pub(super) fn pair(attributes: &mut Values, raw: Raw<'_>) -> Result<(), Malformed> {
    let (key, value) = key_value(raw.bytes()?, 0)?;
    attributes.push(key, value);
    Ok(())
}

/// A value that is nested in `depth` lists and maps. The recursion ends with [`MAX_DEPTH`].
pub(super) fn value(bytes: &[u8], depth: usize) -> Result<ValueText, Malformed> {
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

/// `None` unless it has 16 bytes, and for all zeros, OTLP's other way to say that there is no id.
pub(super) fn trace_id(raw: Raw<'_>) -> Result<Option<TraceId>, Malformed> {
    let id = <[u8; 16]>::try_from(raw.bytes()?).map(TraceId::from_bytes);
    Ok(id.ok().filter(|id| *id != TraceId::INVALID))
}

pub(super) fn span_id(raw: Raw<'_>) -> Result<Option<SpanId>, Malformed> {
    let id = <[u8; 8]>::try_from(raw.bytes()?).map(SpanId::from_bytes);
    Ok(id.ok().filter(|id| *id != SpanId::INVALID))
}

/// An enumeration is an `int32`, but a negative one is encoded in 64 bits.
pub(super) fn enumeration(raw: Raw<'_>) -> Result<i64, Malformed> {
    Ok(i64::from(raw.varint()? as i32))
}

/// Invalid UTF-8 is replaced.
pub(super) fn text(raw: Raw<'_>) -> Result<String, Malformed> {
    match raw.text() {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Ok(String::from_utf8_lossy(raw.bytes()?).into_owned()),
    }
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
