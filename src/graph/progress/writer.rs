//! Console lines beside a view: above it while it is live, else on standard error.

use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::plain::Plain;

/// The capacity of the queue. When it is full, writers wait for the terminal, as they would without
/// a view.
const MAX_PENDING_BYTES: usize = 1024 * 1024;

/// Console lines on their way to the thread that draws.
pub(super) struct ConsoleQueue {
    state: Mutex<State>,
    changed: Condvar,
    mode: Mode,
}

/// How a view and console lines share the terminal.
pub(super) enum Mode {
    /// A live view on the console's terminal: lines go through its thread.
    Live,
    /// A live view on another terminal: lines go to standard error.
    OtherTerminal,
    /// A plain view: lines go to standard error, after a report.
    Plain(Arc<Plain>),
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<u8>,
    /// Whether the view is to be finished.
    is_finished: bool,
    /// Whether the thread that draws has ended.
    is_closed: bool,
}

impl ConsoleQueue {
    pub(super) fn new(mode: Mode) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), mode })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, text: &[u8]) -> io::Result<()> {
        if let Mode::Plain(plain) = &self.mode {
            if !self.state().is_finished {
                plain.report_before_line();
            }
        }
        if let Mode::Live = self.mode {
            let is_full = |state: &mut State| !state.is_closed && state.pending.len() > MAX_PENDING_BYTES;
            let waited = self.changed.wait_while(self.state(), is_full);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            if !state.is_closed {
                state.pending.extend_from_slice(text);
                self.changed.notify_all();
                return Ok(());
            }
        }
        io::stderr().write_all(text)
    }

    /// Waits at least `min`, then until there are lines to print, at most `max`; returns at once
    /// when the view is to be finished. Returns the lines, and whether it is.
    pub(super) fn wait(&self, min: Duration, max: Duration) -> (Vec<u8>, bool) {
        let is_finished = |state: &mut State| !state.is_finished;
        let waited = self.changed.wait_timeout_while(self.state(), min, is_finished);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_idle = |state: &mut State| !state.is_finished && state.pending.is_empty();
        let waited = self.changed.wait_timeout_while(state, max.saturating_sub(min), is_idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let pending = mem::take(&mut state.pending);
        self.changed.notify_all();
        (pending, state.is_finished)
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

/// Held by the thread that draws. When the thread ends, even by a panic, it prints what is queued
/// and wakes the writers that wait.
pub(super) struct DrawGuard(pub(super) Arc<ConsoleQueue>);

impl Drop for DrawGuard {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_closed = true;
        let rest = mem::take(&mut state.pending);
        // Under the lock, so that it comes before lines written from now on. An error cannot be
        // reported.
        let _ = io::stderr().write_all(&rest);
        drop(state);
        self.0.changed.notify_all();
    }
}

/// A writer for console lines beside a view. Returned by
/// [`Progress::writer`](super::Progress::writer).
///
/// While there is a live view on the same terminal, the thread that draws it prints lines above it,
/// at most a twentieth of a second later; otherwise they go to standard error at once. Beside a
/// plain view, starts and ends that precede a line are printed before it.
#[derive(Clone, Debug)]
pub struct ProgressWriter(pub(super) Arc<ConsoleQueue>);

impl<'a> MakeWriter<'a> for ProgressWriter {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        Lines { console: Arc::clone(&self.0), text: Vec::new() }
    }
}

/// What is written to it until it is flushed or dropped is printed as a whole.
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
            // A console that cannot be written to cannot be told so.
            let _ = self.flush();
        }
    }
}
