//! One job's spans and records, within a limit in bytes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

use crate::graph::call::{Call, Ids};
use crate::graph::counted::counted;
use crate::graph::record::{LogRecord, RecordCounts, RecordLevel};
use crate::graph::tree::Parts;
use crate::keys::Keys;
use crate::sorted::sort_by_key;

/// The memory of a span besides its data: entries of two maps and a queue.
const SPAN_OVERHEAD: usize = 256;

/// The memory of a record besides its data: an entry of a queue.
const RECORD_OVERHEAD: usize = 64;

/// A span in a job, or about to be added to one.
#[derive(Debug)]
pub(super) struct StoredSpan {
    pub(super) call: Arc<Call>,
    bytes: usize,
    /// Position of its start among everything that the recorder received; set when it is added.
    arrival: u64,
    /// Its records that were evicted.
    counted: RecordCounts,
}

impl StoredSpan {
    pub(super) fn of(call: Call) -> Self {
        let bytes = SPAN_OVERHEAD + size_of::<Call>() + call.heap_bytes();
        Self { call: Arc::new(call), bytes, arrival: 0, counted: RecordCounts::default() }
    }

    pub(super) fn is_running(&self) -> bool {
        self.call.end_unix_nano.is_none()
    }
}

/// A record in a job, or about to be added to one.
#[derive(Debug)]
pub(super) struct StoredRecord {
    pub(super) record: Arc<LogRecord>,
    bytes: usize,
    /// Position among everything that the recorder received; set when it is added.
    arrival: u64,
    /// Index of the attribute that is the execution id.
    execution: Option<usize>,
}

impl StoredRecord {
    pub(super) fn of(record: LogRecord, keys: &Keys) -> Self {
        let is_execution = |(key, value): &(String, String)| key == keys.execution_id() && !value.is_empty();
        let execution = record.attributes.iter().rposition(is_execution);
        let bytes =
            RECORD_OVERHEAD + size_of::<LogRecord>() + record.text_bytes() + size_of_val(&*record.attributes);
        Self { record: Arc::new(record), bytes, arrival: 0, execution }
    }

    pub(super) fn execution(&self) -> Option<&str> {
        Some(&self.record.attributes.get(self.execution?)?.1)
    }

    fn is_warning(&self) -> bool {
        self.record.level >= RecordLevel::Warn
    }
}

/// The spans and records of one job.
#[derive(Debug, Default)]
pub(in crate::graph) struct Job {
    spans: HashMap<Ids, StoredSpan>,
    /// The spans that have not ended, by arrival.
    running: BTreeMap<u64, Ids>,
    /// The spans that have ended, in the order in which they ended: eviction starts with them.
    ended: VecDeque<Ids>,
    /// Whether any span ever ended, evicted ones included.
    has_ended: bool,
    /// Of `bytes()`, the part of the spans.
    span_bytes: usize,
    /// Records below WARN, which are evicted first.
    others: RecordQueue,
    /// Records of WARN and above.
    warnings: RecordQueue,
    evicted_spans: u64,
    evicted_records: u64,
}

#[derive(Debug, Default)]
struct RecordQueue {
    records: VecDeque<StoredRecord>,
    bytes: usize,
}

impl RecordQueue {
    fn push(&mut self, record: StoredRecord) {
        self.bytes += record.bytes;
        self.records.push_back(record);
    }

    fn pop(&mut self) -> Option<StoredRecord> {
        let record = self.records.pop_front()?;
        self.bytes -= record.bytes;
        Some(record)
    }

    /// The records that arrived after `since`, newest first.
    fn after(&self, since: u64) -> impl Iterator<Item = (u64, Arc<LogRecord>)> + '_ {
        let records = self.records.iter().rev().take_while(move |record| record.arrival > since);
        records.map(|record| (record.arrival, Arc::clone(&record.record)))
    }
}

impl Job {
    /// Adds a span at its start or at its end. Returns the spans that were evicted for it.
    ///
    /// A span that has ended does not change: a second one with the same id is ignored.
    pub(super) fn add_span(&mut self, mut span: StoredSpan, arrival: u64, max_bytes: usize) -> Vec<Ids> {
        let ids = span.call.ids();
        span.arrival = arrival;
        if self.spans.get(&ids).is_some_and(|known| !known.is_running()) {
            return Vec::new();
        }
        if let Some(known) = self.remove(ids) {
            span.arrival = known.arrival;
            span.counted = known.counted;
        }
        if span.is_running() {
            self.running.insert(span.arrival, ids);
        } else {
            self.ended.push_back(ids);
            self.has_ended = true;
        }
        self.span_bytes += span.bytes;
        self.spans.insert(ids, span);
        let mut evicted = Vec::new();
        while self.span_bytes > max_bytes / 2 {
            let Some(oldest) = self.ended.pop_front().or_else(|| Some(self.running.pop_first()?.1)) else {
                break;
            };
            self.evicted_spans += 1;
            self.remove(oldest);
            evicted.push(oldest);
        }
        self.enforce_limit(max_bytes);
        evicted
    }

    /// Leaves the id of a span that has ended in `ended`.
    fn remove(&mut self, ids: Ids) -> Option<StoredSpan> {
        let span = self.spans.remove(&ids)?;
        self.span_bytes -= span.bytes;
        self.running.remove(&span.arrival);
        Some(span)
    }

    /// Removes a span that has not ended, because it turned out to belong to another job.
    pub(super) fn remove_running(&mut self, ids: Ids) -> Option<StoredSpan> {
        self.spans.get(&ids).is_some_and(StoredSpan::is_running).then(|| self.remove(ids))?
    }

    pub(super) fn add_record(&mut self, mut record: StoredRecord, arrival: u64, max_bytes: usize) {
        record.arrival = arrival;
        match record.is_warning() {
            true => self.warnings.push(record),
            false => self.others.push(record),
        }
        self.enforce_limit(max_bytes);
    }

    /// Evicts records until the job is within its limit; they stay in the counts of their spans.
    fn enforce_limit(&mut self, max_bytes: usize) {
        while self.bytes() > max_bytes {
            let evicted = match self.warnings.bytes > max_bytes / 4 {
                true => self.warnings.pop(),
                false => self.others.pop().or_else(|| self.warnings.pop()),
            };
            let Some(evicted) = evicted else { return };
            self.evicted_records += 1;
            if let Some(span) = evicted.record.ids().and_then(|ids| self.spans.get_mut(&ids)) {
                span.counted.add(evicted.record.level);
            }
        }
    }

    /// An estimate of the memory in use.
    pub(super) fn bytes(&self) -> usize {
        self.span_bytes + self.others.bytes + self.warnings.bytes
    }

    pub(super) fn spans(&self) -> usize {
        self.spans.len()
    }

    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = Ids> + '_ {
        self.spans.keys().copied()
    }

    /// Whether no span is running and at least one has ended.
    pub(super) fn is_finished(&self) -> bool {
        self.running.is_empty() && self.has_ended
    }

    /// The spans, each with its arrival.
    pub(in crate::graph) fn calls(&self) -> impl Iterator<Item = (u64, Arc<Call>)> + '_ {
        self.spans.values().map(|span| (span.arrival, Arc::clone(&span.call)))
    }

    /// The records that arrived after `since`, each with its arrival.
    pub(in crate::graph) fn records_after(
        &self,
        since: u64,
    ) -> impl Iterator<Item = (u64, Arc<LogRecord>)> + '_ {
        self.others.after(since).chain(self.warnings.after(since))
    }

    /// Everything in the job. Called under the lock, so it clones pointers only.
    pub(super) fn snapshot(&self) -> Snapshot {
        let counted = self.spans.iter().filter(|(_, span)| span.counted.total() > 0);
        Snapshot {
            calls: self.calls().collect(),
            records: self.records_after(0).collect(),
            counted: counted.map(|(ids, span)| (*ids, span.counted)).collect(),
            evicted_spans: self.evicted_spans,
            evicted_records: self.evicted_records,
        }
    }
}

/// A job at one moment.
pub(super) struct Snapshot {
    calls: Vec<(u64, Arc<Call>)>,
    records: Vec<(u64, Arc<LogRecord>)>,
    counted: HashMap<Ids, RecordCounts>,
    evicted_spans: u64,
    evicted_records: u64,
}

impl Snapshot {
    /// Sorted by arrival, which decides the order of equal times.
    pub(super) fn into_parts(mut self) -> Parts {
        sort_by_key(&mut self.calls, |(arrival, _)| *arrival);
        sort_by_key(&mut self.records, |(arrival, _)| *arrival);
        let notes = [
            counted(self.evicted_spans, "older span was dropped", "older spans were dropped"),
            counted(self.evicted_records, "older record was dropped", "older records were dropped"),
        ];
        Parts {
            calls: self.calls.into_iter().map(|(_, call)| call).collect(),
            records: self.records.into_iter().map(|(_, record)| Arc::unwrap_or_clone(record)).collect(),
            counted: self.counted,
            notes: notes.into_iter().flatten().collect(),
        }
    }
}
