//! Reading protobuf's wire format.
//!
//! The bytes may come from anywhere, so everything is checked and nothing panics.

use std::fmt;

/// Why bytes are not a protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed protobuf: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

const CUT_OFF: Malformed = Malformed("it ends inside a field");

const WRONG_TYPE: Malformed = Malformed("a field has another wire type than its number says");

/// The fields of one message, in the order in which they were written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

/// Reads every field of a message, so that a malformed one is found wherever it is.
#[inline]
pub(crate) fn each<'a>(
    message: &'a [u8],
    mut field: impl FnMut(u64, Raw<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields::of(message);
    while let Some((number, raw)) = fields.next()? {
        field(number, raw)?;
    }
    Ok(())
}

/// The value of one field, with its wire type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The bytes after the fields that were read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next field and its number; `None` at the end.
    ///
    /// Groups, which proto3 does not have, are malformed.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Raw<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || tag > u64::from(u32::MAX) {
            return Err(Malformed("a field has an impossible number"));
        }
        let raw = match tag & 7 {
            0 => Raw::Varint(self.varint()?),
            1 => Raw::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| CUT_OFF)?;
                Raw::Bytes(self.take(len)?)
            }
            5 => Raw::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed("a field has an impossible wire type")),
        };
        Ok(Some((number, raw)))
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(*taken)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (index, byte) in self.0.iter().enumerate() {
            // Nine bytes carry 63 bits, so that the tenth and last can only be 0 or 1.
            if index == 9 && *byte > 1 {
                return Err(Malformed("a varint has more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Ok(value);
            }
        }
        Err(CUT_OFF)
    }
}

impl<'a> Raw<'a> {
    #[inline]
    pub(crate) fn varint(self) -> Result<u64, Malformed> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(WRONG_TYPE),
        }
    }

    #[inline]
    pub(crate) fn fixed64(self) -> Result<u64, Malformed> {
        match self {
            Self::Fixed64(value) => Ok(value),
            _ => Err(WRONG_TYPE),
        }
    }

    #[inline]
    pub(crate) fn fixed32(self) -> Result<u32, Malformed> {
        match self {
            Self::Fixed32(value) => Ok(value),
            _ => Err(WRONG_TYPE),
        }
    }

    /// Bytes, or a message.
    #[inline]
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WRONG_TYPE),
        }
    }

    #[inline]
    pub(crate) fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a string is not UTF-8"))
    }
}
