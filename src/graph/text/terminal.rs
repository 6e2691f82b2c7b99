//! What the terminal at hand can show.

use std::io::{self, IsTerminal};

use super::Text;

impl Text<'_> {
    /// Fits the text to where standard output goes: a terminal gets its width, and colour unless that
    /// is refused; a file or a pipe gets plain text.
    ///
    /// Colour is refused by [`NO_COLOR`], by `CLICOLOR=0` and by a terminal that says it has none, and
    /// is written anywhere with `CLICOLOR_FORCE`.
    ///
    /// [`NO_COLOR`]: https://no-color.org
    #[cfg_attr(docsrs, doc(cfg(any(feature = "graph", feature = "terminal"))))]
    pub fn for_stdout(self) -> Self {
        self.for_stream(Stream::Out)
    }

    /// Fits the text to where standard error goes, as [`for_stdout`](Self::for_stdout) does.
    #[cfg_attr(docsrs, doc(cfg(any(feature = "graph", feature = "terminal"))))]
    pub fn for_stderr(self) -> Self {
        self.for_stream(Stream::Err)
    }

    fn for_stream(self, stream: Stream) -> Self {
        let text = self.with_color(stream.wants_color());
        match stream.size() {
            Some((columns, _)) => text.with_width(columns),
            None => text,
        }
    }
}

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
