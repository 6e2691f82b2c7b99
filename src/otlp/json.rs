//! OTLP requests as [OTLP's JSON], transcoded from the bytes of their protobuf form.
//!
//! The crate has one encoder of log records, and it writes protobuf. JSON is made of what it wrote,
//! without message types in between, for transports that send JSON or write it to files.
//!
//! Names are lowerCamelCase, ids lower-case hex, 64-bit integers strings, enumerations integers,
//! bytes base64; fields with their default value are left out. If a singular field occurs twice,
//! the last one counts; protobuf would merge messages, but no encoder writes such.
//!
//! [OTLP's JSON]: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

mod messages;
mod text;
#[cfg(all(test, feature = "json-lines"))]
mod tests;

use crate::otlp::json::messages::{Field, Kind, KEY_VALUE, LOGS_REQUEST, MAX_FIELD, TRACE_REQUEST};
use crate::otlp::json::text::Text;
use crate::otlp::signal::Signal;
use crate::wire::read::{each, Malformed, Raw};

/// How deep values may be nested in lists and maps.
///
/// Every level takes a few hundred bytes of stack. Receivers stop earlier: prost accepts 100 nested
/// messages, which are 47 lists or 31 maps.
const NESTING_LIMIT: usize = 64;

/// The encoded `ExportLogsServiceRequest` or `ExportTraceServiceRequest` `request` as one line of
/// JSON, without a line break.
///
/// # Errors
///
/// If `request` is not such a message, or its values are nested deeper than 64 levels.
pub(crate) fn request_to_json(signal: Signal, request: &[u8]) -> Result<String, Malformed> {
    let fields = match signal {
        Signal::Logs => LOGS_REQUEST,
        Signal::Traces => TRACE_REQUEST,
    };
    transcode(request, fields)
}

fn transcode(request: &[u8], fields: &[Field]) -> Result<String, Malformed> {
    // Names take more bytes than field numbers: typical requests come to twice their size.
    let mut text = Text::with_capacity(request.len() * 2 + 64);
    object(&mut text, request, fields, 0)?;
    Ok(text.finish())
}

/// A message as an object with the members that `fields` names, in that order.
fn object(text: &mut Text, message: &[u8], fields: &[Field], nesting: usize) -> Result<(), Malformed> {
    let mut last: [Option<Raw<'_>>; MAX_FIELD + 1] = [None; MAX_FIELD + 1];
    each(message, |number, raw| {
        if let Some(last) = usize::try_from(number).ok().and_then(|number| last.get_mut(number)) {
            *last = Some(raw);
        }
        Ok(())
    })?;
    text.open('{');
    for Field { number, name, kind } in fields {
        match (last[*number], kind) {
            (Some(_), Kind::List(of)) => {
                list(text, name, message, *number, |text, item| object(text, item, of, nesting))?;
            }
            (Some(raw), kind) => member(text, name, raw, kind, nesting)?,
            // There are readers that reject an attribute without a key.
            (None, Kind::Key) => string(text, name, ""),
            (None, _) => {}
        }
    }
    text.close('}');
    Ok(())
}

fn member(
    text: &mut Text,
    name: &'static str,
    raw: Raw<'_>,
    kind: &Kind,
    nesting: usize,
) -> Result<(), Malformed> {
    match kind {
        Kind::Text | Kind::Key => {
            let value = raw.text()?;
            if !value.is_empty() || matches!(kind, Kind::Key) {
                string(text, name, value);
            }
        }
        Kind::Count => number(text, name, i64::from(raw.varint()? as u32)),
        Kind::Enumeration => number(text, name, i64::from(raw.varint()? as i32)),
        Kind::Fixed32 => number(text, name, i64::from(raw.fixed32()?)),
        Kind::UnixNanos => {
            let unix_nanos = raw.fixed64()?;
            if unix_nanos != 0 {
                text.name(name);
                text.quoted(unix_nanos);
            }
        }
        Kind::Id => {
            let id = raw.bytes()?;
            // All zeros are OTLP's other way to say that there is no id.
            if id.iter().any(|byte| *byte != 0) {
                text.name(name);
                text.hex(id);
            }
        }
        Kind::Value => {
            let value = raw.bytes()?;
            text.name(name);
            any_value(text, value, nesting)?;
        }
        Kind::Message(fields) => {
            let message = raw.bytes()?;
            text.name(name);
            object(text, message, fields, nesting)?;
        }
        Kind::List(_) => {}
    }
    Ok(())
}

/// A repeated field of messages, each written by `item`. Left out if there are none.
///
/// The message is read once more: elements may stand between other fields, and skipping a field
/// takes a few instructions.
fn list(
    text: &mut Text,
    name: &'static str,
    message: &[u8],
    number: usize,
    item: impl Fn(&mut Text, &[u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut is_open = false;
    each(message, |field, raw| {
        if field != number as u64 {
            return Ok(());
        }
        if !is_open {
            is_open = true;
            text.name(name);
            text.open('[');
        }
        item(text, raw.bytes()?)
    })?;
    if is_open {
        text.close(']');
    }
    Ok(())
}

/// An `AnyValue`. A default value is written, too, as the member's name is the variant.
fn any_value(text: &mut Text, message: &[u8], nesting: usize) -> Result<(), Malformed> {
    if nesting > NESTING_LIMIT {
        return Err(Malformed("values are nested more than 64 levels deep"));
    }
    let mut variant = None;
    each(message, |field, raw| {
        if (1..=7).contains(&field) {
            variant = Some((field, raw));
        }
        Ok(())
    })?;
    text.open('{');
    match variant {
        Some((1, raw)) => string(text, "stringValue", raw.text()?),
        Some((2, raw)) => {
            let value = raw.varint()?;
            text.name("boolValue");
            text.boolean(value != 0);
        }
        Some((3, raw)) => {
            let value = raw.varint()?;
            text.name("intValue");
            text.quoted(value as i64);
        }
        Some((4, raw)) => {
            let value = f64::from_bits(raw.fixed64()?);
            text.name("doubleValue");
            text.double(value);
        }
        Some((field @ (5 | 6), raw)) => {
            let values = raw.bytes()?;
            text.name(if field == 5 { "arrayValue" } else { "kvlistValue" });
            text.open('{');
            list(text, "values", values, 1, |text, item| match field {
                5 => any_value(text, item, nesting + 1),
                _ => object(text, item, KEY_VALUE, nesting + 1),
            })?;
            text.close('}');
        }
        Some((_, raw)) => {
            let value = raw.bytes()?;
            text.name("bytesValue");
            text.base64(value);
        }
        None => {}
    }
    text.close('}');
    Ok(())
}

fn string(text: &mut Text, name: &'static str, value: &str) {
    text.name(name);
    text.string(value);
}

fn number(text: &mut Text, name: &'static str, value: i64) {
    if value != 0 {
        text.name(name);
        text.number(value);
    }
}
