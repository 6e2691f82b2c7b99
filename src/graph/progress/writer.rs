//! Lines of the console beside a view: pending it while it is there, else on standard error.

use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use super::plain::Plain;

/// What may wait to be printed. A thread that has more to say waits for the terminal, as it would without a view.
const MAX_PENDING_BYTES: usize = 1024 * 1024;

/// Where a view and those who write beside it meet.
pub(super) struct ConsoleQueue {
    state: Mutex<State>,
    changed: Condvar,
    mode: Mode,
}

/// What a view is to a console.
pub(super) enum Mode {
    /// Redrawn, on the console's own terminal: lines go through it.
    Live,
    /// Redrawn, on another: lines have nothing to do with it.
    OtherTerminal,
    /// Lines too.
    Plain(Arc<Plain>),
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<u8>,
    is_finished: bool,
    /// Nobody draws any more.
    is_closed: bool,
}

/// What the thread that draws is woken for.
pub(super) enum Wake {
    /// Time has passed, or there is something to print.
    Draw(Vec<u8>),
    /// It is the last time.
    Finish(Vec<u8>),
}

impl ConsoleQueue {
    pub(super) fn new(mode: Mode) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), mode })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, text: &[u8]) -> io::Result<()> {
        match &self.mode {
            Mode::Live => {}
            Mode::OtherTerminal => return io::stderr().write_all(text),
            Mode::Plain(plain) => {
                if !self.state().is_finished {
                    plain.report_before_line();
                }
                return io::stderr().write_all(text);
            }
        }
        let mut state = self.state();
        while !state.is_closed && state.pending.len() > MAX_PENDING_BYTES {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_closed {
            drop(state);
            return io::stderr().write_all(text);
        }
        state.pending.extend_from_slice(text);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits for at min `min`, and for something to print, or the end, up to `max`.
    pub(super) fn wait(&self, min: std::time::Duration, max: std::time::Duration) -> Wake {
        let is_finished = |state: &mut State| !state.is_finished;
        let waited = self.changed.wait_timeout_while(self.state(), min, is_finished);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_idle = |state: &mut State| !state.is_finished && state.pending.is_empty();
        let waited = self.changed.wait_timeout_while(state, max.saturating_sub(min), is_idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let pending = mem::take(&mut state.pending);
        self.changed.notify_all();
        match state.is_finished {
            true => Wake::Finish(pending),
            false => Wake::Draw(pending),
        }
    }

    pub(super) fn finish(&self) {
        self.state().is_finished = true;
        self.changed.notify_all();
    }
}

impl fmt::Debug for ConsoleQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsoleQueue").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Held by the thread that draws. When it ends, even by a panic, nothing stays unprinted and nobody waits.
pub(super) struct DrawGuard(pub(super) Arc<ConsoleQueue>);

impl Drop for DrawGuard {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_closed = true;
        let rest = mem::take(&mut state.pending);
        // Under the lock, or what is written now would come before it. There is nobody left to report of an error.
        let _ = io::stderr().write_all(&rest);
        drop(state);
        self.0.changed.notify_all();
    }
}

/// Where a console writes that lives with a view. Made by [`Progress::writer`](super::Progress::writer).
///
/// While there is a live view on the same terminal, lines are printed pending it by the thread that draws it, at max a
/// twentieth of a second later; in every other case they go to standard error at once. Beside a view that is lines, what
/// started and ended before a line is reported before it.
#[derive(Clone, Debug)]
pub struct ProgressWriter(pub(super) Arc<ConsoleQueue>);

impl<'a> MakeWriter<'a> for ProgressWriter {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        Lines { console: Arc::clone(&self.0), text: Vec::new() }
    }
}

/// What is written between its making and its end is printed in one piece.
#[derive(Debug)]
pub struct Lines {
    console: Arc<ConsoleQueue>,
    text: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = mem::take(&mut self.text);
        self.console.print(&text)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            // As with any console: who cannot be written to cannot be reported.
            let _ = self.flush();
        }
    }
}
