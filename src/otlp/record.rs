//! The kind of record that is written straight to protobuf bytes.
//!
//! Fifth step of the walk, on the direct road. What the layer fills in is encoded as it comes, into
//! two buffers of this thread, and handed over in parts: `LogRecord`'s fields in the order of their
//! numbers, so that the bytes are those that prost would write.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::Key;

use super::chunk::Parts;
use super::queue::Queue;
use super::wire::{
    put_bytes, put_fixed32, put_fixed64, put_message, put_pair, put_uint, tag, FIXED32, FIXED64, LENGTH,
    VARINT,
};
use crate::correlate::Ids;
use crate::inherit::Block;
use crate::otlp::Pipeline;
use crate::record::{Prepare, Record, Records, Target, Value};

/// The field numbers of `opentelemetry.proto.logs.v1.LogRecord`.
mod field {
    pub(super) const TIME: u8 = 1;
    pub(super) const SEVERITY_NUMBER: u8 = 2;
    pub(super) const SEVERITY_TEXT: u8 = 3;
    pub(super) const BODY: u8 = 5;
    pub(super) const ATTRIBUTES: u8 = 6;
    pub(super) const DROPPED_ATTRIBUTES: u8 = 7;
    pub(super) const FLAGS: u8 = 8;
    pub(super) const TRACE_ID: u8 = 9;
    pub(super) const SPAN_ID: u8 = 10;
    pub(super) const OBSERVED_TIME: u8 = 11;
    pub(super) const EVENT_NAME: u8 = 12;
}

/// Encodes the attributes of a block once, for all the records that begin with it.
pub(crate) fn prepare(attributes: &[(Key, AnyValue)]) -> Box<[u8]> {
    let mut bytes = Vec::new();
    for (key, value) in attributes {
        put_pair(&mut bytes, field::ATTRIBUTES, key.as_str(), &Value::Any(value));
    }
    bytes.into_boxed_slice()
}

/// Memory that a thread's records are written in, one after the other.
#[derive(Debug, Default)]
struct Buffers {
    /// The body, with its header.
    body: Vec<u8>,
    /// The event's own attributes, each with its header, and then everything behind them.
    rest: Vec<u8>,
}

/// Buffers larger than this are given back to the allocator: one 50 MiB value must not stay for ever.
const LARGEST_KEPT_BUFFER: usize = 64 * 1024;

thread_local! {
    // Taken out while in use: a value's `Debug` may log, and then a second record is being written.
    static BUFFERS: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

/// The records of one pipeline.
#[derive(Debug)]
pub struct DirectRecords {
    pipeline: Pipeline,
}

impl DirectRecords {
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        Self { pipeline }
    }
}

impl Records for DirectRecords {
    type Record<'a> = DirectRecord<'a>;

    fn prepare() -> Prepare {
        prepare
    }

    #[inline]
    fn is_enabled(
        &self,
        _severity: Severity,
        _target: &str,
        _name: impl FnOnce() -> Option<&'static str>,
    ) -> bool {
        true
    }

    /// A full queue costs no encoding: it is asked first.
    #[inline]
    fn admit(&self) -> bool {
        self.pipeline.queue().admit()
    }

    #[inline]
    fn open(&self) -> DirectRecord<'_> {
        DirectRecord::new(Some(self.pipeline.queue()))
    }

    #[inline]
    fn set_target<'a>(&'a self, record: &mut DirectRecord<'a>, target: Target<'a>) {
        record.set_target(target);
    }

    #[inline]
    fn add_block<'a>(&'a self, record: &mut DirectRecord<'a>, block: &'a Block) {
        record.set_block(block);
    }

    #[inline(always)]
    fn emit<'a>(&'a self, mut record: DirectRecord<'a>) {
        record.queue = None;
        record.finish(|target, parts| self.pipeline.queue().push(target, parts));
    }
}

/// A record being written.
#[derive(Debug)]
pub struct DirectRecord<'a> {
    /// Where the record was admitted; taken when it is handed over, so that one which is not is counted.
    queue: Option<&'a Queue>,
    target: Target<'a>,
    unix_nanos: u64,
    severity: Severity,
    ids: Option<Ids>,
    event_name: &'static str,
    dropped_attributes: u32,
    /// Encoded already, and copied once, to where the record is stored.
    inherited: &'a [u8],
    /// Always there until the record is dropped.
    buffers: Option<Box<Buffers>>,
}

impl<'a> DirectRecord<'a> {
    pub(crate) fn new(queue: Option<&'a Queue>) -> Self {
        Self {
            queue,
            target: Target::Static(""),
            unix_nanos: 0,
            severity: Severity::Trace,
            ids: None,
            event_name: "",
            dropped_attributes: 0,
            inherited: &[],
            buffers: BUFFERS.try_with(Cell::take).ok().flatten(),
        }
    }

    #[inline]
    fn buffers(&mut self) -> &mut Buffers {
        self.buffers.get_or_insert_default()
    }

    /// Names the scope.
    #[inline]
    pub(crate) fn set_target(&mut self, target: Target<'a>) {
        self.target = target;
    }

    /// What the record inherits.
    #[inline]
    pub(crate) fn set_block(&mut self, block: &'a Block) {
        self.inherited = &block.prepared;
    }

    /// Shows the finished record and its target to `read`.
    // Always: a record is two hundred bytes to move.
    #[inline(always)]
    pub(crate) fn finish(mut self, read: impl FnOnce(Target<'_>, &Parts<'_>)) {
        let (head, begin, end) = self.head();
        let Buffers { body, rest } = &mut **self.buffers.get_or_insert_default();
        if self.dropped_attributes > 0 {
            put_uint(rest, field::DROPPED_ATTRIBUTES, u64::from(self.dropped_attributes));
        }
        match self.ids {
            Some(ids) if ids.flags.to_u8() > 0 && self.unix_nanos > 0 => {
                rest.extend_from_slice(&traced(ids, self.unix_nanos));
            }
            ids => put_untraced(rest, ids, self.unix_nanos),
        }
        if !self.event_name.is_empty() {
            put_bytes(rest, field::EVENT_NAME, self.event_name.as_bytes());
        }
        read(self.target, &Parts::new([&head[begin..end], body, self.inherited, rest]));
    }

    /// Time and severity, and where they begin and end.
    #[inline]
    fn head(&self) -> ([u8; 13 + LONGEST_SEVERITY], usize, usize) {
        let text = self.severity.name().as_bytes();
        let len = text.len().min(LONGEST_SEVERITY);
        let mut head = [0; 13 + LONGEST_SEVERITY];
        head[0] = tag(field::TIME, FIXED64);
        head[1..9].copy_from_slice(&self.unix_nanos.to_le_bytes());
        head[9..11].copy_from_slice(&[tag(field::SEVERITY_NUMBER, VARINT), self.severity as u8]);
        head[11..13].copy_from_slice(&[tag(field::SEVERITY_TEXT, LENGTH), len as u8]);
        head[13..13 + len].copy_from_slice(&text[..len]);
        (head, if self.unix_nanos > 0 { 0 } else { 9 }, 13 + len)
    }
}

/// "DEBUG4".
const LONGEST_SEVERITY: usize = 6;

/// Flags, ids and time of observation, as a record in a sampled span has them: all lengths are known,
/// so it is one piece: five would be five calls.
#[inline]
fn traced(ids: Ids, unix_nanos: u64) -> [u8; 42] {
    let mut bytes = [0; 42];
    bytes[0] = tag(field::FLAGS, FIXED32);
    bytes[1..5].copy_from_slice(&u32::from(ids.flags.to_u8()).to_le_bytes());
    bytes[5..7].copy_from_slice(&[tag(field::TRACE_ID, LENGTH), 16]);
    bytes[7..23].copy_from_slice(&ids.trace_id.to_bytes());
    bytes[23..25].copy_from_slice(&[tag(field::SPAN_ID, LENGTH), 8]);
    bytes[25..33].copy_from_slice(&ids.span_id.to_bytes());
    bytes[33] = tag(field::OBSERVED_TIME, FIXED64);
    bytes[34..42].copy_from_slice(&unix_nanos.to_le_bytes());
    bytes
}

/// The same, where some of it may be missing.
#[inline(never)]
fn put_untraced(out: &mut Vec<u8>, ids: Option<Ids>, unix_nanos: u64) {
    if let Some(ids) = ids {
        let flags = u32::from(ids.flags.to_u8());
        if flags > 0 {
            put_fixed32(out, field::FLAGS, flags);
        }
        put_bytes(out, field::TRACE_ID, &ids.trace_id.to_bytes());
        put_bytes(out, field::SPAN_ID, &ids.span_id.to_bytes());
    }
    if unix_nanos > 0 {
        put_fixed64(out, field::OBSERVED_TIME, unix_nanos);
    }
}

impl Drop for DirectRecord<'_> {
    fn drop(&mut self) {
        if let Some(queue) = self.queue {
            // Something in the middle of it panicked.
            queue.unmade();
        }
        let Some(mut buffers) = self.buffers.take() else { return };
        for buffer in [&mut buffers.body, &mut buffers.rest] {
            buffer.clear();
            if buffer.capacity() > LARGEST_KEPT_BUFFER {
                buffer.shrink_to(LARGEST_KEPT_BUFFER);
            }
        }
        let _ = BUFFERS.try_with(|kept| kept.set(Some(buffers)));
    }
}

impl Record for DirectRecord<'_> {
    #[inline]
    fn set_time(&mut self, time: SystemTime) {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Until the year 2554.
        self.unix_nanos = since.as_secs().wrapping_mul(1_000_000_000) + u64::from(since.subsec_nanos());
    }

    #[inline]
    fn set_severity(&mut self, severity: Severity) {
        self.severity = severity;
    }

    #[inline]
    fn set_event_name(&mut self, name: &'static str) {
        self.event_name = name;
    }

    #[inline]
    fn set_trace_context(&mut self, ids: Option<Ids>) {
        self.ids = ids;
    }

    // Always: see `put_message`.
    #[inline(always)]
    fn set_body(&mut self, body: Value<'_>) {
        let out = &mut self.buffers().body;
        // A field set can name `message` twice; the last one counts.
        out.clear();
        put_message(out, field::BODY, &body);
    }

    // Always: see `put_pair`.
    #[inline(always)]
    fn add_attribute(&mut self, key: Key, value: Value<'_>) {
        put_pair(&mut self.buffers().rest, field::ATTRIBUTES, key.as_str(), &value);
    }

    fn set_dropped_attributes(&mut self, count: u32) {
        self.dropped_attributes = count;
    }
}
