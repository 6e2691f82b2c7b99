//! The log lines that say why a span failed.

use super::record::{Level, LogRecord};
use super::tool_call_graph::Node;

/// The last lines of a span, and the last of its errors if that is further back.
pub(super) struct Tail<'a> {
    /// How many lines precede all others.
    pub(super) earlier: usize,
    /// The last error, and how many lines follow before `last`.
    pub(super) error: Option<(&'a LogRecord, usize)>,
    pub(super) last: Vec<&'a LogRecord>,
}

impl<'a> Tail<'a> {
    /// At most `most` lines of the span itself.
    pub(super) fn of(node: Node<'a>, most: usize) -> Self {
        let records: Vec<_> = node.own_records().collect();
        let start = records.len().saturating_sub(most);
        let error = records.iter().rposition(|record| record.level >= Level::Error);
        match error.filter(|error| *error < start) {
            Some(error) => {
                let start = start + 1;
                let last = records[start..].to_vec();
                Self { earlier: error, error: Some((records[error], start - error - 1)), last }
            }
            None => Self { earlier: start, error: None, last: records[start..].to_vec() },
        }
    }

    /// A line for each record, and for each number of those that are left out.
    pub(super) fn lines(&self, text: impl Fn(&LogRecord) -> String) -> Vec<String> {
        let left_out = |count: usize, which: &str| match count {
            0 => None,
            1 => Some(format!("… 1 {which} line")),
            count => Some(format!("… {count} {which} lines")),
        };
        let mut lines: Vec<String> = left_out(self.earlier, "earlier").into_iter().collect();
        if let Some((error, between)) = self.error {
            lines.push(text(error));
            lines.extend(left_out(between, "more"));
        }
        lines.extend(self.last.iter().map(|record| text(record)));
        lines
    }
}
