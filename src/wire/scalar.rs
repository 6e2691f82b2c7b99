//! A fast encoding of attributes that are short enough: every length takes one byte, so offsets are
//! known in advance, and a callsite's keys are encoded only once.

use crate::value::Value;
use crate::wire::buffer::{copy, Buffer};
use crate::wire::put::{tag, varint_len, FIXED64, LENGTH, VARINT};

/// The largest length that takes one byte as a varint.
const MAX_ONE_BYTE_LEN: usize = 0x7f;

/// The longest key that is pre-encoded. The start of a pair then takes 48 bytes, three vector
/// registers, and a callsite's field fits in one cache line.
const MAX_KEY: usize = 43;

/// The start of an encoded `KeyValue`, up to its value. A callsite's keys are encoded once, for all
/// its events.
#[derive(Clone, Copy, Debug)]
pub struct EncodedKey {
    /// The pair's tag and length, the key with its tag and length, and the value's tag. The pair's
    /// length is filled in for each value.
    bytes: [u8; MAX_KEY + 5],
    /// How many of the bytes are used.
    len: u8,
    /// The longest value message that keeps the pair's length within one byte. 0: the key is too
    /// long or empty, and cannot be used here.
    value_capacity: u8,
}

impl EncodedKey {
    /// A key that cannot be used here: no value fits it.
    pub(crate) const NONE: Self = Self { bytes: [0; MAX_KEY + 5], len: 0, value_capacity: 0 };

    pub(crate) fn new(field: u8, key: &str) -> Self {
        // Proto3 leaves out an empty key.
        if key.is_empty() || key.len() > MAX_KEY {
            return Self::NONE;
        }
        let Self { mut bytes, .. } = Self::NONE;
        let end = 4 + key.len();
        bytes[..4].copy_from_slice(&[tag(field, LENGTH), 0, tag(1, LENGTH), key.len() as u8]);
        bytes[4..end].copy_from_slice(key.as_bytes());
        bytes[end] = tag(2, LENGTH);
        // The pair's length does not include its tag and itself, but the value's length byte.
        let value_capacity = MAX_ONE_BYTE_LEN - (end + 1 - 2) - 1;
        Self { bytes, len: end as u8 + 1, value_capacity: value_capacity as u8 }
    }

    /// Writes the start of a pair whose value is a message of `value_len` bytes. Returns where the
    /// value goes.
    #[inline(always)]
    fn begin(&self, out: &mut [u8; MAX_ATTRIBUTE], value_len: u8) -> usize {
        out[..self.bytes.len()].copy_from_slice(&self.bytes);
        out[1] = self.len.wrapping_add(value_len).wrapping_sub(1);
        out[usize::from(self.len)] = value_len;
        usize::from(self.len) + 1
    }
}

/// More than such a pair takes, for every offset that a `u8` can hold, so that the compiler can
/// drop bounds checks.
const MAX_ATTRIBUTE: usize = 512;

/// A value that may have the fast encoding. A trait rather than an enum, so that its type is
/// resolved at compile time.
pub trait Scalar<'a>: Copy + Into<Value<'a>> {
    /// The length of a text, 0 for other values.
    #[inline(always)]
    fn text_len(self) -> usize {
        0
    }

    /// The length of its `AnyValue` message, if that is at most `capacity`.
    fn message_len(self, capacity: u8) -> Option<u8>;

    /// Writes that message of `len` bytes to `out[at..]`.
    fn put(self, out: &mut [u8; MAX_ATTRIBUTE], at: usize, len: u8);
}

impl Scalar<'_> for bool {
    #[inline(always)]
    fn message_len(self, capacity: u8) -> Option<u8> {
        (capacity >= 2).then_some(2)
    }

    #[inline(always)]
    fn put(self, out: &mut [u8; MAX_ATTRIBUTE], at: usize, _len: u8) {
        out[at..at + 2].copy_from_slice(&[tag(2, VARINT), u8::from(self)]);
    }
}

impl Scalar<'_> for i64 {
    #[inline(always)]
    fn message_len(self, capacity: u8) -> Option<u8> {
        let len = match self {
            0..0x80 => 2,
            0x80..0x4000 => 3,
            _ => 1 + varint_len(self as u64) as u8,
        };
        (capacity >= len).then_some(len)
    }

    #[inline(always)]
    fn put(self, out: &mut [u8; MAX_ATTRIBUTE], at: usize, _len: u8) {
        out[at] = tag(3, VARINT);
        if let 0x80..0x4000 = self {
            out[at + 1..at + 3].copy_from_slice(&[self as u8 | 0x80, (self >> 7) as u8]);
            return;
        }
        let (mut at, mut rest) = (at + 1, self as u64);
        while rest >= 0x80 {
            out[at] = rest as u8 | 0x80;
            (at, rest) = (at + 1, rest >> 7);
        }
        out[at] = rest as u8;
    }
}

impl Scalar<'_> for f64 {
    #[inline(always)]
    fn message_len(self, capacity: u8) -> Option<u8> {
        (capacity >= 9).then_some(9)
    }

    #[inline(always)]
    fn put(self, out: &mut [u8; MAX_ATTRIBUTE], at: usize, _len: u8) {
        out[at] = tag(4, FIXED64);
        out[at + 1..at + 9].copy_from_slice(&self.to_bits().to_le_bytes());
    }
}

impl<'a> Scalar<'a> for &'a str {
    #[inline(always)]
    fn text_len(self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn message_len(self, capacity: u8) -> Option<u8> {
        self.as_bytes().message_len(capacity)
    }

    #[inline(always)]
    fn put(self, out: &mut [u8; MAX_ATTRIBUTE], at: usize, len: u8) {
        put_bytes(out, at, tag(1, LENGTH), self.as_bytes(), len);
    }
}

impl<'a> Scalar<'a> for &'a [u8] {
    #[inline(always)]
    fn message_len(self, capacity: u8) -> Option<u8> {
        // The header takes two bytes.
        (self.len() < usize::from(capacity.saturating_sub(1))).then(|| self.len() as u8 + 2)
    }

    #[inline(always)]
    fn put(self, out: &mut [u8; MAX_ATTRIBUTE], at: usize, len: u8) {
        put_bytes(out, at, tag(7, LENGTH), self, len);
    }
}

#[inline(always)]
fn put_bytes(out: &mut [u8; MAX_ATTRIBUTE], at: usize, tag: u8, bytes: &[u8], len: u8) {
    out[at] = tag;
    out[at + 1] = len - 2;
    copy(&mut out[at + 2..], bytes);
}

/// Writes an attribute. If it is too long for this encoding, returns false and writes nothing.
#[inline(always)]
pub(crate) fn put_attribute<'a>(out: &mut Buffer, key: &EncodedKey, value: impl Scalar<'a>) -> bool {
    let Some(len) = value.message_len(key.value_capacity) else { return false };
    out.write::<MAX_ATTRIBUTE>(|out| {
        let at = key.begin(out, len);
        value.put(out, at, len);
        at + usize::from(len)
    });
    true
}
