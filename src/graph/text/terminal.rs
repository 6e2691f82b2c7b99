//! The standard streams and their terminals.

use std::io::{self, IsTerminal};

/// A standard stream, which may be a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum Stream {
    Out,
    Err,
}

impl Stream {
    pub(in crate::graph) fn is_terminal(self) -> bool {
        match self {
            Self::Out => io::stdout().is_terminal(),
            Self::Err => io::stderr().is_terminal(),
        }
    }

    /// Columns and rows; `None` if it is not a terminal, or its size is unknown.
    pub(in crate::graph) fn size(self) -> Option<(usize, usize)> {
        let size = match self {
            Self::Out => terminal_size::terminal_size_of(io::stdout()),
            Self::Err => terminal_size::terminal_size_of(io::stderr()),
        };
        size.map(|(columns, rows)| (usize::from(columns.0), usize::from(rows.0)))
    }

    /// `NO_COLOR` takes precedence over `CLICOLOR_FORCE`, and that over the terminal's
    /// capabilities.
    pub(in crate::graph) fn wants_color(self) -> bool {
        if anstyle_query::no_color() {
            return false;
        }
        if anstyle_query::clicolor_force() {
            return true;
        }
        self.is_terminal()
            && anstyle_query::clicolor().unwrap_or(true)
            && anstyle_query::term_supports_color()
    }
}
