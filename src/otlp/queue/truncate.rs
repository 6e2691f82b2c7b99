//! Truncates the largest values of a record that exceeds a request.

use crate::otlp::signal::Signal;
use crate::wire::put::put_bytes;
use crate::wire::read::{each, Fields, Malformed, Raw};

/// Values nested deeper than this are left as they are. The stack of the emitting thread is not
/// ours.
const DEPTH: usize = 64;

/// A truncated record.
#[derive(Debug)]
pub(crate) struct Truncated {
    pub(crate) record: Vec<u8>,
    /// How many of its values were truncated.
    pub(crate) values: u64,
}

/// The encoded `LogRecord` or `Span` in at most `max_len` bytes: strings and bytes of the body and
/// of attributes, those of a span's events and links too, and the text of its status are truncated
/// to a common length, strings on a character boundary. `None` if even empty values do not suffice.
pub(crate) fn truncate(signal: Signal, record: &[u8], max_len: usize) -> Option<Truncated> {
    let kind = match signal {
        Signal::Logs => Kind::Record,
        Signal::Traces => Kind::Span,
    };
    let mut lengths = Vec::new();
    leaves(record, kind, 0, &mut lengths).ok()?;
    let excess = record.len().saturating_sub(max_len);
    let saved = |length: usize| lengths.iter().map(|leaf| leaf.saturating_sub(length)).sum::<usize>();
    if saved(0) < excess {
        return None;
    }
    // The largest length that saves enough. The length prefixes of messages around can only become
    // shorter.
    let (mut enough, mut too_long) = (0, record.len() + 1);
    while too_long - enough > 1 {
        let middle = enough + (too_long - enough) / 2;
        if saved(middle) >= excess {
            enough = middle;
        } else {
            too_long = middle;
        }
    }
    let mut truncated = Vec::with_capacity(max_len);
    rewrite(record, kind, 0, enough, &mut truncated).ok()?;
    let values = lengths.iter().filter(|leaf| **leaf > enough).count() as u64;
    Some(Truncated { record: truncated, values })
}

/// What a message or field is, as far as that says where values are.
#[derive(Clone, Copy)]
enum Kind {
    Record,
    Span,
    Event,
    Link,
    Status,
    Pair,
    Value,
    List,
    Map,
    Text,
    Bytes,
    Other,
}

impl Kind {
    /// What this field of the message holds. Numbers as in `logs.proto`, `trace.proto` and
    /// `common.proto`.
    fn of_field(self, field: u64) -> Self {
        match (self, field) {
            (Self::Record, 5) | (Self::Pair, 2) | (Self::List, 1) => Self::Value,
            (Self::Record, 6) | (Self::Span, 9) | (Self::Event, 3) | (Self::Link, 4) | (Self::Map, 1) => {
                Self::Pair
            }
            (Self::Span, 11) => Self::Event,
            (Self::Span, 13) => Self::Link,
            (Self::Span, 15) => Self::Status,
            (Self::Value, 1) | (Self::Status, 2) => Self::Text,
            (Self::Value, 5) => Self::List,
            (Self::Value, 6) => Self::Map,
            (Self::Value, 7) => Self::Bytes,
            _ => Self::Other,
        }
    }
}

fn leaves(message: &[u8], kind: Kind, depth: usize, lengths: &mut Vec<usize>) -> Result<(), Malformed> {
    each(message, |number, raw| {
        let Raw::Bytes(content) = raw else { return Ok(()) };
        match kind.of_field(number) {
            Kind::Text | Kind::Bytes => lengths.push(content.len()),
            Kind::Other => {}
            inner if depth < DEPTH => leaves(content, inner, depth + 1, lengths)?,
            _ => {}
        }
        Ok(())
    })
}

fn rewrite(
    message: &[u8],
    kind: Kind,
    depth: usize,
    length: usize,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let mut fields = Fields::of(message);
    loop {
        let begin = fields.rest();
        let Some((number, raw)) = fields.next()? else { return Ok(()) };
        let whole = &begin[..begin.len() - fields.rest().len()];
        let (Raw::Bytes(content), Ok(field)) = (raw, u8::try_from(number)) else {
            out.extend_from_slice(whole);
            continue;
        };
        match kind.of_field(number) {
            Kind::Text => put_bytes(out, field, &content[..boundary(content, length)]),
            Kind::Bytes => put_bytes(out, field, &content[..content.len().min(length)]),
            inner if !matches!(inner, Kind::Other) && depth < DEPTH => {
                let mut inside = Vec::new();
                rewrite(content, inner, depth + 1, length, &mut inside)?;
                put_bytes(out, field, &inside);
            }
            _ => out.extend_from_slice(whole),
        }
    }
}

/// The end of the last whole character within `length` bytes of UTF-8.
fn boundary(text: &[u8], length: usize) -> usize {
    if length >= text.len() {
        return text.len();
    }
    let is_inside = |at: &usize| text[*at] & 0b1100_0000 == 0b1000_0000;
    (0..=length).rev().find(|at| !is_inside(at)).unwrap_or(0)
}
