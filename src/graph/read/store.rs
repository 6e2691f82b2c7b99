//! The spans and records that were read, in bounded memory, with notes about them.

use std::collections::{HashMap, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

use opentelemetry::{SpanId, TraceId};

use super::notes::{Cause, Notes};
use crate::graph::call::{Call, Ids, RawSpan};
use crate::graph::record::{LogRecord, RecordCounts};
use crate::graph::tree::Parts;
use crate::keys::Keys;

/// The memory of a span or record besides its data: its place in the tree, in a list and in an
/// index.
const ENTRY_BYTES: usize = 256;

/// The memory of an allocation besides its bytes: the allocator's overhead.
const ALLOCATION_BYTES: usize = 16;

/// The memory of a string besides its bytes.
const STRING_BYTES: usize = size_of::<String>() + ALLOCATION_BYTES;

/// Spans and records. When they exceed the limit, the oldest ones are dropped.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Spans without an end may still be running: they are from a spool.
    pub(super) are_live: bool,
    /// Which attributes are tool, operation and ids: the first that a span has counts.
    pub(super) keys: Vec<Keys>,
    pub(super) limit: usize,
    pub(super) notes: Notes,
    /// An estimate of the memory in use.
    used: usize,
    calls: VecDeque<Call>,
    records: VecDeque<LogRecord>,
    /// The dropped records, by span.
    counted: HashMap<Ids, RecordCounts>,
    read_calls: u64,
    read_records: u64,
    dropped_calls: u64,
    dropped_records: u64,
}

/// A position in what has been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    calls: u64,
    records: u64,
}

impl Store {
    pub(super) fn new(limit: usize) -> Self {
        Self { keys: Keys::PRESETS.to_vec(), limit, ..Self::default() }
    }

    /// Adds a span. One without ids can be neither identified nor a parent, so it is skipped.
    pub(super) fn add_span(&mut self, span: RawSpan, is_truncated: bool, place: &str) {
        if span.trace_id == TraceId::INVALID || span.span_id == SpanId::INVALID {
            return self.notes.add(Cause::Unusable, || {
                format!("{place}: a span without a valid trace_id and span_id was skipped")
            });
        }
        if is_truncated {
            self.notes.add(Cause::TruncatedItem, || {
                format!("{place}: attributes, events or links of the span {:?} were truncated", span.name)
            });
        }
        let call = Call::from_raw(RawSpan { is_live: self.are_live, ..span }, &self.keys);
        self.used += size_of_call(&call);
        self.calls.push_back(call);
        self.read_calls += 1;
        self.enforce_limit();
    }

    pub(super) fn add_record(&mut self, record: LogRecord, is_truncated: bool, place: &str) {
        if is_truncated {
            self.notes.add(Cause::TruncatedItem, || format!("{place}: a log record was truncated"));
        }
        self.used += size_of_record(&record);
        self.records.push_back(record);
        self.read_records += 1;
        self.enforce_limit();
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { calls: self.read_calls, records: self.read_records }
    }

    /// How many spans and records were read since `mark`.
    pub(super) fn since(&self, mark: Mark) -> u64 {
        self.read_calls - mark.calls + (self.read_records - mark.records)
    }

    /// Sets the service of the spans read since `mark`: a message may have its resource after its
    /// spans.
    pub(super) fn set_service(&mut self, mark: Mark, service: &str) {
        let since = newest(self.calls.len(), self.read_calls - mark.calls);
        for call in self.calls.range_mut(since..) {
            self.used += ALLOCATION_BYTES + service.len();
            call.service = Some(service.to_owned());
        }
        self.enforce_limit();
    }

    /// Sets the target of the records read since `mark`.
    pub(super) fn set_target(&mut self, mark: Mark, target: &str) {
        let since = newest(self.records.len(), self.read_records - mark.records);
        for record in self.records.range_mut(since..) {
            self.used += target.len();
            target.clone_into(&mut record.target);
        }
        self.enforce_limit();
    }

    /// What is kept, with notes about what was dropped.
    pub(super) fn into_parts(self) -> Parts {
        let mut notes = self.notes.texts();
        let limit = self.limit.div_ceil(1 << 20);
        for (count, what) in [
            (self.dropped_calls, "spans were dropped"),
            (self.dropped_records, "records were dropped, and only counted"),
        ] {
            if count > 0 {
                notes.push(format!("{count} older {what}: the memory limit is {limit} MiB"));
            }
        }
        let calls = self.calls.into_iter().map(Arc::new).collect();
        Parts { calls, records: self.records.into(), counted: self.counted, notes }
    }

    /// Records are dropped before spans: without its span a record has no place in the tree.
    fn enforce_limit(&mut self) {
        while self.used > self.limit {
            if let Some(record) = self.records.pop_front() {
                self.used -= size_of_record(&record).min(self.used);
                self.dropped_records += 1;
                self.count(&record);
            } else if let Some(call) = self.calls.pop_front() {
                self.used -= size_of_call(&call).min(self.used);
                self.dropped_calls += 1;
            } else {
                return;
            }
        }
    }

    /// Counts take memory too, so the number of spans that have them is limited.
    fn count(&mut self, record: &LogRecord) {
        let Some(ids) = record.ids() else { return };
        let has_capacity = self.counted.len() < self.limit / 4 / ENTRY_BYTES;
        if has_capacity || self.counted.contains_key(&ids) {
            self.counted.entry(ids).or_default().add(record.level);
        }
    }
}

/// The index of the newest `count` of `len`, some of which may have been dropped.
fn newest(len: usize, count: u64) -> usize {
    len.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX))
}

fn size_of_call(call: &Call) -> usize {
    let optional = [&call.tool, &call.operation, &call.job_id, &call.execution_id, &call.service];
    let of_events = call.events.iter().map(|event| 2 + 2 * event.attributes.len()).sum::<usize>();
    let of_links = call.links.iter().map(|link| 1 + 2 * link.attributes.len()).sum::<usize>();
    let strings = optional.into_iter().flatten().count() + 2 * call.attributes.len();
    let allocations = strings + of_events + of_links;
    ENTRY_BYTES + size_of::<Call>() + call.heap_bytes() + ALLOCATION_BYTES * allocations
}

fn size_of_record(record: &LogRecord) -> usize {
    let strings = 2 * record.attributes.len();
    ENTRY_BYTES + size_of::<LogRecord>() + record.text_bytes() + STRING_BYTES * strings
}
