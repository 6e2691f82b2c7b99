//! The graph as a tree of text lines.

use std::fmt::Write;
use std::time::Duration;

use super::{Level, Node, Outcome, RecordCounts, ToolCallGraph};

impl ToolCallGraph {
    /// A tree with one line a span: name, how it ended, how long it took, what was logged in it.
    ///
    /// Names come from programs and job definitions, so control characters in them are escaped.
    pub fn to_text(&self) -> String {
        let mut lines = Vec::new();
        for root in self.roots() {
            add_lines(root, &mut lines);
        }
        let widest = |column: fn(&Line) -> &str| {
            lines.iter().map(|line| column(line).chars().count()).max().unwrap_or(0)
        };
        let (names, durations) = (widest(|line| &line.name), widest(|line| &line.took));
        let mut text = String::new();
        for Line { mark, name, took, records, end } in &lines {
            let line = format!("{mark} {name:names$}  {took:>durations$}  {records}{end}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        for note in self.notes() {
            let _ = writeln!(text, "({})", escaped(note));
        }
        text
    }
}

/// The lines of `root` and its descendants. Not recursive: a hostile graph may be deep.
fn add_lines(root: Node<'_>, lines: &mut Vec<Line>) {
    // With the branches drawn so far for it, and for what is below it.
    let mut open = vec![(root, String::new(), String::new())];
    while let Some((node, branch, below)) = open.pop() {
        lines.push(line(node, &branch));
        for (position, child) in node.children().rev().enumerate() {
            let (turn, on) = match position {
                0 => ("└─ ", "   "),
                _ => ("├─ ", "│  "),
            };
            open.push((child, format!("{below}{turn}"), format!("{below}{on}")));
        }
    }
}

fn line(node: Node<'_>, branch: &str) -> Line {
    let call = node.call();
    let inside = if node.contains_failure() { " inside" } else { "" };
    let (mark, end) = match call.outcome {
        Outcome::Ok if node.is_red() => ('!', "failed inside".to_owned()),
        Outcome::Ok => ('✓', String::new()),
        Outcome::Failed if call.message.is_empty() => ('✗', format!("failed{inside}")),
        Outcome::Failed => ('✗', format!("failed{inside}: {}", escaped(&call.message))),
        Outcome::TimedOut | Outcome::Panicked => ('✗', call.outcome.name().to_owned()),
        Outcome::Cancelled | Outcome::Dropped => ('-', call.outcome.name().to_owned()),
        Outcome::Running => ('…', "running".to_owned()),
        Outcome::Skipped => ('·', "skipped".to_owned()),
    };
    Line {
        mark,
        name: format!("{branch}{}", escaped(&call.title())),
        took: call.duration().map_or_else(|| "—".to_owned(), format_duration),
        records: counted(node.own_counts()),
        end,
    }
}

struct Line {
    mark: char,
    name: String,
    took: String,
    records: String,
    end: String,
}

fn counted(records: RecordCounts) -> String {
    let mut text = match records.total() {
        0 => return String::new(),
        1 => "1 log".to_owned(),
        total => format!("{total} logs"),
    };
    for level in [Level::Warn, Level::Error, Level::Fatal] {
        if records.of(level) > 0 {
            let _ = write!(text, ", {} {}", records.of(level), level.name());
        }
    }
    text + "  "
}

/// One line, with nothing in it that a terminal would obey.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => safe.push_str(" ⏎ "),
            character if character.is_control() => safe.extend(character.escape_default()),
            character => safe.push(character),
        }
    }
    safe
}

/// A duration as people read it: `999999 ns`, `1.0 ms`, `2.50 s`, `1m 30s`; `—` for zero.
///
/// ```
/// use std::time::Duration;
/// use spanlog::graph::format_duration;
///
/// assert_eq!(format_duration(Duration::from_millis(2500)), "2.50 s");
/// ```
pub fn format_duration(duration: Duration) -> String {
    format_nanoseconds(duration.as_nanos() as f64)
}

/// A number of nanoseconds as [`format_duration`] writes it; `—` for what is no duration: zero,
/// negative, NaN, infinite.
pub fn format_nanoseconds(nanos: f64) -> String {
    if !nanos.is_finite() || nanos <= 0.0 {
        return "—".to_owned();
    }
    // Rounded before it is told apart: 999.96 ms is a second, not 1000.0 ms.
    match nanos.round() {
        nanos if nanos < 1e6 => format!("{nanos} ns"),
        nanos if nanos < 999.95e6 => format!("{:.1} ms", nanos / 1e6),
        nanos if nanos < 59.995e9 => format!("{:.2} s", nanos / 1e9),
        nanos => {
            let seconds = (nanos / 1e9).round() as u64;
            format!("{}m {}s", seconds / 60, seconds % 60)
        }
    }
}
