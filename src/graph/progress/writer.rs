//! Lines of the console beside a view: above it while it is there, else on standard error.

use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use super::plain::Plain;

/// What may wait to be printed. A thread that has more to say waits for the terminal, as it would without a view.
const MOST_WAITING_BYTES: usize = 1024 * 1024;

/// Where a view and those who write beside it meet.
pub(super) struct Meeting {
    state: Mutex<State>,
    changed: Condvar,
    view: View,
}

/// What a view is to a console.
pub(super) enum View {
    /// Redrawn, on the console's own terminal: lines go through it.
    Live,
    /// Redrawn, on another: lines have nothing to do with it.
    Elsewhere,
    /// Lines too.
    Plain(Arc<Plain>),
}

#[derive(Debug, Default)]
struct State {
    above: Vec<u8>,
    is_over: bool,
    /// Nobody draws any more.
    is_gone: bool,
}

/// What the thread that draws is woken for.
pub(super) enum Call {
    /// Time has passed, or there is something to print.
    Draw(Vec<u8>),
    /// It is the last time.
    Finish(Vec<u8>),
}

impl Meeting {
    pub(super) fn new(view: View) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), view })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, text: &[u8]) -> io::Result<()> {
        match &self.view {
            View::Live => {}
            View::Elsewhere => return io::stderr().write_all(text),
            View::Plain(plain) => {
                if !self.state().is_over {
                    plain.tell_before_a_line();
                }
                return io::stderr().write_all(text);
            }
        }
        let mut state = self.state();
        while !state.is_gone && state.above.len() > MOST_WAITING_BYTES {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_gone {
            drop(state);
            return io::stderr().write_all(text);
        }
        state.above.extend_from_slice(text);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits for at least `least`, and for something to print, or the end, up to `most`.
    pub(super) fn next(&self, least: std::time::Duration, most: std::time::Duration) -> Call {
        let is_over = |state: &mut State| !state.is_over;
        let waited = self.changed.wait_timeout_while(self.state(), least, is_over);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_idle = |state: &mut State| !state.is_over && state.above.is_empty();
        let waited = self.changed.wait_timeout_while(state, most.saturating_sub(least), is_idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let above = mem::take(&mut state.above);
        self.changed.notify_all();
        match state.is_over {
            true => Call::Finish(above),
            false => Call::Draw(above),
        }
    }

    pub(super) fn finish(&self) {
        self.state().is_over = true;
        self.changed.notify_all();
    }
}

impl fmt::Debug for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meeting").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Held by the thread that draws. When it ends, even by a panic, nothing stays unprinted and nobody waits.
pub(super) struct Host(pub(super) Arc<Meeting>);

impl Drop for Host {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_gone = true;
        let rest = mem::take(&mut state.above);
        // Under the lock, or what is written now would come before it. There is nobody left to tell of an error.
        let _ = io::stderr().write_all(&rest);
        drop(state);
        self.0.changed.notify_all();
    }
}

/// Where a console writes that lives with a view. Made by [`Progress::writer`](super::Progress::writer).
///
/// While there is a live view on the same terminal, lines are printed above it by the thread that draws it, at most a
/// twentieth of a second later; in every other case they go to standard error at once. Beside a view that is lines, what
/// started and ended before a line is told before it.
#[derive(Clone, Debug)]
pub struct ProgressWriter(pub(super) Arc<Meeting>);

impl<'a> MakeWriter<'a> for ProgressWriter {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        Lines { meeting: Arc::clone(&self.0), text: Vec::new() }
    }
}

/// What is written between its making and its end is printed in one piece.
#[derive(Debug)]
pub struct Lines {
    meeting: Arc<Meeting>,
    text: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = mem::take(&mut self.text);
        self.meeting.print(&text)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            // As with any console: who cannot be written to cannot be told.
            let _ = self.flush();
        }
    }
}
