//! What was read so far, in bounded memory.

use std::collections::{HashMap, VecDeque};
use std::mem::size_of;

use crate::graph::call::{Call, RawSpan};
use crate::graph::record::{LogRecord, RecordCounts};
use crate::graph::tree::{Ids, Parts};
use crate::keys::Keys;

/// What an entry costs beside its own bytes: its place in the tree, in a list and in an index.
const ENTRY_BYTES: usize = 256;

/// What a string costs beside its bytes, the allocator's share included.
const STRING_BYTES: usize = size_of::<String>() + 16;

/// Spans and records, the oldest of which go when there are too many.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) keys: Keys,
    pub(super) limit: usize,
    used: usize,
    calls: VecDeque<Call>,
    records: VecDeque<LogRecord>,
    /// Of the records that were let go.
    counted: HashMap<Ids, RecordCounts>,
    read_calls: u64,
    read_records: u64,
    dropped_calls: u64,
    dropped_records: u64,
}

/// How far the reading had come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    calls: u64,
    records: u64,
}

impl Store {
    pub(super) fn new(keys: Keys, limit: usize) -> Self {
        Self {
            keys,
            limit,
            used: 0,
            calls: VecDeque::new(),
            records: VecDeque::new(),
            counted: HashMap::new(),
            read_calls: 0,
            read_records: 0,
            dropped_calls: 0,
            dropped_records: 0,
        }
    }

    pub(super) fn add_span(&mut self, span: RawSpan) {
        let call = Call::from_raw(span, &self.keys);
        self.used += size_of_call(&call);
        self.calls.push_back(call);
        self.read_calls += 1;
        self.enforce_limit();
    }

    pub(super) fn add_record(&mut self, record: LogRecord) {
        self.used += size_of_record(&record);
        self.records.push_back(record);
        self.read_records += 1;
        self.enforce_limit();
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { calls: self.read_calls, records: self.read_records }
    }

    /// How many spans and records were read since.
    pub(super) fn since(&self, mark: Mark) -> u64 {
        self.read_calls - mark.calls + (self.read_records - mark.records)
    }

    /// Says of what was read since `mark` to which service it belongs. A message may tell that after
    /// its spans.
    pub(super) fn set_service(&mut self, mark: Mark, service: &str) {
        let since = newest(self.calls.len(), self.read_calls - mark.calls);
        for call in self.calls.range_mut(since..) {
            self.used += STRING_BYTES + service.len();
            call.service = Some(service.to_owned());
        }
        self.enforce_limit();
    }

    /// Says of what was read since `mark` which scope it has.
    pub(super) fn set_target(&mut self, mark: Mark, target: &str) {
        let since = newest(self.records.len(), self.read_records - mark.records);
        for record in self.records.range_mut(since..) {
            self.used += target.len();
            target.clone_into(&mut record.target);
        }
        self.enforce_limit();
    }

    /// What is kept, and whether something is not.
    pub(super) fn into_parts(self, mut notes: Vec<String>) -> Parts {
        let limit = self.limit.div_ceil(1 << 20);
        for (count, what) in [
            (self.dropped_calls, "spans were dropped"),
            (self.dropped_records, "records were dropped, and only counted"),
        ] {
            if count > 0 {
                notes.push(format!("{count} older {what}: the memory limit is {limit} MiB"));
            }
        }
        Parts { calls: self.calls.into(), records: self.records.into(), counted: self.counted, notes }
    }

    /// Records go before spans: without its spans a record has no place.
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

    /// Numbers need room too, so there is an end to the spans that have some.
    fn count(&mut self, record: &LogRecord) {
        let Some(ids) = record.trace_id.zip(record.span_id) else { return };
        let has_capacity = self.counted.len() < self.limit / 4 / ENTRY_BYTES;
        if has_capacity || self.counted.contains_key(&ids) {
            self.counted.entry(ids).or_default().add(record.level);
        }
    }
}

/// Where the newest `count` of `len` begin. Some of them may be gone already.
fn newest(len: usize, count: u64) -> usize {
    len.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX))
}

fn size_of_call(call: &Call) -> usize {
    let optional = [&call.tool, &call.operation, &call.execution_id, &call.service];
    let optional: usize = optional.into_iter().flatten().map(|text| STRING_BYTES + text.len()).sum();
    let own = size_of::<Call>() + call.name.len() + call.message.len();
    ENTRY_BYTES + own + optional + size_of_attributes(&call.attributes)
}

fn size_of_record(record: &LogRecord) -> usize {
    let own = size_of::<LogRecord>() + record.target.len() + record.event_name.len() + record.body.len();
    ENTRY_BYTES + own + size_of_attributes(&record.attributes)
}

fn size_of_attributes(attributes: &[(String, String)]) -> usize {
    attributes.iter().map(|(key, value)| 2 * STRING_BYTES + key.len() + value.len()).sum()
}
