//! The two messages that answers consist of, read from protobuf.
//!
//! A message that breaks off or contradicts itself is none at all: half of a count is a wrong count.

use super::Said;

/// Of an `ExportLogsServiceResponse`: what is in its `partial_success`.
pub(super) fn partial_success(message: &[u8]) -> Option<Said> {
    let mut said = Said::default();
    for field in fields(message) {
        let (1, Value::Bytes(partial)) = field? else { continue };
        for field in fields(partial) {
            match field? {
                (1, Value::Number(rejected)) => said.rejected = rejected as i64,
                (2, Value::Bytes(text)) => said.message = std::str::from_utf8(text).ok()?.to_owned(),
                _ => {}
            }
        }
    }
    Some(said)
}

/// Of a `google.rpc.Status`: its message, unless it is empty.
pub(super) fn status(message: &[u8]) -> Option<String> {
    let mut said = None;
    for field in fields(message) {
        if let (2, Value::Bytes(text)) = field? {
            said = Some(std::str::from_utf8(text).ok()?.to_owned());
        }
    }
    said.filter(|said| !said.is_empty())
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a fixed width. No field that is asked for has one.
    Fixed,
}

/// The fields of a message, and `None` in the place of one that cannot be read.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Option<(u64, Value<'_>)>> {
    let mut is_broken = false;
    std::iter::from_fn(move || {
        if bytes.is_empty() || is_broken {
            return None;
        }
        let field = field(&mut bytes);
        is_broken = field.is_none();
        Some(field)
    })
}

fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let tag = varint(bytes)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(bytes)?),
        1 => take(bytes, 8).map(|_| Value::Fixed)?,
        2 => {
            let len = usize::try_from(varint(bytes)?).ok()?;
            Value::Bytes(take(bytes, len)?)
        }
        5 => take(bytes, 4).map(|_| Value::Fixed)?,
        // Groups are older than OTLP.
        _ => return None,
    };
    match tag >> 3 {
        0 => None,
        number => Some((number, value)),
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    // Ten times seven bits hold any u64.
    for place in 0..10 {
        let byte = take(bytes, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        if place == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * place);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
