//! Writing protobuf's [wire format][encoding]: the primitives that OTLP logs need.
//!
//! Varints are minimal, so that the bytes are those that prost writes, and can be compared with
//! them.
//!
//! [encoding]: https://protobuf.dev/programming-guides/encoding/

use opentelemetry::logs::AnyValue;

use crate::value::Value;

pub(crate) const VARINT: u8 = 0;

pub(crate) const FIXED64: u8 = 1;

pub(crate) const LENGTH: u8 = 2;

pub(crate) const FIXED32: u8 = 5;

/// The tag of a field. It takes one byte, as all field numbers of OTLP logs are below 16.
pub(crate) const fn tag(field: u8, kind: u8) -> u8 {
    field << 3 | kind
}

/// The length of a varint.
#[inline]
pub(crate) const fn varint_len(value: u64) -> usize {
    // Seven bits a byte; zero takes one.
    ((63 - (value | 1).leading_zeros()) / 7 + 1) as usize
}

#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn put_fixed64(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(tag(field, FIXED64));
    out.extend_from_slice(&value.to_le_bytes());
}

#[inline]
pub(crate) fn put_uint(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(tag(field, VARINT));
    put_varint(out, value);
}

/// A string, bytes, or a message that is encoded already.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    put_header(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// Tag and length of a message of `len` bytes, which the caller writes next.
#[inline]
pub(crate) fn put_header(out: &mut Vec<u8>, field: u8, len: usize) {
    out.push(tag(field, LENGTH));
    put_varint(out, len as u64);
}

/// The length of a length-delimited field with its header.
#[inline]
pub(crate) const fn field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// The length of a value as an `AnyValue` message.
#[inline]
pub(crate) fn value_len(value: &Value<'_>) -> usize {
    match value {
        Value::Bool(_) => 2,
        Value::I64(value) => 1 + varint_len(*value as u64),
        Value::F64(_) => 9,
        Value::Str(text) => field_len(text.len()),
        Value::Bytes(bytes) => field_len(bytes.len()),
        Value::Any(value) => any_len(value),
    }
}

fn any_len(value: &AnyValue) -> usize {
    match value {
        AnyValue::Boolean(_) => 2,
        AnyValue::Int(value) => 1 + varint_len(*value as u64),
        AnyValue::Double(_) => 9,
        AnyValue::String(text) => field_len(text.as_str().len()),
        AnyValue::Bytes(bytes) => field_len(bytes.len()),
        AnyValue::ListAny(values) => field_len(values.iter().map(|value| field_len(any_len(value))).sum()),
        AnyValue::Map(entries) => field_len(
            entries.iter().map(|(key, value)| field_len(pair_len(key.as_str(), any_len(value)))).sum(),
        ),
        // The enum is non-exhaustive. An unknown variant is written as an empty value, as OTLP
        // allows.
        _ => 0,
    }
}

/// Writes an `AnyValue` message, without its header.
#[inline]
pub(crate) fn put_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Bool(value) => put_uint(out, 2, u64::from(*value)),
        Value::I64(value) => put_uint(out, 3, *value as u64),
        Value::F64(value) => put_fixed64(out, 4, value.to_bits()),
        Value::Str(text) => put_bytes(out, 1, text.as_bytes()),
        Value::Bytes(bytes) => put_bytes(out, 7, bytes),
        Value::Any(value) => put_any(out, value),
    }
}

fn put_any(out: &mut Vec<u8>, value: &AnyValue) {
    match value {
        AnyValue::Boolean(value) => put_uint(out, 2, u64::from(*value)),
        AnyValue::Int(value) => put_uint(out, 3, *value as u64),
        AnyValue::Double(value) => put_fixed64(out, 4, value.to_bits()),
        AnyValue::String(text) => put_bytes(out, 1, text.as_str().as_bytes()),
        AnyValue::Bytes(bytes) => put_bytes(out, 7, bytes),
        AnyValue::ListAny(values) => {
            put_header(out, 5, values.iter().map(|value| field_len(any_len(value))).sum());
            for value in values.iter() {
                put_header(out, 1, any_len(value));
                put_any(out, value);
            }
        }
        AnyValue::Map(entries) => {
            let pairs = entries.iter();
            put_header(
                out,
                6,
                pairs.map(|(key, value)| field_len(pair_len(key.as_str(), any_len(value)))).sum(),
            );
            for (key, value) in entries.iter() {
                put_pair(out, 1, key.as_str(), &Value::Any(value));
            }
        }
        _ => {}
    }
}

/// The length of a `KeyValue` message. Proto3 leaves out an empty key.
#[inline]
const fn pair_len(key: &str, value_len: usize) -> usize {
    let key = if key.is_empty() { 0 } else { field_len(key.len()) };
    key + field_len(value_len)
}

/// Writes an `AnyValue` as field `field`.
pub(crate) fn put_message(out: &mut Vec<u8>, field: u8, value: &Value<'_>) {
    put_header(out, field, value_len(value));
    put_value(out, value);
}

/// Writes a `KeyValue` as field `field`.
pub(crate) fn put_pair(out: &mut Vec<u8>, field: u8, key: &str, value: &Value<'_>) {
    let value_len = value_len(value);
    put_header(out, field, pair_len(key, value_len));
    if !key.is_empty() {
        put_bytes(out, 1, key.as_bytes());
    }
    put_header(out, 2, value_len);
    put_value(out, value);
}
