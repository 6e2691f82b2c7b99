//! From a graph and the time to rows. Nothing here touches a terminal.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::super::text::escaped;
use super::super::{format_duration, LogRecord, Node, Outcome, ToolCallGraph};
use super::choice::{choose, Item, Kind, LeftOut};
use super::row::{fitted, Pen, Row, Style};

/// The last lines that are shown of a failure, while the view is open.
pub(super) const FAILURE_LINES: usize = 5;

/// The last lines that are shown of what runs.
const RUNNING_LINES: usize = 3;

/// The last lines that are shown of a failure at the end.
const FINAL_LINES: usize = 20;

/// How many failures are repeated at the end.
const FINAL_FAILURES: usize = 50;

/// The columns that names leave to how a span ended, where there are few.
const KEPT_FOR_ENDS: usize = 24;

/// One turn of the spinner is a second.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// What a view may take of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) color: bool,
}

/// The view of this moment. The last row sums up.
pub(super) fn live(graph: &ToolCallGraph, now_unix_nano: u64, space: Space) -> Vec<Row> {
    if graph.roots().len() == 0 || space.rows == 0 {
        return Vec::new();
    }
    let rows = space.rows - 1;
    let choice = choose(graph, rows);
    let lines = lines_of_each(&choice.items, rows.saturating_sub(choice.items.len()));
    let parts: Vec<_> = choice.items.iter().map(|item| Parts::of(item, now_unix_nano)).collect();
    let columns = Columns::of(&parts, space.columns);
    let mut drawn = Vec::new();
    for ((item, lines), parts) in choice.items.iter().zip(lines).zip(parts) {
        drawn.push(parts.row(&columns, space));
        let below = branch(&item.goes_on, false);
        for record in lines {
            let pen = Pen::new(space.columns, space.color).write(Style::Plain, "  ");
            let text = format!("{below}┆ {}", line_of(record));
            drawn.push(pen.write(Style::Faint, &text).finish());
        }
    }
    drawn.push(summary(graph, now_unix_nano, space));
    drawn
}

/// What is shown of each span's records. Where there is little room,
/// each gets one before any gets two, and failures before what runs.
fn lines_of_each<'a>(items: &[Item<'a>], mut room: usize) -> Vec<Vec<&'a LogRecord>> {
    let most = |item: &Item<'_>| match item.kind {
        Kind::Failure => FAILURE_LINES,
        Kind::Running => RUNNING_LINES,
        Kind::Done | Kind::Around => 0,
    };
    let records: Vec<Vec<_>> = items
        .iter()
        .map(|item| match item.node {
            Some(node) if most(item) > 0 => {
                let skipped = node.own_records().len().saturating_sub(most(item));
                node.own_records().skip(skipped).collect()
            }
            _ => Vec::new(),
        })
        .collect();
    let mut counts = vec![0; items.len()];
    let mut order: Vec<_> = (0..items.len()).collect();
    order.sort_by_key(|index| items[*index].kind != Kind::Failure);
    for round in 0..FAILURE_LINES.max(RUNNING_LINES) {
        for index in &order {
            if records[*index].len() > round && room > 0 {
                counts[*index] += 1;
                room -= 1;
            }
        }
    }
    let of_each = records.into_iter().zip(counts);
    of_each.map(|(records, count)| records[records.len() - count..].to_vec()).collect()
}

fn line_of(record: &LogRecord) -> String {
    let text = if record.body.is_empty() { &record.event_name } else { &record.body };
    escaped(&text.replace('\t', "    "))
}

/// What stands before a name, or, if it `turns` not, before the lines below it.
fn branch(goes_on: &[bool], turns: bool) -> String {
    let Some((own, above)) = goes_on.get(1..).and_then(|below| below.split_last()) else {
        return String::new();
    };
    let mut drawn: String = above.iter().map(|goes_on| if *goes_on { "│  " } else { "   " }).collect();
    drawn.push_str(match (turns, own) {
        (true, true) => "├─ ",
        (true, false) => "└─ ",
        (false, true) => "│  ",
        (false, false) => "   ",
    });
    drawn
}

/// The parts of a row.
struct Parts {
    mark: (Style, &'static str),
    name: String,
    name_style: Style,
    took: String,
    end: String,
}

impl Parts {
    fn of(item: &Item<'_>, now_unix_nano: u64) -> Self {
        let branch = branch(&item.goes_on, true);
        let Some(node) = item.node else {
            let name = format!("{branch}… and {}", counts_of(item.left_out, " more"));
            let nothing = String::new;
            return Self {
                mark: (Style::Faint, " "),
                name,
                name_style: Style::Faint,
                took: nothing(),
                end: nothing(),
            };
        };
        let call = node.call();
        let (mark, end) = mark_and_end(node, now_unix_nano);
        Self {
            mark,
            name: branch + &escaped(&call.title()),
            name_style: Style::Plain,
            took: match call.outcome {
                Outcome::Running => elapsed(now_unix_nano.saturating_sub(call.start_unix_nano)),
                _ => call.duration().map_or_else(|| "—".to_owned(), format_duration),
            },
            end,
        }
    }

    fn row(&self, columns: &Columns, space: Space) -> Row {
        Pen::new(space.columns, space.color)
            .write(self.mark.0, self.mark.1)
            .write(Style::Plain, " ")
            .write(
                self.name_style,
                &fitted(&self.name, if self.took.is_empty() { space.columns } else { columns.names }),
            )
            .pad_to(2 + columns.names + 2 + columns.durations.saturating_sub(self.took.width()))
            .write(Style::Faint, &self.took)
            .write(Style::Plain, "  ")
            .write(self.mark.0, &self.end)
            .finish()
    }
}

fn mark_and_end(node: Node<'_>, now_unix_nano: u64) -> ((Style, &'static str), String) {
    let call = node.call();
    let message = || match call.message.is_empty() {
        true => "failed".to_owned(),
        false => format!("failed: {}", escaped(&call.message)),
    };
    match call.outcome {
        Outcome::Running => ((Style::Busy, spinner(now_unix_nano)), String::new()),
        Outcome::Failed if node.contains_failure() => ((Style::Bad, "✗"), "failed inside".to_owned()),
        Outcome::Failed => ((Style::Bad, "✗"), message()),
        Outcome::TimedOut | Outcome::Panicked => ((Style::Bad, "✗"), call.outcome.name().to_owned()),
        Outcome::Ok if node.is_red() => ((Style::Warning, "!"), "failed inside".to_owned()),
        Outcome::Ok => ((Style::Good, "✓"), String::new()),
        Outcome::Cancelled | Outcome::Dropped => ((Style::Warning, "-"), call.outcome.name().to_owned()),
        Outcome::Skipped => ((Style::Faint, "·"), String::new()),
    }
}

fn spinner(now_unix_nano: u64) -> &'static str {
    SPINNER[(now_unix_nano / 100_000_000 % 10) as usize]
}

/// Of what runs: tenths of a second, and seconds after a minute. More would flicker.
fn elapsed(nanos: u64) -> String {
    let tenths = nanos / 100_000_000;
    match tenths {
        0..600 => format!("{}.{} s", tenths / 10, tenths % 10),
        _ => format_duration(Duration::from_secs(tenths / 10)),
    }
}

/// `31 more running, 12 done`: what there is of each.
fn counts_of(counts: LeftOut, more: &str) -> String {
    let LeftOut { running, failed, done } = counts;
    let each = [(running, "running"), (failed, "failed"), (done, "done")];
    let mut text = String::new();
    let mut more = more;
    for (count, what) in each.into_iter().filter(|(count, _)| *count > 0) {
        let comma = if text.is_empty() { "" } else { ", " };
        text.push_str(&format!("{comma}{count}{more} {what}"));
        more = "";
    }
    text
}

/// Counts what does something itself: what others are in is not counted.
fn summary(graph: &ToolCallGraph, now_unix_nano: u64, space: Space) -> Row {
    let mut counts = LeftOut::default();
    for node in graph.nodes().filter(|node| node.children().len() == 0) {
        match node.call().outcome {
            Outcome::Running => counts.running += 1,
            _ if node.fails() => counts.failed += 1,
            _ => counts.done += 1,
        }
    }
    let start = graph.roots().map(|root| root.call().start_unix_nano).min().unwrap_or(now_unix_nano);
    let text = format!("{}  {}", counts_of(counts, ""), elapsed(now_unix_nano.saturating_sub(start)));
    Pen::new(space.columns, space.color).write(Style::Plain, "  ").write(Style::Faint, &text).finish()
}

struct Columns {
    names: usize,
    durations: usize,
}

impl Columns {
    fn of(parts: &[Parts], columns: usize) -> Self {
        let widest =
            |part: fn(&Parts) -> &str| parts.iter().map(|parts| part(parts).width()).max().unwrap_or(0);
        let names = parts.iter().filter(|parts| !parts.took.is_empty()).map(|parts| parts.name.width()).max();
        let durations = widest(|parts| &parts.took);
        let ends = match widest(|parts| &parts.end) {
            0 => 0,
            ends => 2 + ends.min(KEPT_FOR_ENDS),
        };
        let rest = columns.saturating_sub(2 + 2 + durations + ends);
        Self { names: names.unwrap_or(0).min(rest.max(columns / 3)), durations }
    }
}

/// What stays when the view is closed: the whole tree, and the failures with their last lines. Lines of the tree are
/// cut where the terminal ends; what is said of failures is not.
pub(super) fn last(graph: &ToolCallGraph, columns: Option<usize>, color: bool) -> String {
    let mut text = String::new();
    for line in graph.to_text().lines() {
        text.push_str(&columns.map_or_else(|| line.to_owned(), |columns| fitted(line, columns)));
        text.push('\n');
    }
    let failures: Vec<_> = graph.nodes().filter(|node| node.fails() && !node.contains_failure()).collect();
    for node in failures.iter().take(FINAL_FAILURES) {
        text.push('\n');
        let pen = Pen::new(usize::MAX, color).write(Style::Bad, "✗ ").write(Style::Plain, &path(*node));
        let took =
            node.call().duration().map_or_else(String::new, |took| format!("  {}", format_duration(took)));
        text.push_str(&pen.write(Style::Faint, &took).finish().text);
        let (_, end) = mark_and_end(*node, 0);
        text.push_str(&Pen::new(usize::MAX, color).write(Style::Bad, &format!("\n  {end}\n")).finish().text);
        let records = node.own_records();
        let skipped = records.len().saturating_sub(FINAL_LINES);
        if skipped > 0 {
            text.push_str(&format!("  ┆ … {skipped} lines before these\n"));
        }
        for record in records.skip(skipped) {
            text.push_str(&format!("  ┆ {}\n", line_of(record)));
        }
    }
    match failures.len().saturating_sub(FINAL_FAILURES) {
        0 => {}
        more => text.push_str(&format!("\n… and {more} more failures\n")),
    }
    text
}

/// A span with those that it is in.
pub(super) fn path(node: Node<'_>) -> String {
    let mut names: Vec<_> = std::iter::successors(Some(node), |node| node.parent())
        .map(|node| escaped(&node.call().title()))
        .collect();
    names.reverse();
    names.join(" › ")
}

/// One line for a span that started or ended, where nothing can be redrawn.
pub(super) fn plain(node: Node<'_>) -> String {
    let call = node.call();
    if call.outcome == Outcome::Running {
        return format!("… {}", path(node));
    }
    let ((_, mark), end) = mark_and_end(node, 0);
    let took = call.duration().map_or_else(|| "—".to_owned(), format_duration);
    format!("{mark} {}  {took}  {end}", path(node)).trim_end().to_owned()
}
