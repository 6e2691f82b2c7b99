//! A row of the view: its parts, how wide they are, how they look.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a part of a row looks in colour: in the terminal's own colours, which people have set to what they can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Faint,
    Good,
    Warning,
    Bad,
    Busy,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faint => "\u{1b}[2m",
            Self::Good => "\u{1b}[32m",
            Self::Warning => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
            Self::Busy => "\u{1b}[36m",
        }
    }
}

/// A row as it goes to the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) text: String,
    /// How many columns the text takes.
    pub(super) columns: usize,
}

/// Writes a row, no further than to its last column.
pub(super) struct Pen {
    row: Row,
    most_columns: usize,
    color: bool,
}

impl Pen {
    pub(super) fn new(most_columns: usize, color: bool) -> Self {
        Self { row: Row::default(), most_columns, color }
    }

    pub(super) fn write(mut self, style: Style, text: &str) -> Self {
        let text = fitted(text, self.most_columns.saturating_sub(self.row.columns));
        self.row.columns += text.width();
        match style.code() {
            code if self.color && !code.is_empty() && !text.is_empty() => {
                self.row.text.push_str(code);
                self.row.text.push_str(&text);
                self.row.text.push_str("\u{1b}[0m");
            }
            _ => self.row.text.push_str(&text),
        }
        self
    }

    /// Spaces, as many as are missing up to a column.
    pub(super) fn pad_to(self, column: usize) -> Self {
        let missing = column.saturating_sub(self.row.columns);
        self.write(Style::Plain, &" ".repeat(missing))
    }

    pub(super) fn finish(mut self) -> Row {
        let len = self.row.text.trim_end_matches(' ').len();
        self.row.columns -= self.row.text.len() - len;
        self.row.text.truncate(len);
        self.row
    }
}

/// As much of `text` as goes into `columns`, with `…` where something is missing.
pub(super) fn fitted(text: &str, columns: usize) -> String {
    if text.width() <= columns {
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
