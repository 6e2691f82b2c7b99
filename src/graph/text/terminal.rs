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
    pub fn for_stdout(self) -> Self {
        let stdout = io::stdout();
        self.for_terminal(stdout.is_terminal(), terminal_size::terminal_size_of(&stdout))
    }

    /// Fits the text to where standard error goes, as [`for_stdout`](Self::for_stdout) does.
    pub fn for_stderr(self) -> Self {
        let stderr = io::stderr();
        self.for_terminal(stderr.is_terminal(), terminal_size::terminal_size_of(&stderr))
    }

    fn for_terminal(
        self,
        is_terminal: bool,
        size: Option<(terminal_size::Width, terminal_size::Height)>,
    ) -> Self {
        let text = self.with_color(wants_color(is_terminal));
        match size.filter(|_| is_terminal) {
            Some((columns, _)) => text.with_width(usize::from(columns.0)),
            None => text,
        }
    }
}

/// Who says no goes first, then who insists, then what the terminal can do.
fn wants_color(is_terminal: bool) -> bool {
    if anstyle_query::no_color() {
        return false;
    }
    if anstyle_query::clicolor_force() {
        return true;
    }
    is_terminal && anstyle_query::clicolor().unwrap_or(true) && anstyle_query::term_supports_color()
}
