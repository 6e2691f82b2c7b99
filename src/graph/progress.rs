//! The tree as it runs, on a terminal.
//!
//! [`Progress`] starts and ends a view; `view_state` keeps what a view needs of a recorder, `selection` chooses what is
//! shown of it, `frame` makes rows of that and `region` puts them on the terminal. `plain` is the view where nothing
//! can be redrawn, `last` what stays of either, and `writer` lets a console live beside it.

mod selection;
mod summary;
mod pace;
mod frame;
mod plain;
mod region;
mod view_state;
#[cfg(test)]
mod tests;
pub(super) mod writer;

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime};

use self::frame::Area;
use self::pace::{CPU_SHARE, INTERVAL, MIN_INTERVAL};
use self::plain::Plain;
use self::region::Region;
use self::summary::summary;
use self::view_state::{Filter, ViewState};
use self::writer::{ConsoleQueue, DrawGuard, Mode, ProgressWriter};
use super::call::{unix_nano, Call};
use super::live::recorder::Recorder;
use super::text::terminal::Stream;

/// What of a terminal's rows is left to what is pending, one part in this many: a terminal that is all view shows no lines.
const SCROLLBACK_SHARE: usize = 5;

/// A live view of what a [`Recorder`] hears.
///
/// On a terminal it is the tree as it runs: running calls with a spinner, the time so far and the last lines of what
/// they log; finished ones as one line each; failures with their last lines. Where there are more calls than
/// rows, those that run longest are shown, and how many more there are. At the end the whole tree
/// stays, with the failures and their last lines again.
///
/// Where it cannot be redrawn it is a line for each start and end, in step with the lines of the
/// [`writer`](Self::writer), and the same at the end: if the output is no terminal, if `TERM` is `dumb`, or if `CI` is
/// set. Colour is refused and insisted on as for [`Text::for_stdout`](super::Text::for_stdout).
///
/// ```
/// use spanlog::graph::{Progress, Recorder};
///
/// let recorder = Recorder::default();
/// let view = Progress::start(&recorder);
/// let (dispatch, guard) = spanlog::builder()
///     .with_recorder(recorder)
///     .with_console_writer(view.writer())
/// #   .with_json_lines(std::env::temp_dir().join("spanlog-progress-doc"))
///     .build()?;
/// tracing::dispatcher::with_default(&dispatch, || {
///     spanlog::op::run("git", "clone", [], || Ok::<_, std::io::Error>(()))
/// })?;
/// drop(guard);
/// view.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A thread of its own draws, at most twenty times a second. What is written to the
/// terminal by other ways than the [`writer`](Self::writer) is drawn over.
///
/// Dropping a view finishes it, and ignores errors.
#[derive(Debug)]
#[must_use = "dropping the view closes it"]
pub struct Progress {
    console: Arc<ConsoleQueue>,
    thread: Option<JoinHandle<io::Result<()>>>,
    is_live: bool,
}

impl Progress {
    /// Opens a view on standard error.
    pub fn start(recorder: &Recorder) -> Self {
        Self::builder(recorder).start()
    }

    /// Begins a view that is reported more; [`ProgressBuilder::start`] opens it.
    pub fn builder(recorder: &Recorder) -> ProgressBuilder {
        ProgressBuilder {
            recorder: recorder.clone(),
            filter: None,
            stream: Stream::Err,
            width: None,
            is_plain: false,
        }
    }

    /// Where a console writes that lives with this view, also after its end: pending the view while there
    /// is one on the same terminal, else to standard error.
    pub fn writer(&self) -> ProgressWriter {
        ProgressWriter(Arc::clone(&self.console))
    }

    /// Whether the view is redrawn in its output; else it is lines.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// Closes the view: the whole tree takes its output, and the failures with their last lines.
    ///
    /// # Errors
    ///
    /// If the output could not be written to, then or before, or if there was no thread to draw.
    pub fn finish(mut self) -> io::Result<()> {
        self.close()
    }

    fn close(&mut self) -> io::Result<()> {
        self.console.finish();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(drawn)) => drawn,
            Some(Err(_)) => Err(io::Error::other("the thread that draws the view panicked")),
            None => Err(io::Error::other("there is no thread to draw the view")),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _ = self.close();
        }
    }
}

/// A view before it is opened. Made by [`Progress::builder`].
#[must_use = "nothing is shown until it is started"]
pub struct ProgressBuilder {
    recorder: Recorder,
    filter: Option<Filter>,
    stream: Stream,
    width: Option<usize>,
    is_plain: bool,
}

impl fmt::Debug for ProgressBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressBuilder").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl ProgressBuilder {
    /// Shows the view on standard output. Default: on standard error.
    pub fn with_stdout(mut self) -> Self {
        self.stream = Stream::Out;
        self
    }

    /// Sets how many columns the view has at most. Default: those of the terminal, at every moment.
    pub fn with_width(mut self, columns: usize) -> Self {
        self.width = Some(columns);
        self
    }

    /// Writes lines, on a terminal too. Default: off.
    pub fn with_plain(mut self, plain: bool) -> Self {
        self.is_plain = plain;
        self
    }

    /// Hides the calls that `is_shown` refuses; what is below them moves up, as with
    /// [`ToolCallGraph::showing`](super::ToolCallGraph::showing).
    pub fn showing(mut self, is_shown: impl Fn(&Call) -> bool + Send + 'static) -> Self {
        self.filter = Some(Box::new(is_shown));
        self
    }

    /// Opens the view.
    pub fn start(self) -> Progress {
        let out: Box<dyn Write + Send> = match self.stream {
            Stream::Out => Box::new(io::stdout()),
            Stream::Err => Box::new(io::stderr()),
        };
        let is_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
        let can_redraw = self.stream.size().is_some() && anstyle_query::term_supports_color();
        let is_live = can_redraw && !is_ci && !self.is_plain;
        let view_state = ViewState::new(self.recorder, self.filter);
        let output = Output { stream: self.stream, width: self.width, color: self.stream.wants_color() };
        let thread = thread::Builder::new().name("spanlog-progress".into());
        let (console, thread) = if is_live {
            let is_shared = Stream::Err.is_terminal();
            let console = ConsoleQueue::new(if is_shared { Mode::Live } else { Mode::OtherTerminal });
            let guard = DrawGuard(Arc::clone(&console));
            (console, thread.spawn(move || run_live(view_state, Region::new(out), &guard.0, output)))
        } else {
            let plain = Arc::new(Plain::new(view_state, out, output.color));
            let console = ConsoleQueue::new(Mode::Plain(Arc::clone(&plain)));
            let guard = DrawGuard(Arc::clone(&console));
            (console, thread.spawn(move || run_plain(&plain, &guard.0, output)))
        };
        Progress { console, thread: thread.ok(), is_live }
    }
}

/// Where a view is.
#[derive(Clone, Copy)]
struct Output {
    stream: Stream,
    width: Option<usize>,
    color: bool,
}

impl Output {
    /// The last column stays free: what is written there makes some terminals begin a row, and others not.
    fn area(self) -> Area {
        let (columns, rows) = self.stream.size().unwrap_or((80, 24));
        let columns = self.width.unwrap_or(usize::MAX).min(columns);
        // The last row is the cursor's.
        let rows = rows.saturating_sub(1 + rows / SCROLLBACK_SHARE);
        Area { columns: columns.saturating_sub(1), rows, color: self.color }
    }

    /// How wide the tree may be that stays.
    fn columns(self) -> Option<usize> {
        match self.stream.is_terminal() {
            true => Some(self.area().columns),
            false => self.width,
        }
    }
}

/// The thread of a view that is redrawn.
fn run_live(
    mut view_state: ViewState,
    mut region: Region<impl Write>,
    console: &ConsoleQueue,
    output: Output,
) -> io::Result<()> {
    let mut least = MIN_INTERVAL;
    loop {
        let (pending, is_last) = match console.wait(least, INTERVAL.max(least)) {
            writer::Wake::Draw(pending) => (pending, false),
            writer::Wake::Finish(pending) => (pending, true),
        };
        let begun = Instant::now();
        let space = output.area();
        let rows = match is_last {
            true => Vec::new(),
            false => frame::live(&view_state.current(), unix_nano(SystemTime::now()), space),
        };
        region.draw(&pending, &rows, space.columns + 1)?;
        if is_last {
            let text = summary(&view_state.complete(), output.columns(), output.color);
            region.out().write_all(text.as_bytes())?;
            return region.out().flush();
        }
        least = MIN_INTERVAL.max(begun.elapsed() * CPU_SHARE);
    }
}

/// The thread of a view that is lines.
fn run_plain(plain: &Plain, console: &ConsoleQueue, output: Output) -> io::Result<()> {
    let mut least = MIN_INTERVAL;
    loop {
        // Lines of the console do not wait, so there is nothing to print for others.
        if let writer::Wake::Finish(_) = console.wait(least, INTERVAL.max(least)) {
            return plain.finish(output.columns());
        }
        let begun = Instant::now();
        plain.report()?;
        least = MIN_INTERVAL.max(begun.elapsed() * CPU_SHARE);
    }
}
