//! OTLP as protobuf: one message, or many with length prefixes.
//!
//! Requests of traces and of logs have the same fields down to the scopes, so the signal is only
//! known at each span or record. A span has a `trace_id` of 16 bytes in field 1 and a `span_id` of
//! 8 bytes in field 2, where a log record has a fixed64 and a varint: a log record never parses as
//! a span.

mod item;
mod values;

use super::input::Input;
use super::notes::Cause;
use super::store::Store;
use crate::wire::read::Malformed;

/// The tags of messages in fields 1 and 2.
const LIST_TAG_1: u64 = 1 << 3 | 2;
const LIST_TAG_2: u64 = 2 << 3 | 2;

/// The maximum size of a span, record, resource or scope, which is in memory as a whole.
const MAX_ITEM_BYTES: u64 = 16 << 20;

const TRUNCATED: Malformed = Malformed("it ends inside a field");
const TOO_LONG: Malformed = Malformed("a field is longer than its message");

/// Whether messages have length prefixes, as a Collector's file exporter writes them with
/// `format: proto`: 4 bytes, big-endian.
///
/// An OTLP message starts with the tag of its field 1, a byte of 10. As the first byte of a length
/// prefix that would mean 160 MiB.
pub(super) fn is_framed(ahead: &[u8]) -> bool {
    ahead.len() > 4 && u64::from(ahead[0]) < LIST_TAG_1 && is_bare(&ahead[4..])
}

/// Whether this may be a message without a length prefix.
pub(super) fn is_bare(ahead: &[u8]) -> bool {
    ahead.first().is_some_and(|tag| u64::from(*tag) == LIST_TAG_1)
}

/// Reads the rest of the input. Returns how many spans and records there were.
pub(super) fn read(name: &str, is_framed: bool, input: &mut Input<'_>, store: &mut Store) -> u64 {
    let mark = store.mark();
    let mut parser = Parser { name, input, store };
    match is_framed {
        true => parser.frames(),
        false => _ = parser.message(u64::MAX),
    }
    store.since(mark)
}

/// Parses the input field by field.
struct Parser<'w, 's> {
    name: &'w str,
    input: &'w mut Input<'s>,
    store: &'w mut Store,
}

/// The bytes that are left of a message.
struct Remaining(u64);

impl Remaining {
    fn take(&mut self, bytes: u64) -> Result<(), Malformed> {
        self.0 = self.0.checked_sub(bytes).ok_or(TOO_LONG)?;
        Ok(())
    }
}

impl Parser<'_, '_> {
    fn frames(&mut self) {
        loop {
            let Some(length) = self.input.peek(4).first_chunk::<4>().copied() else {
                let rest = self.input.window().len();
                if rest > 0 {
                    self.note_truncation();
                    self.input.consume(rest);
                }
                return;
            };
            self.input.consume(4);
            let end = self.input.offset() + u64::from(u32::from_be_bytes(length));
            if !self.message(end - self.input.offset()) {
                // The next message can be read even if this one is malformed.
                let _ = self.input.take_pieces(end.saturating_sub(self.input.offset()), |_| {});
            }
            if self.input.window().is_empty() {
                return;
            }
        }
    }

    /// Reads a message of `bytes`, or up to the end of the input. Returns whether it was read to
    /// its end.
    fn message(&mut self, bytes: u64) -> bool {
        let begin = self.input.offset();
        let mut left = Remaining(bytes);
        match self.resources(&mut left) {
            Ok(()) => true,
            Err(_) if self.input.window().is_empty() => {
                self.note_truncation();
                true
            }
            Err(why) => {
                let (name, at) = (self.name, self.input.offset());
                self.store.notes.add(Cause::Malformed, || {
                    format!("{name}: the message at byte {begin} was skipped from byte {at} on: {why}")
                });
                false
            }
        }
    }

    fn note_truncation(&mut self) {
        let (name, at) = (self.name, self.input.offset());
        self.store.notes.add(Cause::TruncatedMessage, || format!("{name}: truncated at byte {at}"));
    }

    fn resources(&mut self, left: &mut Remaining) -> Result<(), Malformed> {
        while let Some(tag) = self.tag(left)? {
            match tag {
                LIST_TAG_1 => {
                    let mark = self.store.mark();
                    let mut service = None;
                    let mut inner = self.enter(left)?;
                    let read = self.scopes(&mut inner, &mut service);
                    if let Some(service) = service {
                        self.store.set_service(mark, &service);
                    }
                    read?;
                }
                tag => self.skip_field(tag, left)?,
            }
        }
        Ok(())
    }

    fn scopes(&mut self, left: &mut Remaining, service: &mut Option<String>) -> Result<(), Malformed> {
        while let Some(tag) = self.tag(left)? {
            match tag {
                LIST_TAG_1 => {
                    if let Some(resource) = self.bytes(left)? {
                        *service = item::service(&resource)?;
                    }
                }
                LIST_TAG_2 => {
                    let mark = self.store.mark();
                    let mut target = String::new();
                    let mut inner = self.enter(left)?;
                    let read = self.items(&mut inner, &mut target);
                    if !target.is_empty() {
                        self.store.set_target(mark, &target);
                    }
                    read?;
                }
                tag => self.skip_field(tag, left)?,
            }
        }
        Ok(())
    }

    fn items(&mut self, left: &mut Remaining, target: &mut String) -> Result<(), Malformed> {
        while let Some(tag) = self.tag(left)? {
            match tag {
                LIST_TAG_1 => {
                    if let Some(scope) = self.bytes(left)? {
                        *target = item::scope_name(&scope)?;
                    }
                }
                LIST_TAG_2 => {
                    if let Some(bytes) = self.bytes(left)? {
                        self.item(&bytes);
                    }
                }
                tag => self.skip_field(tag, left)?,
            }
        }
        Ok(())
    }

    fn item(&mut self, bytes: &[u8]) {
        let at = self.input.offset() - bytes.len() as u64;
        let place = format!("{}: byte {at}", self.name);
        if let Ok((span, is_truncated)) = item::span(bytes) {
            self.store.add_span(span, is_truncated, &place);
        } else if let Ok((record, is_truncated)) = item::record(bytes) {
            self.store.add_record(record, is_truncated, &place);
        } else {
            self.store.notes.add(Cause::Unusable, || {
                format!("{place}: neither a span with a valid trace_id and span_id nor a log record")
            });
        }
    }

    /// The next field's tag; `None` at the end of the message.
    fn tag(&mut self, left: &mut Remaining) -> Result<Option<u64>, Malformed> {
        // A message without a length prefix ends with the source, but only between two fields.
        let is_bare_end = left.0 > u64::MAX / 2 && self.input.window().is_empty();
        match left.0 == 0 || is_bare_end {
            true => Ok(None),
            false => self.varint(left).map(Some),
        }
    }

    fn varint(&mut self, left: &mut Remaining) -> Result<u64, Malformed> {
        let mut value = 0;
        for index in 0..10 {
            let byte = *self.input.window().first().ok_or(TRUNCATED)?;
            left.take(1)?;
            self.input.consume(1);
            if index == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("a varint has more than 64 bits"))
    }

    /// Enters a field that is a message.
    fn enter(&mut self, left: &mut Remaining) -> Result<Remaining, Malformed> {
        let length = self.varint(left)?;
        left.take(length)?;
        Ok(Remaining(length))
    }

    /// The content of a field; `None` if it is larger than [`MAX_ITEM_BYTES`].
    fn bytes(&mut self, left: &mut Remaining) -> Result<Option<Vec<u8>>, Malformed> {
        let Remaining(length) = self.enter(left)?;
        if length > MAX_ITEM_BYTES {
            let (name, at) = (self.name, self.input.offset());
            self.store.notes.add(Cause::Unusable, || {
                format!("{name}: {length} bytes at byte {at} were skipped: too large for a span or a record")
            });
            self.take(length, |_| {})?;
            return Ok(None);
        }
        // Grows as bytes arrive: the length may be wrong.
        let mut bytes = Vec::new();
        self.take(length, |piece| bytes.extend_from_slice(piece))?;
        Ok(Some(bytes))
    }

    fn skip_field(&mut self, tag: u64, left: &mut Remaining) -> Result<(), Malformed> {
        let length = match tag & 7 {
            _ if tag >> 3 == 0 => return Err(Malformed("a field has an impossible number")),
            0 => return self.varint(left).map(|_| ()),
            1 => 8,
            2 => self.varint(left)?,
            5 => 4,
            _ => return Err(Malformed("a field has an impossible wire type")),
        };
        left.take(length)?;
        self.take(length, |_| {})
    }

    fn take(&mut self, bytes: u64, piece: impl FnMut(&[u8])) -> Result<(), Malformed> {
        self.input.take_pieces(bytes, piece).then_some(()).ok_or(TRUNCATED)
    }
}
