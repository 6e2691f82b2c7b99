//! The graph as a tree of text lines.

use std::fmt::Write;
use std::time::Duration;

use super::{Node, Outcome, RecordCounts, ToolCallGraph};

impl ToolCallGraph {
    /// A tree with one line a span: name, how it ended, how long it took, what was logged in it.
    ///
    /// Names come from programs and job definitions, so control characters in them are escaped.
    pub fn to_text(&self) -> String {
        let mut lines = Vec::new();
        for root in &self.roots {
            self.add_lines(*root, &mut lines);
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
        if self.forgotten > 0 {
            let _ = writeln!(text, "({} older spans were let go)", self.forgotten);
        }
        text
    }

    /// The lines of `root` and its descendants. Not recursive: a hostile graph may be deep.
    fn add_lines(&self, root: usize, lines: &mut Vec<Line>) {
        // With the branches drawn so far for it, and for what is below it.
        let mut open = vec![(root, String::new(), String::new())];
        while let Some((index, branch, below)) = open.pop() {
            lines.push(self.line(index, &branch));
            let children = self.children.get(&index).map_or(&[][..], Vec::as_slice);
            for (position, child) in children.iter().enumerate().rev() {
                let (turn, on) = match position + 1 == children.len() {
                    true => ("└─ ", "   "),
                    false => ("├─ ", "│  "),
                };
                open.push((*child, format!("{below}{turn}"), format!("{below}{on}")));
            }
        }
    }

    fn line(&self, index: usize, branch: &str) -> Line {
        let node = &self.nodes[index];
        let (mark, end) = match &node.outcome {
            Outcome::Ok if self.contains_red.contains(&index) => ('!', "failed inside".to_owned()),
            Outcome::Ok => ('✓', String::new()),
            Outcome::Failed(why) if self.contains_red.contains(&index) => {
                ('✗', format!("failed inside: {}", escaped(why)))
            }
            Outcome::Failed(why) => ('✗', format!("failed: {}", escaped(why))),
            Outcome::TimedOut => ('✗', "timed out".to_owned()),
            Outcome::Panicked => ('✗', "panicked".to_owned()),
            Outcome::Cancelled => ('-', "cancelled".to_owned()),
            Outcome::Dropped => ('-', "dropped".to_owned()),
        };
        Line {
            mark,
            name: format!("{branch}{}", escaped(&title(node))),
            took: node.took.map_or_else(|| "—".to_owned(), format_duration),
            records: counted(node.records),
            end,
        }
    }
}

struct Line {
    mark: char,
    name: String,
    took: String,
    records: String,
    end: String,
}

/// The span's name, and tool and operation where the name does not say them.
fn title(node: &Node) -> String {
    match (&node.tool, &node.operation) {
        (Some(tool), Some(operation)) if node.name == format!("{tool}.{operation}") => {
            format!("{tool} {operation}")
        }
        (Some(tool), Some(operation)) => format!("{} ({tool} {operation})", node.name),
        _ => node.name.clone(),
    }
}

fn counted(records: RecordCounts) -> String {
    let RecordCounts { warnings, errors, .. } = records;
    let mut text = match records.total() {
        0 => return String::new(),
        1 => "1 log".to_owned(),
        total => format!("{total} logs"),
    };
    for (count, what) in [(warnings, "warn"), (errors, "error")] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text + "  "
}

/// One line, with nothing in it that a terminal would obey.
fn escaped(text: &str) -> String {
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
    let nanos = duration.as_nanos();
    match nanos {
        0 => "—".to_owned(),
        1..1_000_000 => format!("{nanos} ns"),
        // Rounded before it is told apart: 999.96 ms is a second, not 1000.0 ms.
        1_000_000..999_950_000 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        _ if duration.as_secs_f64() < 59.995 => format!("{:.2} s", duration.as_secs_f64()),
        _ => {
            let seconds = duration.as_secs_f64().round() as u64;
            format!("{}m {}s", seconds / 60, seconds % 60)
        }
    }
}
