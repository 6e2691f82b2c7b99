//! Requests as OTLP JSON, from the bytes of their protobuf form.
//!
//! Beside the walk: for transports that send JSON or write it to files. There is one encoder of
//! records, which writes protobuf; what it wrote is transcoded here, without messages in between.
//!
//! Names are lowerCamelCase, ids lower-case hex, 64-bit integers strings, enumerations integers, bytes
//! base64; what has its default value is left out, as [OTLP's JSON] has it. Of a field that stands
//! twice the last one counts; protobuf would merge messages, but no encoder writes such.
//!
//! [OTLP's JSON]: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

mod text;
#[cfg(all(test, feature = "json-lines"))]
mod tests;

use crate::otlp::json::text::Text;
use crate::wire::read::{Fields, Malformed, Raw};

type Written = Result<(), Malformed>;

/// How deep values may stand in lists and maps.
///
/// Every level takes a few hundred bytes of stack. Receivers stop earlier: prost takes 100 nested
/// messages, which are 47 lists or 31 maps.
const NESTING_LIMIT: usize = 64;

/// The encoded `ExportLogsServiceRequest` `request` as one line of JSON, without a line break.
///
/// # Errors
///
/// If `request` is no such message, or its values stand deeper in each other than 64 levels.
pub(crate) fn request_to_json(request: &[u8]) -> Result<String, Malformed> {
    // Names take more room than numbers of fields: twice the size is what typical requests come to.
    let mut text = Text::with_capacity(request.len() * 2 + 64);
    text.open('{');
    list(&mut text, "resourceLogs", request, 1, resource_logs)?;
    text.close('}');
    Ok(text.done())
}

fn resource_logs(text: &mut Text, message: &[u8]) -> Written {
    group(text, message, ("resource", resource), ("scopeLogs", scope_logs))
}

fn scope_logs(text: &mut Text, message: &[u8]) -> Written {
    group(text, message, ("scope", scope), ("logRecords", log_record))
}

/// What both levels of grouping are: what is said once for the items, the items, and a URL.
fn group(text: &mut Text, message: &[u8], head: Named, items: Named) -> Written {
    let (mut head_message, mut schema_url) = (None, "");
    each(message, |field, raw| {
        match field {
            1 => head_message = Some(raw.bytes()?),
            3 => schema_url = raw.text()?,
            _ => {}
        }
        Ok(())
    })?;
    if let Some(message) = head_message {
        text.name(head.0);
        head.1(text, message)?;
    }
    list(text, items.0, message, 2, items.1)?;
    string(text, "schemaUrl", schema_url);
    Ok(())
}

/// A member's name, and what writes it.
type Named = (&'static str, fn(&mut Text, &[u8]) -> Written);

fn resource(text: &mut Text, message: &[u8]) -> Written {
    let mut dropped = 0;
    each(message, |field, raw| {
        if field == 2 {
            dropped = raw.varint()? as u32;
        }
        Ok(())
    })?;
    text.open('{');
    list(text, "attributes", message, 1, attribute)?;
    number(text, "droppedAttributesCount", dropped);
    text.close('}');
    Ok(())
}

fn scope(text: &mut Text, message: &[u8]) -> Written {
    let (mut name, mut version, mut dropped) = ("", "", 0);
    each(message, |field, raw| {
        match field {
            1 => name = raw.text()?,
            2 => version = raw.text()?,
            4 => dropped = raw.varint()? as u32,
            _ => {}
        }
        Ok(())
    })?;
    text.open('{');
    string(text, "name", name);
    string(text, "version", version);
    list(text, "attributes", message, 3, attribute)?;
    number(text, "droppedAttributesCount", dropped);
    text.close('}');
    Ok(())
}

fn log_record(text: &mut Text, message: &[u8]) -> Written {
    let (mut time, mut observed) = (0, 0);
    let (mut severity, mut severity_text, mut event_name) = (0, "", "");
    let mut body = None;
    let (mut dropped, mut flags) = (0, 0);
    let (mut trace_id, mut span_id): (&[u8], &[u8]) = (&[], &[]);
    each(message, |field, raw| {
        match field {
            1 => time = raw.fixed64()?,
            2 => severity = raw.varint()? as i32,
            3 => severity_text = raw.text()?,
            5 => body = Some(raw.bytes()?),
            7 => dropped = raw.varint()? as u32,
            8 => flags = raw.fixed32()?,
            9 => trace_id = raw.bytes()?,
            10 => span_id = raw.bytes()?,
            11 => observed = raw.fixed64()?,
            12 => event_name = raw.text()?,
            _ => {}
        }
        Ok(())
    })?;
    nanos(text, "timeUnixNano", time);
    nanos(text, "observedTimeUnixNano", observed);
    number(text, "severityNumber", severity);
    string(text, "severityText", severity_text);
    if let Some(body) = body {
        text.name("body");
        any_value(text, body, 0)?;
    }
    list(text, "attributes", message, 6, attribute)?;
    number(text, "droppedAttributesCount", dropped);
    number(text, "flags", flags);
    id(text, "traceId", trace_id);
    id(text, "spanId", span_id);
    string(text, "eventName", event_name);
    Ok(())
}

fn attribute(text: &mut Text, message: &[u8]) -> Written {
    key_value(text, message, 0)
}

fn key_value(text: &mut Text, message: &[u8], nesting: usize) -> Written {
    let (mut key, mut value) = ("", None);
    each(message, |field, raw| {
        match field {
            1 => key = raw.text()?,
            2 => value = Some(raw.bytes()?),
            _ => {}
        }
        Ok(())
    })?;
    // Also an empty one: there are readers that take no pair without a key.
    text.name("key");
    text.string(key);
    if let Some(value) = value {
        text.name("value");
        any_value(text, value, nesting)?;
    }
    Ok(())
}

/// An `AnyValue`. Which variant it is says what it is, so that its default value is written too.
fn any_value(text: &mut Text, message: &[u8], nesting: usize) -> Written {
    if nesting > NESTING_LIMIT {
        return Err(Malformed("values stand in each other more than 64 levels deep"));
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
        Some((1, raw)) => {
            let value = raw.text()?;
            text.name("stringValue");
            text.string(value);
        }
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
            match field {
                5 => list_with(text, "values", values, 1, |text, value| any_value(text, value, nesting + 1)),
                _ => list(text, "values", values, 1, |text, pair| key_value(text, pair, nesting + 1)),
            }?;
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

/// Reads the fields of a message, all of them, so that a malformed one is found wherever it stands.
#[inline]
fn each<'a>(message: &'a [u8], mut take: impl FnMut(u64, Raw<'a>) -> Written) -> Written {
    let mut fields = Fields::of(message);
    while let Some((field, raw)) = fields.next()? {
        take(field, raw)?;
    }
    Ok(())
}

/// A repeated field of messages, whose members `of_one` writes.
#[inline]
fn list(
    text: &mut Text,
    name: &'static str,
    message: &[u8],
    number: u64,
    of_one: impl Fn(&mut Text, &[u8]) -> Written,
) -> Written {
    list_with(text, name, message, number, |text, message| {
        text.open('{');
        of_one(text, message)?;
        text.close('}');
        Ok(())
    })
}

/// A repeated field of messages, which `of_one` writes whole. Left out where there are none.
///
/// The message is gone through once more: its elements may stand between other fields, and to skip a
/// field takes a few instructions.
#[inline]
fn list_with(
    text: &mut Text,
    name: &'static str,
    message: &[u8],
    number: u64,
    of_one: impl Fn(&mut Text, &[u8]) -> Written,
) -> Written {
    let mut is_open = false;
    each(message, |field, raw| {
        if field != number {
            return Ok(());
        }
        if !is_open {
            is_open = true;
            text.name(name);
            text.open('[');
        }
        of_one(text, raw.bytes()?)
    })?;
    if is_open {
        text.close(']');
    }
    Ok(())
}

fn string(text: &mut Text, name: &'static str, value: &str) {
    if !value.is_empty() {
        text.name(name);
        text.string(value);
    }
}

fn number(text: &mut Text, name: &'static str, value: impl itoa::Integer + Default + PartialEq) {
    if value != Default::default() {
        text.name(name);
        text.number(value);
    }
}

fn nanos(text: &mut Text, name: &'static str, unix_nanos: u64) {
    if unix_nanos != 0 {
        text.name(name);
        text.quoted(unix_nanos);
    }
}

/// All zeros are OTLP's other way to say that there is no id.
fn id(text: &mut Text, name: &'static str, bytes: &[u8]) {
    if bytes.iter().any(|byte| *byte != 0) {
        text.name(name);
        text.hex(bytes);
    }
}
