//! The log lines that say why a span failed.

use super::record::{LogRecord, RecordLevel};
use super::tool_call_graph::Node;

/// The attribute for the stream that a line of a program was written to.
pub(super) const STREAM: &str = "log.iostream";

/// Of so many last lines, one that speaks of an error counts.
const LAST: usize = 6;

/// The last lines of a span, and the line that says why it failed if that is further back.
pub(super) struct Tail<'a> {
    /// How many lines precede all others.
    earlier: usize,
    /// The line that says why, and how many lines follow before `last`.
    reason: Option<(&'a LogRecord, usize)>,
    last: Vec<&'a LogRecord>,
}

/// A line of a tail.
pub(super) enum TailLine<'a> {
    Record(&'a LogRecord),
    /// So many lines are left out: `… 3 earlier lines`.
    LeftOut(String),
}

impl<'a> Tail<'a> {
    /// At most `most` lines of the span itself.
    pub(super) fn of(node: Node<'a>, most: usize) -> Self {
        let records: Vec<_> = node.own_records().collect();
        let start = records.len().saturating_sub(most);
        match reason(&records).filter(|reason| *reason < start) {
            Some(reason) => {
                let start = start + 1;
                let last = records[start..].to_vec();
                Self { earlier: reason, reason: Some((records[reason], start - reason - 1)), last }
            }
            None => Self { earlier: start, reason: None, last: records[start..].to_vec() },
        }
    }

    pub(super) fn lines(&self) -> Vec<TailLine<'a>> {
        let left_out = |count: usize, which: &str| match count {
            0 => None,
            1 => Some(TailLine::LeftOut(format!("… 1 {which} line"))),
            count => Some(TailLine::LeftOut(format!("… {count} {which} lines"))),
        };
        let mut lines: Vec<_> = left_out(self.earlier, "earlier").into_iter().collect();
        if let Some((reason, between)) = self.reason {
            lines.push(TailLine::Record(reason));
            lines.extend(left_out(between, "more"));
        }
        lines.extend(self.last.iter().map(|record| TailLine::Record(record)));
        lines
    }

    /// The records, without what is left out.
    #[cfg(feature = "terminal")]
    pub(super) fn records(self) -> Vec<&'a LogRecord> {
        self.reason.map(|(reason, _)| reason).into_iter().chain(self.last).collect()
    }

    /// The lines as text.
    pub(super) fn texts(&self, text: impl Fn(&LogRecord) -> String) -> Vec<String> {
        let lines = self.lines().into_iter().map(|line| match line {
            TailLine::Record(record) => text(record),
            TailLine::LeftOut(words) => words,
        });
        lines.collect()
    }
}

/// The record that tells best why a span failed: its last error, or else of the last lines of stderr, or of
/// all lines if none is of stderr, the last one that speaks of an error, or else the last one of stderr. A
/// tool may write its errors at any level.
fn reason(records: &[&LogRecord]) -> Option<usize> {
    if let Some(error) = records.iter().rposition(|record| record.level >= RecordLevel::Error) {
        return Some(error);
    }
    let last = |is_wanted: fn(&LogRecord) -> bool| {
        let wanted = (0..records.len()).rev().filter(|index| is_wanted(records[*index]));
        wanted.take(LAST).collect::<Vec<_>>()
    };
    let speaking =
        |last: &[usize]| last.iter().copied().find(|index| speaks_of_an_error(records[*index].text()));
    let of_stderr = last(is_stderr);
    match of_stderr.first() {
        Some(newest) => speaking(&of_stderr).or(Some(*newest)),
        None => speaking(&last(|_| true)),
    }
}

/// Whether a program wrote the line to stderr.
pub(super) fn is_stderr(record: &LogRecord) -> bool {
    record.attribute(STREAM) == Some("stderr")
}

fn speaks_of_an_error(text: &str) -> bool {
    let mut words = text.split(|character: char| !character.is_alphanumeric());
    let is_one = |word: &str| {
        ["error", "fatal", "panic", "panicked", "failed", "failure"]
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known))
    };
    words.any(is_one)
}
