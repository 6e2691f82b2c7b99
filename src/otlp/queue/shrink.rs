//! Cuts a record that no request could take: its largest values, to what fits. The rest stays as it is.

use crate::wire::put::put_bytes;

/// Deeper values than this are not looked into. The stack of the emitting thread is not ours.
const DEPTH: usize = 64;

/// A record that was cut.
#[derive(Debug)]
pub(crate) struct Shrunk {
    pub(crate) record: Vec<u8>,
    pub(crate) values_cut: u64,
}

/// The encoded `LogRecord` in at most `most` bytes: strings and bytes of the body and the attributes
/// are cut to one length, so that the largest lose first and most; strings on a character boundary.
/// `None` if even empty values would not do.
pub(crate) fn shrink(record: &[u8], most: usize) -> Option<Shrunk> {
    let mut lengths = Vec::new();
    leaves(record, Kind::Record, 0, &mut lengths)?;
    let excess = record.len().saturating_sub(most);
    let gain = |length: usize| lengths.iter().map(|leaf| leaf.saturating_sub(length)).sum::<usize>();
    if gain(0) < excess {
        return None;
    }
    // The largest length that gains enough. Lengths of what is around can only become shorter.
    let (mut enough, mut too_long) = (0, record.len() + 1);
    while too_long - enough > 1 {
        let middle = enough + (too_long - enough) / 2;
        if gain(middle) >= excess {
            enough = middle;
        } else {
            too_long = middle;
        }
    }
    let mut shrunk = Vec::with_capacity(most);
    rewrite(record, Kind::Record, 0, enough, &mut shrunk)?;
    let values_cut = lengths.iter().filter(|leaf| **leaf > enough).count() as u64;
    Some(Shrunk { record: shrunk, values_cut })
}

/// Which message it is, so far as that says where values are.
#[derive(Clone, Copy)]
enum Kind {
    Record,
    Pair,
    Value,
    List,
    Map,
    Text,
    Bytes,
    Other,
}

impl Kind {
    /// What stands in this field of this message. Numbers as in `logs.proto` and `common.proto`.
    fn of_field(self, field: u64) -> Self {
        match (self, field) {
            (Self::Record, 5) | (Self::Pair, 2) | (Self::List, 1) => Self::Value,
            (Self::Record, 6) | (Self::Map, 1) => Self::Pair,
            (Self::Value, 1) => Self::Text,
            (Self::Value, 5) => Self::List,
            (Self::Value, 6) => Self::Map,
            (Self::Value, 7) => Self::Bytes,
            _ => Self::Other,
        }
    }
}

fn leaves(message: &[u8], kind: Kind, depth: usize, lengths: &mut Vec<usize>) -> Option<()> {
    let mut rest = message;
    while !rest.is_empty() {
        let field = next_field(&mut rest)?;
        let Some(content) = field.content else { continue };
        match kind.of_field(field.number) {
            Kind::Text | Kind::Bytes => lengths.push(content.len()),
            Kind::Other => {}
            inner if depth < DEPTH => leaves(content, inner, depth + 1, lengths)?,
            _ => {}
        }
    }
    Some(())
}

fn rewrite(message: &[u8], kind: Kind, depth: usize, length: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut rest = message;
    while !rest.is_empty() {
        let field = next_field(&mut rest)?;
        let (Some(content), Ok(number)) = (field.content, u8::try_from(field.number)) else {
            out.extend_from_slice(field.whole);
            continue;
        };
        match kind.of_field(field.number) {
            Kind::Text => put_bytes(out, number, &content[..boundary(content, length)]),
            Kind::Bytes => put_bytes(out, number, &content[..content.len().min(length)]),
            Kind::Other => out.extend_from_slice(field.whole),
            inner if depth < DEPTH => {
                let mut inside = Vec::new();
                rewrite(content, inner, depth + 1, length, &mut inside)?;
                put_bytes(out, number, &inside);
            }
            _ => out.extend_from_slice(field.whole),
        }
    }
    Some(())
}

/// The end of the last whole character within `length` bytes of UTF-8.
fn boundary(text: &[u8], length: usize) -> usize {
    if length >= text.len() {
        return text.len();
    }
    let is_inside = |at: &usize| text[*at] & 0b1100_0000 == 0b1000_0000;
    (0..=length).rev().find(|at| !is_inside(at)).unwrap_or(0)
}

struct Field<'a> {
    number: u64,
    /// The field with its tag.
    whole: &'a [u8],
    /// What a length-delimited field holds.
    content: Option<&'a [u8]>,
}

/// Splits the first field off. `None` if it is not protobuf.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let begin = *rest;
    let tag = varint(rest)?;
    let content = match tag & 7 {
        0 => varint(rest).map(|_| None)?,
        1 => split(rest, 8).map(|_| None)?,
        5 => split(rest, 4).map(|_| None)?,
        2 => {
            let len = varint(rest)?;
            Some(split(rest, usize::try_from(len).ok()?)?)
        }
        _ => return None,
    };
    Some(Field { number: tag >> 3, whole: &begin[..begin.len() - rest.len()], content })
}

fn split<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (content, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    Some(content)
}

/// Reads a varint off the front.
pub(crate) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
