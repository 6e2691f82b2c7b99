//! The line of a span: its parts, and the columns of these.

use unicode_width::UnicodeWidthStr;

use super::pen::{Pen, Row, Style};
use crate::graph::call::Outcome;
use crate::graph::duration::format_duration;
use crate::graph::escape;
use crate::graph::record::{RecordCounts, RecordLevel};
use crate::graph::tool_call_graph::Node;

/// The name column gets no wider than this, however long a name is.
const MAX_NAME_COLUMNS: usize = 100;

/// So much of a name is left if what tells it apart needs the rest.
const MIN_NAME_COLUMNS: usize = 6;

/// The columns reserved for outcomes in a narrow terminal.
const RESERVED_FOR_OUTCOMES: usize = 24;

/// The columns reserved for counts in a narrow terminal.
const RESERVED_FOR_COUNTS: usize = 20;

/// The line of a span, with all text escaped.
pub(in crate::graph) struct Line {
    pub(in crate::graph) mark: (Style, &'static str),
    pub(in crate::graph) branch: String,
    pub(in crate::graph) name: (Style, String),
    /// After the name, what tells it apart from its siblings. Of a name that is too long, the name is
    /// truncated first.
    pub(in crate::graph) detail: String,
    /// If it is empty, the name may take the rest of the line.
    pub(in crate::graph) duration: String,
    pub(in crate::graph) counts: RecordCounts,
    pub(in crate::graph) outcome: String,
}

impl Line {
    pub(in crate::graph) fn of(node: Node<'_>, branch: String) -> Self {
        let call = node.call();
        let (mark, outcome) = mark_and_outcome(node);
        let (name, detail) = node.title_parts();
        Self {
            mark,
            branch,
            name: (Style::Plain, escape::line(&name)),
            detail: escape::line(&detail),
            duration: format_duration(call.duration().unwrap_or_default()),
            counts: node.own_counts(),
            outcome,
        }
    }

    /// The line as it is written.
    pub(in crate::graph) fn row(&self, columns: &Columns, color: bool) -> Row {
        // A name is truncated only where the rest of its own line needs the room.
        let rest = "  ".width() + columns.durations + self.rest_width(columns.counts, usize::MAX);
        let is_free = self.duration.is_empty() || columns.width == usize::MAX;
        let last_of_name =
            if is_free { columns.width } else { (2 + columns.names).max(columns.width.saturating_sub(rest)) };
        let mut pen = Pen::new(columns.width, color)
            .write(self.mark.0, self.mark.1)
            .pad_to(2)
            .write_to(last_of_name, Style::Faint, &self.branch)
            .write_to(last_of_name - self.detail_width(last_of_name), self.name.0, &self.name.1)
            .write_to(last_of_name, self.name.0, &self.detail)
            .space(2)
            .pad_to(2 + columns.names + 2 + columns.durations.saturating_sub(self.duration.width()))
            .write(Style::Faint, &self.duration)
            .space(2)
            .write_list(&counted(&self.counts, columns.counts));
        if self.counts.total() > 0 {
            pen = pen.space(2);
        }
        pen.write(self.mark.0, &self.outcome).finish()
    }

    fn name_width(&self) -> usize {
        self.branch.width() + self.name.1.width() + self.detail.width()
    }

    /// The columns of the detail in front of column `last`: all but a few for the name.
    fn detail_width(&self, last: usize) -> usize {
        let for_name = 2 + self.branch.width() + self.name.1.width().min(MIN_NAME_COLUMNS);
        self.detail.width().min(last.saturating_sub(for_name))
    }

    /// The columns after the duration, with counts and outcome limited to so many each.
    fn rest_width(&self, max_counts: usize, max_outcome: usize) -> usize {
        let counts = counted(&self.counts, max_counts);
        let texts = counts.iter().map(|(_, text)| text.width() + 2).sum::<usize>();
        match texts + self.outcome.width().min(max_outcome) {
            0 => 0,
            columns => columns + 2,
        }
    }
}

/// The outcome of a span as a mark and in words: `failed: no such chart`, `timed out: longer than its limit
/// (recovered)`, `failed inside`.
pub(in crate::graph) fn mark_and_outcome(node: Node<'_>) -> ((Style, &'static str), String) {
    let call = node.call();
    match call.outcome {
        _ if node.fails() => {
            let (words, message) = failure(node);
            ((Style::Bad, "✗"), words + &message)
        }
        Outcome::Ok if node.is_red() => ((Style::Warning, "!"), "failed inside".to_owned()),
        Outcome::Ok => ((Style::Good, "✓"), String::new()),
        Outcome::Cancelled | Outcome::Dropped => ((Style::Warning, "-"), call.outcome.name().to_owned()),
        Outcome::Running => ((Style::Busy, "…"), "running".to_owned()),
        outcome => ((Style::Faint, "·"), outcome.name().to_owned()),
    }
}

/// The titles of a span and its ancestors.
pub(in crate::graph) fn path(node: Node<'_>) -> String {
    let mut names: Vec<_> = std::iter::successors(Some(node), |node| node.parent())
        .map(|node| escape::line(&node.title()))
        .collect();
    names.reverse();
    names.join(" › ")
}

/// How a span failed, and what it says of that: `failed` and `: no such chart`.
///
/// Errors propagate through steps and jobs: what a child's failure says is not repeated.
pub(super) fn failure(node: Node<'_>) -> (String, String) {
    let call = node.call();
    let (outcome, inside) = match node.propagates_failure() {
        true => (Outcome::Failed, " inside"),
        false => (call.outcome, ""),
    };
    let words = format!("{}{inside}", outcome.name());
    let recovered = match (node.is_recovered(), node.is_retried_in_vain()) {
        (true, _) => " (recovered)",
        (false, true) => " (retried)",
        (false, false) => "",
    };
    match call.message.is_empty() || node.repeats_a_child() || call.message == outcome.name() {
        true => (words + recovered, String::new()),
        false => (words, format!(": {}{recovered}", escape::line(&call.message))),
    }
}

/// `1 error, 14 info`: the levels that occur, most severe first, with `…` for those that do not
/// fit.
fn counted(records: &RecordCounts, columns: usize) -> Vec<(Style, String)> {
    let levels = RecordLevel::ALL.into_iter().rev().filter(|level| records.of(*level) > 0);
    let style = |level| match level {
        RecordLevel::Error | RecordLevel::Fatal => Style::Bad,
        RecordLevel::Warn => Style::Warning,
        _ => Style::Faint,
    };
    let all = levels.map(|level| (style(level), format!("{} {}", records.of(level), level.name())));
    let mut counted: Vec<_> = all.collect();
    let width = |counted: &[(Style, String)]| counted.iter().map(|(_, text)| text.width() + 2).sum::<usize>();
    if width(&counted) > columns {
        // The most severe level is always shown.
        while counted.len() > 1 && width(&counted) + "…".width() > columns {
            counted.pop();
        }
        counted.push((Style::Faint, "…".to_owned()));
    }
    counted
}

/// The widths of the columns, which all lines share.
#[derive(Clone, Copy)]
pub(in crate::graph) struct Columns {
    /// Of the whole line.
    width: usize,
    names: usize,
    durations: usize,
    counts: usize,
}

impl Columns {
    /// The columns for lines of at most `width`.
    pub(in crate::graph) fn of(lines: &[Line], width: usize) -> Self {
        let widest = |column: &dyn Fn(&Line) -> usize| lines.iter().map(column).max().unwrap_or(0);
        let with_duration = |line: &Line| if line.duration.is_empty() { 0 } else { line.name_width() };
        let names = widest(&with_duration).min(MAX_NAME_COLUMNS);
        let durations = widest(&|line| line.duration.width());
        let frame = "✓ ".width() + "  ".width() + durations;
        let whole = frame + names + widest(&|line| line.rest_width(usize::MAX, usize::MAX));
        if whole <= width {
            return Self { width, names, durations, counts: usize::MAX };
        }
        let reserved = widest(&|line| line.rest_width(RESERVED_FOR_COUNTS, RESERVED_FOR_OUTCOMES));
        let left = width.saturating_sub(frame + reserved);
        Self { width, names: names.min(left.max(width / 3)), durations, counts: RESERVED_FOR_COUNTS }
    }
}
