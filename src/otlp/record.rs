//! Records that are encoded as OTLP while the layer fills them.
//!
//! Values are encoded into two buffers of this thread as they come. `LogRecord`'s fields are
//! written in the order of their numbers, so that the bytes equal those that prost would write.
//! There are two buffers because the body precedes the attributes in that order, but the layer may
//! set it after them.

use std::cell::Cell;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::Key;
use tracing_core::field::Field;

use crate::format::{write_text, Formatted};
use crate::keys;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::queue::chunk::{Encoded, MAX_HEADER};
use crate::otlp::queue::{Item, Permit};
use crate::record::inherited::InheritedAttributes;
use crate::record::{EncodeInherited, Ids, Record, Records, Target, ALL_SEVERITIES};
use crate::stats::Thread;
use crate::value::Value;
use crate::wire::buffer::Buffer;
use crate::wire::log_record::field;
use crate::wire::put::{
    field_len, put_bytes, put_header, put_message, put_pair, put_uint, tag, FIXED32, FIXED64, LENGTH, VARINT,
};
use crate::wire::scalar::{put_attribute, EncodedKey, Scalar};

/// Encodes inherited attributes once, for all the records that start with them.
fn encode_inherited(attributes: &[(Key, AnyValue)]) -> Box<[u8]> {
    let mut bytes = Vec::new();
    for (key, value) in attributes {
        put_pair(&mut bytes, field::ATTRIBUTES, key.as_str(), &Value::Any(value));
    }
    bytes.into_boxed_slice()
}

/// A record being written.
#[derive(Debug)]
pub(crate) struct Draft {
    /// 0: not set.
    unix_nanos: u64,
    severity: Severity,
    /// The id of the job's account; 0 if there is none.
    job: u64,
    /// Flags, ids and the observed time, encoded.
    tail: [u8; TAIL_LEN],
    /// Where the part of `tail` that is set starts: at the flags, the ids or the time.
    tail_start: usize,
    /// Empty: none.
    event_name: &'static str,
    /// Takes precedence over `event_name`, which is not empty if this is set.
    run_time_name: Option<Box<str>>,
    dropped_attributes: u32,
    /// Reserved bytes for the prefix, then the body with its header.
    front: Buffer,
    /// The attributes, each with its header, and every field after them.
    rest: Buffer,
}

impl Draft {
    /// Takes this thread's cached draft, emptied, or a new one if that is in use.
    #[inline]
    fn take() -> Box<Self> {
        let kept = CACHED.try_with(Cell::take).ok().flatten();
        let mut draft = kept.unwrap_or_else(Self::new);
        draft.unix_nanos = 0;
        draft.tail_start = TIME_AT;
        draft.event_name = "";
        draft.dropped_attributes = 0;
        draft.front.begin(BODY_AT);
        draft.rest.begin(0);
        draft
    }

    #[cold]
    fn new() -> Box<Self> {
        Box::new(Self {
            unix_nanos: 0,
            severity: Severity::Trace,
            job: 0,
            tail: [0; TAIL_LEN],
            tail_start: TIME_AT,
            event_name: "",
            run_time_name: None,
            dropped_attributes: 0,
            front: Buffer::new(),
            rest: Buffer::new(),
        })
    }

    /// Caches the draft for this thread's next record. After a panic it is dropped instead.
    #[inline(always)]
    fn recycle(mut self: Box<Self>) {
        if self.front.is_large() || self.rest.is_large() {
            self.front.shrink();
            self.rest.shrink();
        }
        let _ = CACHED.try_with(|kept| kept.set(Some(self)));
    }

    /// Completes the record, and returns its bytes.
    #[inline(always)]
    pub(crate) fn finish(&mut self) -> Encoded<'_> {
        if self.dropped_attributes > 0 {
            let count = u64::from(self.dropped_attributes);
            self.rest.append_with(|out| put_uint(out, field::DROPPED_ATTRIBUTES, count));
        }
        let end = if self.unix_nanos > 0 { TAIL_LEN } else { TIME_AT };
        match (self.tail_start, end) {
            // All of it, as in a sampled span. The compiler knows this length.
            (0, TAIL_LEN) => self.rest.append(&self.tail),
            (start, end) => self.rest.append(&self.tail[start..end]),
        }
        if !self.event_name.is_empty() {
            let run_time_name = self.run_time_name.take();
            let name = run_time_name.as_deref().unwrap_or(self.event_name);
            self.rest.append_with(|out| put_bytes(out, field::EVENT_NAME, name.as_bytes()));
        }
        let rest = self.rest.written();
        let start = put_prefix(self.front.written_mut(), self.severity, self.unix_nanos);
        Encoded::new(self.front.written_mut(), start, rest)
    }
}

/// Where the time starts in the tail: after flags, trace id and span id.
const TIME_AT: usize = IDS_AT + 18 + 10;

/// Where the ids start in the tail: after the flags.
const IDS_AT: usize = 5;

/// The length of flags, ids and time.
const TAIL_LEN: usize = TIME_AT + 9;

thread_local! {
    // Taken while in use: a value's `Debug` may log, and then a second record is written meanwhile.
    static CACHED: Cell<Option<Box<Draft>>> = const { Cell::new(None) };
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
    type Permit<'a> = Permit<'a>;

    fn encode_inherited() -> EncodeInherited {
        encode_inherited
    }

    /// Before anything is encoded, so that a full queue costs little.
    #[inline]
    fn reserve(&self, thread: Thread, severity: Severity) -> Option<Permit<'_>> {
        self.pipeline.queue().reserve(thread, severity as u8)
    }

    #[inline]
    fn open<'a>(&'a self, permit: Permit<'a>, target: Target<'a>) -> DirectRecord<'a> {
        DirectRecord::new(permit, target)
    }

    fn count_without_ids(&self) {
        self.pipeline.queue().counters.without_ids(1);
    }

    fn count_refused(&self, job: u64) {
        self.pipeline.queue().count_refused(job);
    }

    #[inline]
    fn emit(&self, record: DirectRecord<'_>) -> bool {
        let DirectRecord { permit, target, mut draft } = record;
        let item = Item { scope: target.into(), job: draft.job, severity: draft.severity as u8 };
        let is_enqueued = permit.enqueue(item, &draft.finish());
        draft.recycle();
        is_enqueued
    }
}

/// A record being written, and the permit to enqueue it.
#[derive(Debug)]
pub struct DirectRecord<'a> {
    /// Dropped unused, it counts the record as lost.
    permit: Permit<'a>,
    /// The name of its scope.
    target: Target<'a>,
    pub(crate) draft: Box<Draft>,
}

impl<'a> DirectRecord<'a> {
    #[inline]
    pub(crate) fn new(permit: Permit<'a>, target: Target<'a>) -> Self {
        Self { permit, target, draft: Draft::take() }
    }
}

/// Puts the header of a body of `len` bytes in front of it, where `reserved` bytes were left for
/// the header.
#[cold]
fn put_long_body_header(out: &mut Buffer, reserved: usize, len: usize) {
    let mut header = Vec::with_capacity(2 * MAX_HEADER);
    put_header(&mut header, field::BODY, field_len(len));
    put_header(&mut header, 1, len);
    out.replace(BODY_AT, reserved, &header);
}

impl Record for DirectRecord<'_> {
    #[inline]
    fn set_time(&mut self, time: SystemTime) {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Wraps in the year 2554.
        let unix_nanos = since.as_secs().wrapping_mul(1_000_000_000) + u64::from(since.subsec_nanos());
        self.draft.unix_nanos = unix_nanos;
        self.draft.tail[TIME_AT] = tag(field::OBSERVED_TIME, FIXED64);
        self.draft.tail[TIME_AT + 1..].copy_from_slice(&unix_nanos.to_le_bytes());
    }

    #[inline]
    fn set_severity(&mut self, severity: Severity) {
        self.draft.severity = severity;
    }

    #[inline]
    fn set_job(&mut self, job: u64) {
        self.draft.job = job;
    }

    #[inline]
    fn set_event_name(&mut self, name: &'static str) {
        self.draft.event_name = name;
    }

    fn set_run_time_name(&mut self, name: &str) -> bool {
        self.draft.event_name = "made at run time";
        self.draft.run_time_name = Some(name.into());
        true
    }

    #[inline(always)]
    fn set_trace_context(&mut self, ids: Option<&Ids>) {
        let Some(ids) = ids else { return };
        let out = &mut self.draft.tail;
        out[0] = tag(field::FLAGS, FIXED32);
        out[1..IDS_AT].copy_from_slice(&u32::from(ids.flags.to_u8()).to_le_bytes());
        out[5..7].copy_from_slice(&[tag(field::TRACE_ID, LENGTH), 16]);
        out[7..23].copy_from_slice(&ids.trace_id.to_bytes());
        out[23..25].copy_from_slice(&[tag(field::SPAN_ID, LENGTH), 8]);
        out[25..TIME_AT].copy_from_slice(&ids.span_id.to_bytes());
        self.draft.tail_start = if ids.flags.to_u8() > 0 { 0 } else { IDS_AT };
    }

    #[inline]
    fn set_body(&mut self, body: Value<'_>) {
        let out = &mut self.draft.front;
        // A callsite may have two fields named `message`. The last one counts.
        out.begin(BODY_AT);
        out.append_with(|out| put_message(out, field::BODY, &body));
    }

    /// Formats the text in its final place, after a header of the usual length.
    #[inline(always)]
    fn format_body(&mut self, text: fmt::Arguments<'_>) -> Formatted {
        const HEADER: usize = 4;
        let out = &mut self.draft.front;
        out.begin(BODY_AT + HEADER);
        let formatted = write_text(out, text);
        let len = out.written().len() - BODY_AT - HEADER;
        if let Ok(len @ ..=125) = u8::try_from(len) {
            let header = [tag(field::BODY, LENGTH), len + 2, tag(1, LENGTH), len];
            out.written_mut()[BODY_AT..][..HEADER].copy_from_slice(&header);
        } else {
            put_long_body_header(out, HEADER, len);
        }
        formatted
    }

    #[inline(never)]
    fn add_attribute(&mut self, key: Key, value: Value<'_>) {
        self.draft.rest.append_with(|out| put_pair(out, field::ATTRIBUTES, key.as_str(), &value));
    }

    // `always`: see `EventVisitor::value`.
    #[inline(always)]
    fn add_field<'v>(&mut self, field: &Field, key: &EncodedKey, value: impl Scalar<'v>) {
        if !put_attribute(&mut self.draft.rest, key, value) {
            self.add_attribute(keys::key(field.name()), value.into());
        }
    }

    #[inline]
    fn add_inherited(&mut self, inherited: &InheritedAttributes) {
        self.draft.rest.append(&inherited.encoded);
    }

    fn set_dropped_attributes(&mut self, count: u32) {
        self.draft.dropped_attributes = count;
    }
}

/// Writes time and severity in front of the body, and returns where they start.
#[inline(always)]
fn put_prefix(front: &mut [u8], severity: Severity, unix_nanos: u64) -> usize {
    let Some(prefix) = front.first_chunk_mut::<BODY_AT>() else { return 0 };
    let (encoded, start) = &SEVERITIES[severity as usize % SEVERITIES.len()];
    prefix[BODY_AT - MAX_SEVERITY..].copy_from_slice(encoded);
    let start = usize::from(*start);
    if unix_nanos == 0 {
        return start;
    }
    let start = start - 9;
    prefix[start] = tag(field::TIME, FIXED64);
    prefix[start + 1..][..8].copy_from_slice(&unix_nanos.to_le_bytes());
    start
}

/// The longest encoding of a severity's number and text, that of "DEBUG4".
const MAX_SEVERITY: usize = 4 + 6;

/// Where the body starts: after the record's own header, the time and the longest severity.
const BODY_AT: usize = MAX_HEADER + 9 + MAX_SEVERITY;

/// The encoded number and text of each severity, by number: right-aligned, with the place where
/// they start in front of a body. There are 24; 32 is a power of two.
static SEVERITIES: [([u8; MAX_SEVERITY], u8); 32] = {
    let mut all = [([0; MAX_SEVERITY], BODY_AT as u8); 32];
    let mut at = 0;
    while at < ALL_SEVERITIES.len() {
        let severity = ALL_SEVERITIES[at];
        let text = severity.name().as_bytes();
        let (bytes, start) = &mut all[severity as usize];
        let (_, own) = bytes.split_at_mut(MAX_SEVERITY - 4 - text.len());
        let (header, name) = own.split_at_mut(4);
        header.copy_from_slice(&[
            tag(field::SEVERITY_NUMBER, VARINT),
            severity as u8,
            tag(field::SEVERITY_TEXT, LENGTH),
            text.len() as u8,
        ]);
        name.copy_from_slice(text);
        *start = (BODY_AT - 4 - text.len()) as u8;
        at += 1;
    }
    all
};
