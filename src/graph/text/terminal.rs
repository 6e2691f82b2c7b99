//! What the terminal at hand can show.

use std::io::{self, IsTerminal};

/// One of the standard streams, and the terminal that it may go to.
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

    /// Columns and rows; `None` if it is no terminal, or one that does not know.
    pub(in crate::graph) fn size(self) -> Option<(usize, usize)> {
        let size = match self {
            Self::Out => terminal_size::terminal_size_of(io::stdout()),
            Self::Err => terminal_size::terminal_size_of(io::stderr()),
        };
        size.map(|(columns, rows)| (usize::from(columns.0), usize::from(rows.0)))
    }

    /// Who says no goes first, then who insists, then what the terminal can do.
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
