//! One line of the tree: its parts, and how they are written.

use std::fmt;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::graph::{format_duration, Level, Node, Outcome, RecordCounts};

/// How a part of a line looks in colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Faint,
    Good,
    Warning,
    Bad,
}

impl Style {
    /// The terminal's own colours, which people have set to what they can read.
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faint => "\u{1b}[2m",
            Self::Good => "\u{1b}[32m",
            Self::Warning => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
        }
    }
}

/// Writes the parts of one line, no further than to its last column.
pub(super) struct Pen<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    color: bool,
    left: Option<usize>,
    /// Spaces that are written when something comes after them.
    spaces: usize,
}

impl<'a, 'f> Pen<'a, 'f> {
    pub(super) fn new(out: &'a mut fmt::Formatter<'f>, color: bool, width: Option<usize>) -> Self {
        Self { out, color, left: width, spaces: 0 }
    }

    pub(super) fn space(&mut self, columns: usize) {
        self.spaces += columns;
    }

    pub(super) fn write(&mut self, style: Style, text: &str) -> fmt::Result {
        if text.is_empty() {
            return Ok(());
        }
        let spaces = std::mem::take(&mut self.spaces);
        let text = match self.left {
            None => text.to_owned(),
            Some(left) if left <= spaces => {
                self.left = Some(0);
                return Ok(());
            }
            Some(left) => fitted(text, left - spaces),
        };
        self.left = self.left.map(|left| left.saturating_sub(spaces + text.width()));
        write!(self.out, "{:spaces$}", "")?;
        match style.code() {
            code if self.color && !code.is_empty() => write!(self.out, "{code}{text}\u{1b}[0m"),
            _ => self.out.write_str(&text),
        }
    }
}

/// A span's line, with nothing in it that a terminal would obey.
pub(super) struct Line {
    mark: (Style, &'static str),
    /// With the branches before it.
    pub(super) name: String,
    pub(super) took: String,
    records: RecordCounts,
    pub(super) end: String,
}

impl Line {
    pub(super) fn of(node: Node<'_>, branch: String) -> Self {
        let call = node.call();
        let inside = if node.contains_failure() { " inside" } else { "" };
        let (style, mark, end) = match call.outcome {
            Outcome::Failed if call.message.is_empty() => (Style::Bad, "✗", format!("failed{inside}")),
            Outcome::Failed => (Style::Bad, "✗", format!("failed{inside}: {}", escaped(&call.message))),
            Outcome::TimedOut | Outcome::Panicked => (Style::Bad, "✗", call.outcome.name().to_owned()),
            Outcome::Ok if node.is_red() => (Style::Warning, "!", "failed inside".to_owned()),
            Outcome::Ok => (Style::Good, "✓", String::new()),
            Outcome::Cancelled | Outcome::Dropped => (Style::Warning, "-", call.outcome.name().to_owned()),
            Outcome::Running => (Style::Plain, "…", "running".to_owned()),
            Outcome::Skipped => (Style::Faint, "·", "skipped".to_owned()),
        };
        Self {
            mark: (style, mark),
            name: branch + &escaped(&call.title()),
            took: call.duration().map_or_else(|| "—".to_owned(), format_duration),
            records: node.own_counts(),
            end,
        }
    }

    pub(super) fn write(&self, pen: &mut Pen<'_, '_>, names: usize, durations: usize) -> fmt::Result {
        pen.write(self.mark.0, self.mark.1)?;
        pen.space(1);
        let name = match pen.left {
            Some(_) => fitted(&self.name, names),
            None => self.name.clone(),
        };
        pen.write(Style::Plain, &name)?;
        pen.space(names.saturating_sub(name.width()) + 2 + durations.saturating_sub(self.took.width()));
        pen.write(Style::Faint, &self.took)?;
        pen.space(2);
        for (position, (style, text)) in counted(&self.records).into_iter().enumerate() {
            if position > 0 {
                pen.write(Style::Plain, ", ")?;
            }
            pen.write(style, &text)?;
        }
        if self.records.total() > 0 {
            pen.space(2);
        }
        pen.write(self.mark.0, &self.end)
    }

    /// The columns of the counts and of the space behind them.
    pub(super) fn records_width(&self) -> usize {
        counted(&self.records).iter().map(|(_, text)| text.width() + 2).sum()
    }
}

/// `1 error, 14 info`: those that are there, the most severe first.
fn counted(records: &RecordCounts) -> Vec<(Style, String)> {
    let levels = Level::ALL.into_iter().rev().filter(|level| records.of(*level) > 0);
    let style = |level| match level {
        Level::Error | Level::Fatal => Style::Bad,
        Level::Warn => Style::Warning,
        _ => Style::Plain,
    };
    levels.map(|level| (style(level), format!("{} {}", records.of(level), level.name()))).collect()
}

/// As much of `text` as goes into `columns`, with `…` where something is missing.
fn fitted(text: &str, columns: usize) -> String {
    if text.len() <= columns || text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let mut fitted = String::new();
    for character in text.chars() {
        let columns = character.width().unwrap_or(0);
        if columns > left {
            break;
        }
        left -= columns;
        fitted.push(character);
    }
    if columns > 0 {
        fitted.push('…');
    }
    fitted
}

/// One line, with nothing in it that a terminal would obey or that turns text around.
pub(in crate::graph) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => safe.push_str(" ⏎ "),
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                safe.extend(character.escape_default());
            }
            character if character.is_control() => safe.extend(character.escape_default()),
            character => safe.push(character),
        }
    }
    safe
}
