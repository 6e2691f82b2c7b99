//! The standard streams and their terminals.

#![cfg_attr(unix, expect(unsafe_code, reason = "libc's functions are unsafe"))]

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
        match self {
            Self::Out => size_of(io::stdout()),
            Self::Err => size_of(io::stderr()),
        }
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

#[cfg(unix)]
fn size_of(stream: impl std::os::fd::AsRawFd) -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: it writes to `size` only.
    let result = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCGWINSZ, &mut size) };
    let is_known = result == 0 && size.ws_col > 0 && size.ws_row > 0;
    is_known.then(|| (size.ws_col.into(), size.ws_row.into()))
}

#[cfg(windows)]
fn size_of(stream: impl std::os::windows::io::AsHandle) -> Option<(usize, usize)> {
    let (columns, rows) = terminal_size::terminal_size_of(stream)?;
    Some((columns.0.into(), rows.0.into()))
}

#[cfg(not(any(unix, windows)))]
fn size_of<T>(_stream: T) -> Option<(usize, usize)> {
    None
}
