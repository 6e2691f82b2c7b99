//! The usual values, written the short way: all lengths take one byte, so they are known to be where
//! they are, and what is the same for all events of a callsite is encoded once.

use crate::value::Value;
use crate::wire::buffer::{copy, Buffer};
use crate::wire::put::{tag, varint_len, FIXED64, LENGTH, VARINT};

/// What a length of one byte says at most.
const MAX_ONE_BYTE_LEN: usize = 0x7f;

/// The longest key that is encoded beforehand.
const MAX_KEY: usize = 43;

/// A `KeyValue` up to its value, as an attribute of a `LogRecord`. A callsite's are known before its events.
#[derive(Clone, Copy, Debug)]
pub struct EncodedKey {
    /// Tag and length of the pair, the key with both, and the tag of the value. The length is a blank.
    bytes: [u8; MAX_KEY + 5],
    len: u8,
    /// The longest message that a value can be behind this key; 0 for a key that has no short form.
    value_capacity: u8,
}

impl EncodedKey {
    pub(crate) const NONE: Self = Self { bytes: [0; MAX_KEY + 5], len: 0, value_capacity: 0 };

    pub(crate) fn new(field: u8, key: &str) -> Self {
        // An empty key is left out, as proto3 has it.
        if key.is_empty() || key.len() > MAX_KEY {
            return Self::NONE;
        }
        let Self { mut bytes, .. } = Self::NONE;
        let end = 4 + key.len();
        bytes[..4].copy_from_slice(&[tag(field, LENGTH), 0, tag(1, LENGTH), key.len() as u8]);
        bytes[4..end].copy_from_slice(key.as_bytes());
        bytes[end] = tag(2, LENGTH);
        // The length of the pair counts from behind itself, and the value has a length, too.
        let value_capacity = MAX_ONE_BYTE_LEN - (end + 1 - 2) - 1;
        Self { bytes, len: end as u8 + 1, value_capacity: value_capacity as u8 }
    }

    /// Begins the pair of a value that is a message of `value_len` bytes. Returns where it goes.
    #[inline(always)]
    fn begin(&self, out: &mut [u8; MAX_ATTRIBUTE], value_len: u8) -> usize {
        out[..self.bytes.len()].copy_from_slice(&self.bytes);
        out[1] = self.len.wrapping_add(value_len).wrapping_sub(1);
        out[usize::from(self.len)] = value_len;
        usize::from(self.len) + 1
    }
}

/// More than a pair takes whose lengths take one byte, wherever an `u8` says that its value begins.
const MAX_ATTRIBUTE: usize = 512;

/// A value of a kind that has a short form. A trait, not an enum: what is written is settled when this is
/// compiled, so nobody looks again which kind it is.
pub trait Scalar<'a>: Copy + Into<Value<'a>> {
    /// How long the text is, if it is one.
    #[inline(always)]
    fn text_len(self) -> usize {
        0
    }

    /// How many bytes it takes as an `AnyValue` message, if those are at most `capacity`.
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
        // A header of two bytes.
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

/// Writes an attribute. False, and nothing, if it has no short form.
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
