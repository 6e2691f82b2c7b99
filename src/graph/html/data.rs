//! The graph as JSON: rows of numbers, and one table of the strings that they refer to.
//!
//! `script/data.js` reads the rows and names their columns.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::{self, Write};

use opentelemetry::trace::SpanKind;
use opentelemetry::{SpanId, TraceId};
use serde::{Serialize, Serializer as _};
use serde_json::ser::Formatter;
use serde_json::{json, Serializer, Value};

use crate::graph::call::Call;
use crate::graph::escape::needs_escape;
use crate::graph::event::{SpanEvent, SpanLink};
use crate::graph::jobs::Job;
use crate::graph::record::{LogRecord, RecordLevel};
use crate::graph::rows::SiblingRow;
use crate::graph::tool_call_graph::{Node, ToolCallGraph};

pub(super) fn write(graph: &ToolCallGraph, to: &mut impl Write) -> io::Result<()> {
    let mut data = Data { origin: origin(graph), ..Data::default() };
    write!(to, "{{\"format\":1,\"origin\":\"{}\",\"levels\":", data.origin)?;
    list(to, RecordLevel::ALL.map(RecordLevel::name))?;
    write!(to, ",\"notes\":")?;
    list(to, graph.notes())?;
    write!(to, ",\n\"spans\":")?;
    let mut rows = vec![None; graph.tree.calls.len()];
    list(
        to,
        graph.nodes().enumerate().map(|(row, node)| {
            rows[node.index] = Some(row);
            data.span(node, node.parent().and_then(|parent| rows[parent.index]))
        }),
    )?;
    write!(to, ",\n\"records\":")?;
    let mut span_of = vec![None; graph.tree.records.len()];
    for ((place, call), row) in graph.tree.places.iter().zip(&graph.tree.calls).zip(&rows) {
        for record in &place.records {
            span_of[*record] = row.map(|row| (row, &**call));
        }
    }
    let records = graph.tree.records.iter().zip(span_of);
    list(to, records.map(|(record, span)| data.record(record, span)))?;
    write!(to, ",\n\"jobs\":")?;
    list(to, graph.jobs().iter().map(|job| data.job(job, &rows)))?;
    write!(to, ",\n\"groups\":")?;
    list(to, groups(graph, &rows))?;
    write!(to, ",\n\"failures\":")?;
    list(to, graph.failures().iter().map(|node| rows[node.index]))?;
    write!(to, ",\n\"outcomes\":")?;
    list(to, data.outcomes.values)?;
    write!(to, ",\n\"traces\":")?;
    list(to, data.traces.values.iter().map(TraceId::to_string))?;
    write!(to, ",\n\"strings\":")?;
    list(to, data.strings.values)?;
    write!(to, "}}")
}

/// The earliest time in the graph. All times are written as nanoseconds since then, because
/// nanoseconds since 1970 exceed the integers that a JavaScript number can hold.
fn origin(graph: &ToolCallGraph) -> u64 {
    let calls = graph.tree.calls.iter().flat_map(|call| [Some(call.start_unix_nano), call.end_unix_nano]);
    let events = graph.tree.calls.iter().flat_map(|call| &call.events).map(|event| event.time_unix_nano);
    let records = graph.tree.records.iter().map(|record| record.time_unix_nano);
    calls.flatten().chain(events).chain(records).filter(|time| *time != 0).min().unwrap_or(0)
}

#[derive(Default)]
struct Data<'a> {
    origin: u64,
    strings: Table<&'a str>,
    traces: Table<TraceId>,
    outcomes: Table<&'static str>,
}

impl<'a> Data<'a> {
    fn span(&mut self, node: Node<'a>, parent: Option<usize>) -> Value {
        let call = node.call();
        // Not in the table of strings, which borrows from the graph.
        let title = Some(node.title()).filter(|title| *title != call.name);
        let flags = [
            node.fails(),
            node.contains_failure(),
            call.is_runner_internal(),
            call.is_error,
            node.is_cause(),
            node.is_recovered(),
            node.propagates_failure(),
        ];
        let flags: u8 = flags.iter().enumerate().map(|(bit, flag)| u8::from(*flag) << bit).sum();
        // A parent in the graph is referred to by row.
        let unknown_parent = parent.is_none() && call.parent_id != SpanId::INVALID;
        let kind = (call.kind != SpanKind::Internal).then(|| kind_name(&call.kind));
        let row = json!([
            row_number(parent),
            self.traces.number(call.trace_id),
            call.span_id.to_string(),
            self.strings.number(&call.name),
            title,
            self.optional(&call.tool),
            self.optional(&call.operation),
            self.optional(&call.execution_id),
            self.optional(&call.service),
            self.time(call.start_unix_nano),
            self.time(call.end_unix_nano.unwrap_or(0)),
            self.outcomes.number(call.outcome.name()),
            flags,
            self.strings.number(&call.message),
            self.attributes(&call.attributes),
            counted_only(node),
            unknown_parent.then(|| call.parent_id.to_string()),
            kind,
            self.events(&call.events),
            self.links(&call.links),
            node.label().map(|label| self.strings.number(label)),
        ]);
        without_nulls_at_the_end(row)
    }

    /// `null` if there are none.
    fn events(&mut self, events: &'a [SpanEvent]) -> Option<Vec<Value>> {
        let rows = events.iter().map(|event| {
            let name = self.strings.number(&event.name);
            json!([name, self.time(event.time_unix_nano), self.attributes(&event.attributes)])
        });
        Some(rows.collect()).filter(|rows: &Vec<_>| !rows.is_empty())
    }

    /// `null` if there are none.
    fn links(&mut self, links: &'a [SpanLink]) -> Option<Vec<Value>> {
        let rows = links.iter().map(|link| {
            let trace = self.traces.number(link.trace_id);
            json!([trace, link.span_id.to_string(), self.attributes(&link.attributes)])
        });
        Some(rows.collect()).filter(|rows: &Vec<_>| !rows.is_empty())
    }

    fn job(&self, job: &Job<'_>, rows: &[Option<usize>]) -> Value {
        let roots: Vec<_> = job.roots().iter().map(|root| rows[root.index]).collect();
        let (start, end) = (self.time(job.start_unix_nano()), self.time(job.end_unix_nano()));
        json!([job.title(), roots, start, end, job.outcome().name(), u8::from(job.fails())])
    }

    fn record(&mut self, record: &'a LogRecord, span: Option<(usize, &Call)>) -> Value {
        // Most records have the ids of their row's span.
        let has_other_ids = span.is_none_or(|(_, call)| record.ids() != Some(call.ids()));
        let trace_id = record.trace_id.filter(|_| has_other_ids);
        let span_id = record.span_id.filter(|_| has_other_ids);
        json!([
            row_number(span.map(|(row, _)| row)),
            self.time(record.time_unix_nano),
            record.level as usize,
            self.strings.number(&record.target),
            self.strings.number(&record.event_name),
            self.strings.number(&record.body),
            self.attributes(&record.attributes),
            trace_id.map(|id| self.traces.number(id)),
            span_id.map(|id| id.to_string()),
        ])
    }

    fn attributes(&mut self, attributes: &'a [(String, String)]) -> Vec<usize> {
        let texts = attributes.iter().flat_map(|(key, value)| [key, value]);
        texts.map(|text| self.strings.number(text)).collect()
    }

    fn optional(&mut self, text: &'a Option<String>) -> Option<usize> {
        text.as_deref().map(|text| self.strings.number(text))
    }

    /// `null` if it is unknown.
    fn time(&self, unix_nano: u64) -> Option<u64> {
        (unix_nano != 0).then(|| unix_nano - self.origin)
    }
}

/// Siblings in one row. A member is the row of a span, or after these an earlier group, numbered from
/// one above the number of spans.
fn groups(graph: &ToolCallGraph, rows: &[Option<usize>]) -> Vec<Value> {
    let first = graph.nodes().count() + 1;
    let mut groups = Vec::new();
    for row in graph.nodes().flat_map(|node| node.child_rows()) {
        add_group(&row, rows, first, &mut groups);
    }
    groups
}

/// Adds a group after those in it, and returns its number; of a single span the row.
fn add_group(
    row: &SiblingRow<'_>,
    rows: &[Option<usize>],
    first: usize,
    groups: &mut Vec<Value>,
) -> Option<usize> {
    let (title, kind, members) = match row {
        SiblingRow::One(node) => return rows[node.index],
        SiblingRow::Attempts(attempts) => {
            let members: Vec<_> = attempts.iter().map(|node| rows[node.index]).collect();
            (row.node().title(), "attempts", members)
        }
        SiblingRow::Alike(alike) => {
            let members: Vec<_> = alike.iter().map(|row| add_group(row, rows, first, groups)).collect();
            (row.node().call().title(), "alike", members)
        }
    };
    groups.push(json!([title, kind, members]));
    Some(first + groups.len() - 1)
}

/// Most spans have none of the last columns.
fn without_nulls_at_the_end(mut row: Value) -> Value {
    if let Value::Array(columns) = &mut row {
        let used = columns.iter().rposition(|column| !column.is_null()).map_or(0, |last| last + 1);
        columns.truncate(used);
    }
    row
}

fn kind_name(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

fn row_number(row: Option<usize>) -> Value {
    row.map_or(json!(-1), Value::from)
}

/// How many records of each level were counted but not kept; 0 if there are none.
fn counted_only(node: Node<'_>) -> Value {
    let mut counts = RecordLevel::ALL.map(|level| node.own_counts().of(level));
    for record in node.own_records() {
        counts[record.level as usize] -= 1;
    }
    match counts.iter().all(|count| *count == 0) {
        true => json!(0),
        false => json!(counts),
    }
}

fn list<T: Serialize>(to: &mut impl Write, items: impl IntoIterator<Item = T>) -> io::Result<()> {
    Ok(Serializer::with_formatter(to, InScript).collect_seq(items)?)
}

/// Writes JSON inside a `<script>` element.
///
/// `<`, `>` and `&` are escaped, so that `</script>`, `<!--` and `]]>` cannot occur, and so is all
/// that [`needs_escape`], which a program that reads the file could interpret or normalise.
struct InScript;

impl Formatter for InScript {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        let is_special = |character| matches!(character, '<' | '>' | '&') || needs_escape(character);
        for piece in fragment.split_inclusive(is_special) {
            let special = piece.chars().next_back().filter(|last| is_special(*last));
            let plain = piece.len() - special.map_or(0, char::len_utf8);
            to.write_all(&piece.as_bytes()[..plain])?;
            for unit in special.iter().flat_map(|special| special.encode_utf16(&mut [0; 2]).to_vec()) {
                write!(to, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
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
