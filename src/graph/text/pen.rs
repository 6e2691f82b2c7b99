//! Writes the parts of a line, with colours and within a width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a part of a line looks in colour. These are the terminal's own colours, which its user can
/// read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum Style {
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

/// A line as it is written to the terminal, without a line end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::graph) struct Row {
    pub(in crate::graph) text: String,
    /// The width of the text.
    pub(in crate::graph) columns: usize,
}

/// Writes the parts of a line up to its maximum width.
pub(in crate::graph) struct Pen {
    row: Row,
    max_columns: usize,
    color: bool,
    /// Spaces to be written if anything follows.
    spaces: usize,
}

impl Pen {
    pub(in crate::graph) fn new(max_columns: usize, color: bool) -> Self {
        Self { row: Row::default(), max_columns, color, spaces: 0 }
    }

    /// Writes a part, truncated to the columns that are left.
    pub(in crate::graph) fn write(self, style: Style, text: &str) -> Self {
        self.write_to(usize::MAX, style, text)
    }

    /// Writes a part, truncated at column `last`.
    pub(in crate::graph) fn write_to(mut self, last: usize, style: Style, text: &str) -> Self {
        let column = self.row.columns + self.spaces;
        let text = truncated(text, last.min(self.max_columns).saturating_sub(column));
        if text.is_empty() {
            return self;
        }
        self.row.text.push_str(&" ".repeat(std::mem::take(&mut self.spaces)));
        self.row.columns = column + text.width();
        match style.code() {
            code if self.color && !code.is_empty() => {
                self.row.text.push_str(code);
                self.row.text.push_str(&text);
                self.row.text.push_str("\u{1b}[0m");
            }
            _ => self.row.text.push_str(&text),
        }
        self
    }

    /// Writes parts, separated by commas.
    pub(in crate::graph) fn write_list(mut self, parts: &[(Style, String)]) -> Self {
        for (position, (style, text)) in parts.iter().enumerate() {
            if position > 0 {
                self = self.write(Style::Faint, ", ");
            }
            self = self.write(*style, text);
        }
        self
    }

    /// Adds spaces if anything follows.
    pub(in crate::graph) fn space(mut self, columns: usize) -> Self {
        self.spaces += columns;
        self
    }

    /// Adds spaces up to a column if anything follows.
    pub(in crate::graph) fn pad_to(mut self, column: usize) -> Self {
        self.spaces = self.spaces.max(column.saturating_sub(self.row.columns));
        self
    }

    pub(in crate::graph) fn finish(self) -> Row {
        self.row
    }
}

/// Truncates text to `columns`; the last one is `…` if anything is missing.
pub(in crate::graph) fn truncated(text: &str, columns: usize) -> String {
    // No character is wider than its bytes in UTF-8.
    if text.len() <= columns || text.width() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let mut truncated = String::new();
    for character in text.chars() {
        let columns = character.width().unwrap_or(0);
        if columns > left {
            break;
        }
        left -= columns;
        truncated.push(character);
    }
    if columns > 0 {
        truncated.push('…');
    }
    truncated
}
