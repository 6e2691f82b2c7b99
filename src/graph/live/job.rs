//! One job's spans and records, within a bound in bytes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

use crate::graph::call::Call;
use crate::graph::record::{Level, LogRecord, RecordCounts};
use crate::graph::tree::{Ids, Parts};
use crate::keys::Keys;

/// What the tables take for a span besides its data: entries of two maps and a queue.
const SPAN_OVERHEAD: usize = 256;

/// What the queue takes for a record besides its data.
const RECORD_OVERHEAD: usize = 64;

/// A span on its way into a job, and there.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) call: Arc<Call>,
    bytes: usize,
    /// When it was first heard of.
    turn: u64,
    /// Records of it that were let go.
    counted: RecordCounts,
}

impl Kept {
    pub(super) fn of(call: Call) -> Self {
        let texts = [&call.tool, &call.operation, &call.execution_id, &call.service];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        let bytes = size_of::<Call>()
            + SPAN_OVERHEAD
            + call.name.len()
            + call.message.len()
            + texts
            + attribute_bytes(&call.attributes);
        Self { call: Arc::new(call), bytes, turn: 0, counted: RecordCounts::default() }
    }

    pub(super) fn ids(&self) -> Ids {
        (self.call.trace_id, self.call.span_id)
    }

    pub(super) fn is_running(&self) -> bool {
        self.call.end_unix_nano.is_none()
    }
}

/// A record on its way into a job, and there.
#[derive(Debug)]
pub(super) struct Line {
    record: Arc<LogRecord>,
    bytes: usize,
    turn: u64,
    /// Which of the attributes is the execution id.
    execution: Option<usize>,
}

impl Line {
    pub(super) fn of(record: LogRecord, keys: &Keys) -> Self {
        let is_execution = |(key, value): &(String, String)| key == keys.execution_id() && !value.is_empty();
        let execution = record.attributes.iter().rposition(is_execution);
        let bytes = size_of::<LogRecord>()
            + RECORD_OVERHEAD
            + record.target.len()
            + record.event_name.len()
            + record.body.len()
            + attribute_bytes(&record.attributes);
        Self { record: Arc::new(record), bytes, turn: 0, execution }
    }

    pub(super) fn execution(&self) -> Option<&str> {
        Some(&self.record.attributes.get(self.execution?)?.1)
    }

    pub(super) fn ids(&self) -> Option<Ids> {
        self.record.trace_id.zip(self.record.span_id)
    }

    fn is_loud(&self) -> bool {
        self.record.level >= Level::Warn
    }
}

fn attribute_bytes(attributes: &[(String, String)]) -> usize {
    let texts = attributes.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    texts + size_of_val(attributes)
}

/// What is kept of a job.
#[derive(Debug, Default)]
pub(super) struct Job {
    spans: HashMap<Ids, Kept>,
    /// Those that have not ended, by their turn.
    running: BTreeMap<u64, Ids>,
    /// Those that have, the first to end first.
    ended: VecDeque<Ids>,
    has_ended: bool,
    span_bytes: usize,
    quiet: Lines,
    /// WARN and above.
    loud: Lines,
    spans_let_go: u64,
    records_let_go: u64,
}

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Lines {
    fn push(&mut self, line: Line) {
        self.bytes += line.bytes;
        self.lines.push_back(line);
    }

    fn pop(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.bytes;
        Some(line)
    }

    /// The latest first, back to `since`.
    fn after(&self, since: u64) -> impl Iterator<Item = (u64, Arc<LogRecord>)> + '_ {
        let lines = self.lines.iter().rev().take_while(move |line| line.turn > since);
        lines.map(|line| (line.turn, Arc::clone(&line.record)))
    }
}

impl Job {
    /// Takes what is known of a span at its start, or at its end. Returns the spans that had to go.
    ///
    /// A span that has ended does not change: of two with one id the first stays.
    pub(super) fn span(&mut self, mut span: Kept, turn: u64, most_bytes: usize) -> Vec<Ids> {
        let ids = span.ids();
        span.turn = turn;
        let mut gone = Vec::new();
        if let Some(known) = self.remove(ids) {
            if !known.is_running() {
                self.insert(ids, known);
                return gone;
            }
            span.turn = known.turn;
            span.counted = known.counted;
        }
        if span.is_running() {
            self.running.insert(span.turn, ids);
        } else {
            self.ended.push_back(ids);
            self.has_ended = true;
        }
        self.insert(ids, span);
        while self.span_bytes > most_bytes / 2 {
            let Some(oldest) = self.ended.pop_front().or_else(|| Some(self.running.pop_first()?.1)) else {
                break;
            };
            self.spans_let_go += 1;
            self.remove(oldest);
            gone.push(oldest);
        }
        self.keep_within(most_bytes);
        gone
    }

    fn insert(&mut self, ids: Ids, span: Kept) {
        self.span_bytes += span.bytes;
        self.spans.insert(ids, span);
    }

    /// A span that has ended stays in `ended`.
    fn remove(&mut self, ids: Ids) -> Option<Kept> {
        let span = self.spans.remove(&ids)?;
        self.span_bytes -= span.bytes;
        self.running.remove(&span.turn);
        Some(span)
    }

    /// Removes a span that has not ended, with what was counted for it: it is another job's after all.
    pub(super) fn hand_over(&mut self, ids: Ids) -> Option<Kept> {
        self.spans.get(&ids).is_some_and(Kept::is_running).then(|| self.remove(ids))?
    }

    pub(super) fn record(&mut self, mut line: Line, turn: u64, most_bytes: usize) {
        line.turn = turn;
        match line.is_loud() {
            true => self.loud.push(line),
            false => self.quiet.push(line),
        }
        self.keep_within(most_bytes);
    }

    fn keep_within(&mut self, most_bytes: usize) {
        while self.bytes() > most_bytes {
            let gone = match self.loud.bytes > most_bytes / 4 {
                true => self.loud.pop(),
                false => self.quiet.pop().or_else(|| self.loud.pop()),
            };
            let Some(gone) = gone else { return };
            self.records_let_go += 1;
            if let Some(span) = gone.ids().and_then(|ids| self.spans.get_mut(&ids)) {
                span.counted.add(gone.record.level);
            }
        }
    }

    /// What it takes, as far as the data itself goes.
    pub(super) fn bytes(&self) -> usize {
        self.span_bytes + self.quiet.bytes + self.loud.bytes
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

    /// Nothing runs in it, and something did.
    pub(super) fn is_finished(&self) -> bool {
        self.running.is_empty() && self.has_ended
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = (u64, Arc<Call>)> + '_ {
        self.spans.values().map(|span| (span.turn, Arc::clone(&span.call)))
    }

    pub(super) fn records_after(&self, since: u64) -> impl Iterator<Item = (u64, Arc<LogRecord>)> + '_ {
        self.quiet.after(since).chain(self.loud.after(since))
    }

    /// Everything, at no more than a pointer each: to be called under the lock.
    pub(super) fn snapshot(&self) -> Snapshot {
        let counted = self.spans.iter().filter(|(_, span)| span.counted.total() > 0);
        Snapshot {
            calls: self.calls().collect(),
            records: self.records_after(0).collect(),
            counted: counted.map(|(ids, span)| (*ids, span.counted)).collect(),
            spans_let_go: self.spans_let_go,
            records_let_go: self.records_let_go,
        }
    }
}

/// What a job was at one moment.
pub(super) struct Snapshot {
    calls: Vec<(u64, Arc<Call>)>,
    records: Vec<(u64, Arc<LogRecord>)>,
    counted: HashMap<Ids, RecordCounts>,
    spans_let_go: u64,
    records_let_go: u64,
}

impl Snapshot {
    /// In the order in which things came in, which decides where times are equal.
    pub(super) fn into_parts(mut self) -> Parts {
        self.calls.sort_unstable_by_key(|(turn, _)| *turn);
        self.records.sort_unstable_by_key(|(turn, _)| *turn);
        let mut notes = Vec::new();
        for (count, what) in [(self.spans_let_go, "span"), (self.records_let_go, "record")] {
            match count {
                0 => {}
                1 => notes.push(format!("1 older {what} was dropped")),
                many => notes.push(format!("{many} older {what}s were dropped")),
            }
        }
        Parts {
            calls: self.calls.into_iter().map(|(_, call)| Arc::unwrap_or_clone(call)).collect(),
            records: self.records.into_iter().map(|(_, record)| Arc::unwrap_or_clone(record)).collect(),
            counted: self.counted,
            notes,
        }
    }
}
