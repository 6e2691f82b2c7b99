//! What a view knows of a recorder, updated cheaply: the spans, and the last log lines of each.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;

use super::frame::FAILURE_LINES;
use crate::graph::call::{Call, Ids, Outcome};
use crate::graph::live::job::Job;
use crate::graph::live::recorder::Recorder;
use crate::graph::record::{LogRecord, RecordLevel};
use crate::graph::tail::{is_stderr, STREAM};
use crate::graph::tool_call_graph::{Node, ToolCallGraph};
use crate::graph::tree::Parts;
use crate::sorted::sort_by_key;

/// Log lines are truncated to this: more than a terminal is wide.
const MAX_LINE_BYTES: usize = 1024;

/// Whether a span is shown.
pub(super) type Filter = Box<dyn Fn(&Call) -> bool + Send>;

/// The last log lines of a span, and the last error or line of stderr before them.
#[derive(Default)]
struct LastLines {
    reason: Option<LogRecord>,
    last: VecDeque<LogRecord>,
}

impl LastLines {
    fn push(&mut self, record: LogRecord) {
        if self.last.len() == FAILURE_LINES {
            if let Some(first) = self.last.pop_front() {
                let is_error = |record: &LogRecord| record.level >= RecordLevel::Error;
                let had_error = self.reason.as_ref().is_some_and(is_error);
                if is_error(&first) || is_stderr(&first) && !had_error {
                    self.reason = Some(first);
                }
            }
        }
        self.last.push_back(record);
    }

    fn all(&self) -> impl Iterator<Item = &LogRecord> {
        self.reason.iter().chain(&self.last)
    }
}

pub(super) struct ViewState {
    recorder: Recorder,
    filter: Option<Filter>,
    /// The arrival up to which records were read.
    since: u64,
    /// The last log lines of running and failed spans.
    lines: HashMap<Ids, LastLines>,
    /// The last reported outcome of each span.
    reported: HashMap<Ids, Outcome>,
}

impl ViewState {
    pub(super) fn new(recorder: Recorder, filter: Option<Filter>) -> Self {
        Self { recorder, filter, since: 0, lines: HashMap::new(), reported: HashMap::new() }
    }

    /// The current graph, with the last log lines of running and failed spans.
    pub(super) fn current(&mut self) -> ToolCallGraph {
        let (mut calls, mut records) = {
            let jobs = self.recorder.locked();
            let since = mem::replace(&mut self.since, jobs.arrival);
            let all = || jobs.jobs.values().map(|(_, job)| job);
            let records = all().flat_map(|job| job.records_after(since));
            (all().flat_map(Job::calls).collect::<Vec<_>>(), records.collect::<Vec<_>>())
        };
        sort_by_key(&mut calls, |(arrival, _)| *arrival);
        sort_by_key(&mut records, |(arrival, _)| *arrival);
        for (_, record) in &records {
            if let Some(ids) = record.ids() {
                self.lines.entry(ids).or_default().push(short(record));
            }
        }
        let is_open = |call: &Call| call.outcome == Outcome::Running || call.is_red();
        let open: HashSet<Ids> =
            calls.iter().filter(|(_, call)| is_open(call)).map(|(_, call)| call.ids()).collect();
        self.lines.retain(|ids, _| open.contains(ids));
        let parts = Parts {
            calls: calls.into_iter().map(|(_, call)| call).collect(),
            records: self.lines.values().flat_map(LastLines::all).cloned().collect(),
            ..Parts::default()
        };
        ToolCallGraph::of_parts_showing(parts, |call| self.is_shown(call))
    }

    /// The graph of everything that the recorder keeps.
    pub(super) fn complete(&self) -> ToolCallGraph {
        let graph = self.recorder.graph();
        if self.filter.is_some() {
            graph.showing(|call| self.is_shown(call))
        } else {
            graph
        }
    }

    fn is_shown(&self, call: &Call) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter(call))
    }

    /// Whether a span started or ended since the last call of [`current`](Self::current).
    pub(super) fn has_changes(&self) -> bool {
        self.recorder.locked().latest_span > self.since
    }

    /// The lines of the spans that started or ended since the last call, in order. A span that did
    /// both has one line.
    pub(super) fn changes(&mut self, line: impl Fn(Node<'_>) -> String) -> String {
        let graph = self.current();
        let ids = |node: &Node<'_>| node.call().ids();
        let is_new = |node: &Node<'_>| self.reported.get(&ids(node)) != Some(&node.call().outcome);
        let mut changes: Vec<_> = graph.nodes().filter(is_new).collect();
        sort_by_key(&mut changes, |node| node.call().end_unix_nano.unwrap_or(node.call().start_unix_nano));
        let text = changes.into_iter().map(line).collect();
        self.reported = graph.nodes().map(|node| (ids(&node), node.call().outcome)).collect();
        text
    }
}

fn short(record: &LogRecord) -> LogRecord {
    let text = record.text();
    let stream = record.attribute(STREAM).map(|stream| (STREAM.to_owned(), stream.to_owned()));
    LogRecord {
        trace_id: record.trace_id,
        span_id: record.span_id,
        time_unix_nano: record.time_unix_nano,
        level: record.level,
        body: text[..text.floor_char_boundary(MAX_LINE_BYTES)].to_owned(),
        attributes: stream.into_iter().collect(),
        ..LogRecord::default()
    }
}
