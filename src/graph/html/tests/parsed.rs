//! Compares the data of a report with the graph.

use opentelemetry::{SpanId, TraceId};
use serde_json::{json, Value};

use crate::graph::{LogRecord, Node, RecordLevel, SiblingRow, SpanEvent, SpanLink, ToolCallGraph};

/// What `script/data.js` reads.
struct Parsed(Value);

impl Parsed {
    fn of(page: &str) -> Self {
        let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
        let (data, _) = rest.split_once("</script>").unwrap();
        Self(serde_json::from_str(data).unwrap())
    }

    fn rows(&self, name: &str) -> &Vec<Value> {
        self.0[name].as_array().unwrap()
    }

    fn text(&self, index: &Value) -> Value {
        index.as_u64().map_or(Value::Null, |index| self.0["strings"][index as usize].clone())
    }

    fn trace(&self, index: &Value) -> Option<TraceId> {
        let text = self.0["traces"][index.as_u64()? as usize].as_str().unwrap();
        Some(TraceId::from_hex(text).unwrap())
    }

    fn time(&self, after: &Value) -> Option<u64> {
        Some(after.as_u64()? + self.0["origin"].as_str().unwrap().parse::<u64>().unwrap())
    }

    fn attributes(&self, row: &Value) -> Vec<(String, String)> {
        let texts: Vec<String> = row
            .as_array()
            .unwrap()
            .iter()
            .map(|index| self.text(index).as_str().unwrap().to_owned())
            .collect();
        texts.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    }

    fn assert_span(&self, row: &Value, node: Node<'_>) {
        let call = node.call();
        assert_eq!(self.trace(&row[1]), Some(call.trace_id));
        assert_eq!(row[2], call.span_id.to_string());
        assert_eq!(self.text(&row[3]), json!(call.name));
        let title = if row[4].is_null() { self.text(&row[3]) } else { row[4].clone() };
        assert_eq!(title, json!(node.title()));
        let optional = [&call.tool, &call.operation, &call.execution_id, &call.service];
        for (index, text) in optional.into_iter().enumerate() {
            assert_eq!(self.text(&row[5 + index]), json!(text));
        }
        assert_eq!(self.time(&row[9]).unwrap_or(0), call.start_unix_nano);
        assert_eq!(self.time(&row[10]), call.end_unix_nano);
        assert_eq!(self.0["outcomes"][row[11].as_u64().unwrap() as usize], call.outcome.name());
        let flags = row[12].as_u64().unwrap();
        let expected = [node.fails(), node.contains_failure(), call.is_runner_internal(), call.is_error];
        assert_eq!([0, 1, 2, 3].map(|bit| flags & (1 << bit) != 0), expected);
        let expected = [node.is_cause(), node.is_recovered(), node.propagates_failure(), false];
        assert_eq!([4, 5, 6, 7].map(|bit| flags & (1 << bit) != 0), expected);
        assert_eq!(self.text(&row[13]), json!(call.message));
        assert_eq!(self.attributes(&row[14]), call.attributes);
        let counted: u64 =
            row[15].as_array().into_iter().flatten().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(counted + node.own_records().len() as u64, node.own_counts().total());
        let unknown = node.parent().is_none() && call.parent_id != SpanId::INVALID;
        assert_eq!(row[16], if unknown { json!(call.parent_id.to_string()) } else { Value::Null });
        let kind = row[17].as_str().unwrap_or("internal");
        assert_eq!(kind, format!("{:?}", call.kind).to_lowercase());
        let events = row[18].as_array().into_iter().flatten();
        let events: Vec<_> = events.map(|event| self.event(event)).collect();
        assert_eq!(events, call.events);
        assert_eq!(self.text(&row[20]), json!(node.label()));
        let links = row[19].as_array().into_iter().flatten();
        let links: Vec<_> = links.map(|link| self.link(link)).collect();
        assert_eq!(links, call.links);
        assert!(!row.as_array().unwrap().last().unwrap().is_null());
    }

    fn event(&self, row: &Value) -> SpanEvent {
        SpanEvent {
            name: self.text(&row[0]).as_str().unwrap().to_owned(),
            time_unix_nano: self.time(&row[1]).unwrap_or(0),
            attributes: self.attributes(&row[2]),
        }
    }

    fn link(&self, row: &Value) -> SpanLink {
        let span_id = SpanId::from_hex(row[1].as_str().unwrap()).unwrap();
        SpanLink { trace_id: self.trace(&row[0]).unwrap(), span_id, attributes: self.attributes(&row[2]) }
    }

    fn assert_record(&self, row: &Value, record: &LogRecord, own: Option<(TraceId, SpanId)>) {
        assert_eq!(self.time(&row[1]).unwrap_or(0), record.time_unix_nano);
        assert_eq!(self.0["levels"][row[2].as_u64().unwrap() as usize], record.level.name());
        assert_eq!(self.text(&row[3]), json!(record.target));
        assert_eq!(self.text(&row[4]), json!(record.event_name));
        assert_eq!(self.text(&row[5]), json!(record.body));
        assert_eq!(self.attributes(&row[6]), record.attributes);
        let span = row[8].as_str().map(|id| SpanId::from_hex(id).unwrap());
        let ids = match own {
            Some((trace, span)) if row[7].is_null() && row[8].is_null() => (Some(trace), Some(span)),
            _ => (self.trace(&row[7]), span),
        };
        assert_eq!(ids, (record.trace_id, record.span_id));
    }
}

/// A group's title and kind, and its members: spans, or groups in it.
fn assert_group(parsed: &Parsed, nodes: &[Node<'_>], number: &Value, row: &SiblingRow<'_>) -> usize {
    let number = number.as_u64().unwrap() as usize;
    let group = || &parsed.rows("groups")[number - nodes.len() - 1];
    match row {
        SiblingRow::One(node) => {
            assert_eq!(nodes[number], *node);
            0
        }
        SiblingRow::Attempts(attempts) => {
            assert_eq!(group()[0], row.node().title());
            assert_eq!(group()[1], "attempts");
            let members: Vec<_> = group()[2].as_array().unwrap().iter().collect();
            let members = members.iter().map(|member| nodes[member.as_u64().unwrap() as usize]);
            assert_eq!(members.collect::<Vec<_>>(), *attempts);
            1
        }
        SiblingRow::Alike(rows) => {
            assert_eq!(group()[0], row.node().call().title());
            assert_eq!(group()[1], "alike");
            let members = group()[2].as_array().unwrap();
            assert_eq!(members.len(), rows.len());
            let inner =
                members.iter().zip(rows).map(|(member, row)| assert_group(parsed, nodes, member, row));
            1 + inner.sum::<usize>()
        }
    }
}

/// Asserts that jobs, groups and failures are those of the graph, and that there are no others.
fn assert_same_overview(parsed: &Parsed, graph: &ToolCallGraph, nodes: &[Node<'_>]) {
    let row = |node: &Node<'_>| nodes.iter().position(|other| other == node).unwrap();
    let jobs = graph.jobs();
    assert_eq!(parsed.rows("jobs").len(), jobs.len());
    for (written, job) in parsed.rows("jobs").iter().zip(&jobs) {
        assert_eq!(written[0], job.title());
        assert_eq!(written[1], json!(job.roots().iter().map(row).collect::<Vec<_>>()));
        assert_eq!(parsed.time(&written[2]).unwrap_or(0), job.start_unix_nano());
        assert_eq!(parsed.time(&written[3]).unwrap_or(0), job.end_unix_nano());
        assert_eq!(written[4], job.outcome().name());
        assert_eq!(written[5], json!(u8::from(job.fails())));
    }
    // A group comes before the one that it is in, so the groups of a parent end where the next begin.
    let mut groups = 0;
    for row in nodes.iter().flat_map(Node::child_rows) {
        let inner = match &row {
            SiblingRow::One(_) => continue,
            SiblingRow::Attempts(_) => 1,
            SiblingRow::Alike(rows) => {
                1 + rows.iter().filter(|row| matches!(row, SiblingRow::Attempts(_))).count()
            }
        };
        groups += inner;
        assert_eq!(assert_group(parsed, nodes, &json!(nodes.len() + groups), &row), inner);
    }
    assert_eq!(parsed.rows("groups").len(), groups);
    let failures: Vec<_> = graph.failures().iter().map(row).collect();
    assert_eq!(*parsed.rows("failures"), failures);
}

/// Asserts that a report contains the whole graph and nothing else.
pub(super) fn assert_same(graph: &ToolCallGraph) {
    let parsed = Parsed::of(&graph.to_html());
    assert_eq!(parsed.0["notes"], json!(graph.notes()));
    assert_eq!(parsed.0["levels"], json!(RecordLevel::ALL.map(RecordLevel::name)));
    let nodes: Vec<_> = graph.nodes().collect();
    assert_eq!(parsed.rows("spans").len(), nodes.len());
    for (row, node) in parsed.rows("spans").iter().zip(&nodes) {
        let parent = usize::try_from(row[0].as_i64().unwrap()).ok().map(|parent| nodes[parent]);
        assert_eq!(parent, node.parent());
        parsed.assert_span(row, *node);
    }
    assert_same_overview(&parsed, graph, &nodes);
    let records = parsed.rows("records");
    let mut placed = 0;
    for (number, node) in nodes.iter().enumerate() {
        let rows = records.iter().filter(|row| row[0] == json!(number));
        let ids = Some((node.call().trace_id, node.call().span_id));
        if node.own_records().len() == 0 {
            continue;
        }
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), node.own_records().len());
        rows.iter().zip(node.own_records()).for_each(|(row, record)| parsed.assert_record(row, record, ids));
        placed += rows.len();
    }
    let unplaced: Vec<_> = records.iter().filter(|row| row[0] == json!(-1)).collect();
    assert_eq!(unplaced.len(), graph.unplaced_records().len());
    unplaced
        .iter()
        .zip(graph.unplaced_records())
        .for_each(|(row, record)| parsed.assert_record(row, record, None));
    assert_eq!(records.len(), placed + unplaced.len());
}
