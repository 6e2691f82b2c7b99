//! The graph as JSON: rows of numbers, and one table of the strings that they refer to.
//!
//! `script/data.js` reads the rows and names their columns.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::{self, Write};

use opentelemetry::TraceId;

use super::escape;
use crate::graph::call::{Call, Outcome};
use crate::graph::record::{Level, LogRecord};
use crate::graph::tool_call_graph::{Node, ToolCallGraph};

/// Rows refer to outcomes by index.
const OUTCOMES: [Outcome; 8] = [
    Outcome::Running,
    Outcome::Skipped,
    Outcome::Ok,
    Outcome::Failed,
    Outcome::Cancelled,
    Outcome::TimedOut,
    Outcome::Panicked,
    Outcome::Dropped,
];

pub(super) fn write(graph: &ToolCallGraph, to: &mut impl Write) -> io::Result<()> {
    let mut data = Data { graph, origin: origin(graph), strings: Table::default(), traces: Table::default() };
    write!(to, "{{\"format\":1,\"origin\":\"{}\",\"outcomes\":", data.origin)?;
    list(to, OUTCOMES, |to, outcome| escape::json(to, outcome.name()))?;
    write!(to, ",\"levels\":")?;
    list(to, Level::ALL, |to, level| escape::json(to, level.name()))?;
    write!(to, ",\"notes\":")?;
    list(to, graph.notes(), |to, note| escape::json(to, note))?;
    write!(to, ",\n\"spans\":")?;
    let rows = data.spans(to)?;
    write!(to, ",\n\"records\":")?;
    data.records(to, &rows)?;
    write!(to, ",\n\"traces\":")?;
    list(to, data.traces.values, |to, trace| write!(to, "\"{trace}\""))?;
    write!(to, ",\n\"strings\":")?;
    list(to, data.strings.values, escape::json)?;
    write!(to, "}}")
}

/// The earliest time in the graph. All times are written as nanoseconds since then, because
/// nanoseconds since 1970 exceed the integers that a JavaScript number can hold.
fn origin(graph: &ToolCallGraph) -> u64 {
    let calls = graph.tree.calls.iter().flat_map(|call| [Some(call.start_unix_nano), call.end_unix_nano]);
    let records = graph.tree.records.iter().map(|record| record.time_unix_nano);
    calls.flatten().chain(records).filter(|time| *time != 0).min().unwrap_or(0)
}

struct Data<'a> {
    graph: &'a ToolCallGraph,
    origin: u64,
    strings: Table<&'a str>,
    traces: Table<TraceId>,
}

impl<'a> Data<'a> {
    /// Writes all spans that are shown, parents first, and returns the row of each call.
    fn spans(&mut self, to: &mut impl Write) -> io::Result<Vec<Option<usize>>> {
        let mut rows = vec![None; self.graph.tree.calls.len()];
        let graph = self.graph;
        list(to, graph.nodes().enumerate(), |to, (row, node)| {
            rows[node.index] = Some(row);
            let parent = node.parent().and_then(|parent| rows[parent.index]);
            self.span(to, node, parent)
        })?;
        Ok(rows)
    }

    fn span(&mut self, to: &mut impl Write, node: Node<'a>, parent: Option<usize>) -> io::Result<()> {
        let call = node.call();
        write!(to, "[")?;
        match parent {
            Some(row) => write!(to, "{row}")?,
            None => write!(to, "-1")?,
        }
        write!(to, ",{},\"{}\",", self.traces.number(call.trace_id), call.span_id)?;
        write!(to, "{},", self.strings.number(&call.name))?;
        self.title(to, call)?;
        for text in [&call.tool, &call.operation, &call.execution_id, &call.service] {
            write!(to, ",")?;
            self.optional(to, text.as_deref())?;
        }
        let start = Some(call.start_unix_nano).filter(|start| *start != 0);
        for time in [start, call.end_unix_nano] {
            write!(to, ",")?;
            self.time(to, time)?;
        }
        let outcome = OUTCOMES.iter().position(|outcome| *outcome == call.outcome).unwrap_or_default();
        let flags = [node.fails(), node.contains_failure(), call.is_runner_internal(), call.is_error];
        let flags: u8 = flags.iter().enumerate().map(|(bit, flag)| u8::from(*flag) << bit).sum();
        write!(to, ",{outcome},{flags},{},", self.strings.number(&call.message))?;
        self.attributes(to, &call.attributes)?;
        write!(to, ",")?;
        counted_only(to, node)?;
        // A parent in the graph is referred to by row.
        match parent.is_none() && call.parent_id != opentelemetry::SpanId::INVALID {
            true => write!(to, ",\"{}\"]", call.parent_id),
            false => write!(to, ",null]"),
        }
    }

    /// `null` if it is the name. Not in the table of strings, which borrows from the graph.
    fn title(&mut self, to: &mut impl Write, call: &Call) -> io::Result<()> {
        match call.title() {
            title if title == call.name => write!(to, "null"),
            title => escape::json(to, &title),
        }
    }

    fn records(&mut self, to: &mut impl Write, rows: &[Option<usize>]) -> io::Result<()> {
        let graph = self.graph;
        let mut span_of = vec![None; graph.tree.records.len()];
        for ((place, call), row) in graph.tree.places.iter().zip(&graph.tree.calls).zip(rows) {
            for record in &place.records {
                span_of[*record] = row.map(|row| (row, call));
            }
        }
        let placed = graph.tree.records.iter().zip(span_of);
        list(to, placed, |to, (record, span)| self.record(to, record, span))
    }

    fn record(
        &mut self,
        to: &mut impl Write,
        record: &'a LogRecord,
        span: Option<(usize, &Call)>,
    ) -> io::Result<()> {
        match span {
            Some((row, _)) => write!(to, "[{row},")?,
            None => write!(to, "[-1,")?,
        }
        self.time(to, Some(record.time_unix_nano).filter(|time| *time != 0))?;
        write!(to, ",{}", record.level as usize)?;
        for text in [&record.target, &record.event_name, &record.body] {
            write!(to, ",{}", self.strings.number(text))?;
        }
        write!(to, ",")?;
        self.attributes(to, &record.attributes)?;
        // Most records have the ids of their row's span.
        let ids = (record.trace_id, record.span_id);
        if span.is_some_and(|(_, call)| ids == (Some(call.trace_id), Some(call.span_id))) {
            return write!(to, ",null,null]");
        }
        match record.trace_id {
            Some(trace) => write!(to, ",{}", self.traces.number(trace))?,
            None => write!(to, ",null")?,
        }
        match record.span_id {
            Some(span) => write!(to, ",\"{span}\"]"),
            None => write!(to, ",null]"),
        }
    }

    fn attributes(&mut self, to: &mut impl Write, attributes: &'a [(String, String)]) -> io::Result<()> {
        let texts = attributes.iter().flat_map(|(key, value)| [key, value]);
        list(to, texts, |to, text| write!(to, "{}", self.strings.number(text)))
    }

    fn optional(&mut self, to: &mut impl Write, text: Option<&'a str>) -> io::Result<()> {
        match text {
            Some(text) => write!(to, "{}", self.strings.number(text)),
            None => write!(to, "null"),
        }
    }

    fn time(&self, to: &mut impl Write, time: Option<u64>) -> io::Result<()> {
        match time {
            Some(time) => write!(to, "{}", time - self.origin),
            None => write!(to, "null"),
        }
    }
}

/// How many records of each level were counted but not kept; 0 if there are none.
fn counted_only(to: &mut impl Write, node: Node<'_>) -> io::Result<()> {
    let mut counts = Level::ALL.map(|level| node.own_counts().of(level));
    for record in node.own_records() {
        counts[record.level as usize] -= 1;
    }
    match counts.iter().all(|count| *count == 0) {
        true => write!(to, "0"),
        false => list(to, counts, |to, count| write!(to, "{count}")),
    }
}

fn list<W: Write, T>(
    to: &mut W,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    to.write_all(b"[")?;
    for (position, value) in items.into_iter().enumerate() {
        if position > 0 {
            to.write_all(b",")?;
        }
        item(to, value)?;
    }
    to.write_all(b"]")
}

/// Distinct values, numbered in the order of their first use.
struct Table<T> {
    values: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Copy + Eq + Hash> Table<T> {
    fn number(&mut self, value: T) -> usize {
        *self.numbers.entry(value).or_insert_with(|| {
            self.values.push(value);
            self.values.len() - 1
        })
    }
}
