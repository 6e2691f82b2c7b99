//! Lays out a graph in rows. Nothing here touches a terminal.

use std::time::Duration;

use super::candidates::Kind;
use super::selection::{select, Item, Omitted};
use crate::graph::call::Outcome;
use crate::graph::duration::format_duration;
use crate::graph::escape;
use crate::graph::jobs::count_jobs;
use crate::graph::record::{LogRecord, RecordCounts};
use crate::graph::tail::Tail;
use crate::graph::text::line::{Columns, Line};
use crate::graph::text::pen::{Pen, Row, Style};
use crate::graph::tool_call_graph::ToolCallGraph;
use crate::sorted::sort_by_key;

/// How many log lines of a failure are shown while the view is open.
pub(super) const FAILURE_LINES: usize = 5;

/// One in this many rows of a terminal is left to the console lines above the view.
const SCROLLBACK_SHARE: usize = 5;

/// How many log lines of a running span are shown.
const RUNNING_LINES: usize = 3;

/// How many log lines of a failure that was recovered from are shown.
const RECOVERED_LINES: usize = 1;

/// How many ancestors that are not shown precede a name.
const MAX_SKIPPED: usize = 2;

/// One revolution takes a second.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The part of a terminal that a view may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) color: bool,
}

impl Area {
    /// What a view may take of a terminal. The last column stays free: some terminals wrap after it,
    /// others do not.
    pub(super) fn of_terminal(columns: usize, rows: usize, color: bool) -> Self {
        // The last row is for the cursor.
        let rows = rows.saturating_sub(1 + rows / SCROLLBACK_SHARE);
        Self { columns: columns.saturating_sub(1), rows, color }
    }
}

/// The rows of the current graph; the last one is the status.
pub(super) fn live(graph: &ToolCallGraph, now_unix_nano: u64, area: Area) -> Vec<Row> {
    if graph.roots().len() == 0 || area.rows == 0 {
        return Vec::new();
    }
    let rows = area.rows - 1;
    let items = select(graph, rows);
    let lines = lines_of_each(&items, rows.saturating_sub(items.len()));
    let names: Vec<_> = items.iter().map(|item| line_of(item, now_unix_nano)).collect();
    let columns = Columns::of(&names, area.columns);
    let mut drawn = Vec::new();
    for ((item, records), name) in items.iter().zip(lines).zip(names) {
        drawn.push(name.row(&columns, area.color));
        let below = item.branch.below_name();
        for record in records {
            let text = format!("{below}┆ {}", message_line(record));
            drawn.push(Pen::new(area.columns, area.color).space(2).write(Style::Faint, &text).finish());
        }
    }
    drawn.push(status_row(graph, now_unix_nano, area));
    drawn
}

/// The log lines to show for each item, in the rows that no item needs. Each item gets one before any
/// gets two, and failures take precedence.
fn lines_of_each<'a>(items: &[Item<'a>], mut rows: usize) -> Vec<Vec<&'a LogRecord>> {
    let wanted = |item: &Item<'_>| {
        let most = match item.kind {
            Kind::Failure => FAILURE_LINES,
            Kind::Running => RUNNING_LINES,
            Kind::Recovered => RECOVERED_LINES,
            Kind::Done | Kind::Enclosing => 0,
        };
        item.node.map_or(0, |node| node.own_records().len().min(most))
    };
    let wanted: Vec<_> = items.iter().map(wanted).collect();
    let mut counts = vec![0; items.len()];
    let mut order: Vec<_> = (0..items.len()).collect();
    sort_by_key(&mut order, |index| match items[*index].kind {
        Kind::Failure => 0,
        Kind::Running => 1,
        _ => 2,
    });
    for round in 0..FAILURE_LINES.max(RUNNING_LINES) {
        for index in &order {
            if wanted[*index] > round && rows > 0 {
                counts[*index] += 1;
                rows -= 1;
            }
        }
    }
    let lines = |(item, count): (&Item<'a>, usize)| match (item.node, item.kind) {
        (Some(node), Kind::Running) => {
            let records = node.own_records();
            let earlier = records.len() - count;
            records.skip(earlier).collect()
        }
        (Some(node), _) if count > 0 => Tail::of(node, count).records(),
        _ => Vec::new(),
    };
    items.iter().zip(counts).map(lines).collect()
}

/// The message of a record on one line.
pub(super) fn message_line(record: &LogRecord) -> String {
    escape::line(&record.text().replace('\t', "    "))
}

fn line_of(item: &Item<'_>, now_unix_nano: u64) -> Line {
    let branch = item.branch.of_name();
    let Some(node) = item.node else {
        return Line {
            mark: (Style::Plain, ""),
            branch,
            name: (Style::Faint, format!("… and {}", more(item.omitted))),
            detail: String::new(),
            duration: String::new(),
            counts: RecordCounts::default(),
            outcome: String::new(),
        };
    };
    let line = Line { counts: RecordCounts::default(), ..Line::of(node, branch) };
    let line = Line { name: (line.name.0, skipped(item) + &line.name.1), ..line };
    match node.call().outcome {
        Outcome::Running => Line {
            mark: (Style::Busy, SPINNER[(now_unix_nano / 100_000_000 % 10) as usize]),
            duration: elapsed(now_unix_nano.saturating_sub(node.call().start_unix_nano)),
            outcome: String::new(),
            ..line
        },
        _ => line,
    }
}

/// In front of the name of a span whose ancestors are not shown: `step.plan › `.
fn skipped(item: &Item<'_>) -> String {
    let nearest = item.skipped.iter().take(MAX_SKIPPED).rev();
    let names = nearest.map(|node| escape::line(&node.title()) + " › ").collect::<String>();
    if item.skipped.len() > MAX_SKIPPED {
        format!("… › {names}")
    } else {
        names
    }
}

/// The time that a span has been running, in tenths of a second, after a minute in seconds. More
/// digits would flicker.
fn elapsed(nanos: u64) -> String {
    let tenths = nanos / 100_000_000;
    match tenths {
        0..600 => format!("{}.{} s", tenths / 10, tenths % 10),
        _ => format_duration(Duration::from_secs(tenths / 10)),
    }
}

/// `31 more running, 12 done`.
fn more(counts: Omitted) -> String {
    let texts: Vec<_> = counted(counts).into_iter().map(|(_, text)| text).collect();
    texts.join(", ").replacen(' ', " more ", 1)
}

fn counted(counts: Omitted) -> Vec<(Style, String)> {
    let Omitted { running, failed, recovered, done } = counts;
    [
        (running, "running", Style::Faint),
        (failed, "failed", Style::Bad),
        (recovered, "recovered", Style::Faint),
        (done, "done", Style::Faint),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, what, style)| (style, format!("{count} {what}")))
    .collect()
}

/// Counts jobs, if there are several, and spans without children: the others are only their
/// ancestors.
fn status_row(graph: &ToolCallGraph, now_unix_nano: u64, area: Area) -> Row {
    let mut counts = Omitted::default();
    for node in graph.nodes().filter(|node| node.children().len() == 0) {
        match node.call().outcome {
            Outcome::Running => counts.running += 1,
            _ if node.is_recovered() => counts.recovered += 1,
            _ if node.fails() => counts.failed += 1,
            _ => counts.done += 1,
        }
    }
    let start = graph.roots().map(|root| root.call().start_unix_nano).min().unwrap_or(now_unix_nano);
    let pen = Pen::new(area.columns, area.color).space(2);
    let pen = match count_jobs(&graph.jobs()) {
        Some(jobs) => pen.write(Style::Plain, &jobs).space(2),
        None => pen,
    };
    let pen = pen.write_list(&counted(counts));
    pen.space(2).write(Style::Faint, &elapsed(now_unix_nano.saturating_sub(start))).finish()
}
