//! A live view of the graph on a terminal.
//!
//! [`Progress`] starts and finishes a view. `view_state` reads from the recorder, `candidates` and
//! `selection` choose what is shown, `frame` lays it out in rows and `region` draws these. `plain` is the view
//! where nothing can be redrawn, `summary` is what either leaves at the end, and `writer` is for
//! console lines beside a view.

mod candidates;
mod selection;
mod summary;
mod pace;
mod frame;
mod github;
mod link;
mod output;
mod plain;
mod region;
mod view_state;
#[cfg(test)]
mod tests;
pub(super) mod writer;

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime};

use self::output::Output;
use self::pace::{CPU_SHARE, INTERVAL, MIN_INTERVAL};
use self::plain::Plain;
use self::region::Region;
use self::view_state::{Filter, ViewState};
use self::writer::{ConsoleQueue, DrawGuard, Mode, ProgressWriter};
use super::call::Call;
use super::live::recorder::Recorder;
use super::moment::unix_nano;
use super::text::terminal::Stream;

/// A live view of a [`Recorder`] on a terminal.
///
/// It shows the tree while it runs: running calls with a spinner, their elapsed time and their last
/// log lines; finished calls on one line each; failed ones with their last log lines. If there are
/// more calls than rows, these go to jobs first, then to failures, then to the longest-running calls,
/// and the number of the others; log lines take what is left. When it is finished, the complete tree is
/// printed, followed by each failure with its last log lines, the one that ended the job last, and by one
/// line that says how the job ended.
///
/// Where it cannot be redrawn, a line is printed for each start and end instead, in order with the
/// lines of the [`writer`](Self::writer): if the output is not a terminal, if `TERM` is `dumb`, or
/// if `CI` is set. The end is the same; in a GitHub workflow (`GITHUB_ACTIONS` is `true`) the tree is a
/// group, and each failure an `::error` annotation. Whether there is colour is decided as for
/// [`Text::for_stdout`](super::Text::for_stdout).
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
/// A separate thread draws, at most twenty times a second. Anything that is written to the terminal
/// other than through the [`writer`](Self::writer) is overwritten.
///
/// Dropping a view finishes it and ignores errors.
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

    /// A builder with more options; [`ProgressBuilder::start`] opens the view.
    pub fn builder(recorder: &Recorder) -> ProgressBuilder {
        ProgressBuilder {
            recorder: recorder.clone(),
            filter: None,
            stream: Stream::Err,
            width: None,
            is_plain: false,
            report: None,
        }
    }

    /// A writer for console lines, which can also be used after the view is finished. Lines go
    /// above the view while it is live on the same terminal, and to standard error otherwise.
    pub fn writer(&self) -> ProgressWriter {
        ProgressWriter(Arc::clone(&self.console))
    }

    /// Whether the view is redrawn in place; otherwise it prints lines.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// Closes the view and prints the complete tree, and the failures with their last log lines.
    ///
    /// # Errors
    ///
    /// If writing to the output or the report failed, now or before, or if the thread that draws could
    /// not be started.
    pub fn finish(mut self) -> io::Result<()> {
        self.close()
    }

    fn close(&mut self) -> io::Result<()> {
        self.console.finish();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(drawn)) => drawn,
            Some(Err(_)) => Err(io::Error::other("the thread that draws the view panicked")),
            None => Err(io::Error::other("the thread that draws the view could not be started")),
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

/// A view that is not open yet. Returned by [`Progress::builder`].
#[must_use = "nothing is shown until it is started"]
pub struct ProgressBuilder {
    recorder: Recorder,
    filter: Option<Filter>,
    stream: Stream,
    width: Option<usize>,
    is_plain: bool,
    report: Option<PathBuf>,
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

    /// Sets the maximum width of the view in columns. Default: the current width of the terminal.
    pub fn with_width(mut self, columns: usize) -> Self {
        self.width = Some(columns);
        self
    }

    /// Sets whether lines are printed instead of a view that is redrawn, even on a terminal.
    /// Default: off.
    pub fn with_plain(mut self, plain: bool) -> Self {
        self.is_plain = plain;
        self
    }

    /// Writes the [HTML report](super::ToolCallGraph::write_html) to `path` when the view is finished,
    /// and names it in the last line. An error is returned by [`Progress::finish`].
    pub fn with_report(mut self, path: impl Into<PathBuf>) -> Self {
        self.report = Some(path.into());
        self
    }

    /// Hides the calls for which `is_shown` is false; their children move up, as with
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
        // On Windows, what moves the cursor has to be enabled.
        let takes_codes = anstyle_query::windows::enable_ansi_colors().unwrap_or(true);
        let can_redraw = takes_codes && self.stream.size().is_some() && anstyle_query::term_supports_color();
        let is_live = can_redraw && !is_ci && !self.is_plain;
        let view_state = ViewState::new(self.recorder, self.filter);
        let output = Output {
            stream: self.stream,
            width: self.width,
            color: self.stream.wants_color(),
            report: self.report,
        };
        let (mode, draw): (Mode, Draw) = if is_live {
            let mode = if Stream::Err.is_terminal() { Mode::Live } else { Mode::OtherTerminal };
            (mode, live_view(view_state, Region::new(out), output))
        } else {
            let plain = Arc::new(Plain::new(view_state, out, output.color));
            let mode = Mode::Plain(Arc::clone(&plain));
            // Console lines are not queued in this mode, so there is nothing else to print.
            let draw = move |_: &[u8], is_last| match is_last {
                true => plain.finish(&output),
                false => plain.report(),
            };
            (mode, Box::new(draw))
        };
        let console = ConsoleQueue::new(mode);
        let guard = DrawGuard(Arc::clone(&console));
        let thread = thread::Builder::new().name("spanlog-progress".into());
        let thread = thread.spawn(move || run(&guard.0, draw));
        Progress { console, thread: thread.ok(), is_live }
    }
}

/// Draws a view, given the lines to print above it, and whether it is to be finished.
type Draw = Box<dyn FnMut(&[u8], bool) -> io::Result<()> + Send>;

/// The thread that draws.
fn run(console: &ConsoleQueue, mut draw: Draw) -> io::Result<()> {
    let mut interval = MIN_INTERVAL;
    loop {
        let (pending, is_last) = console.wait(interval, INTERVAL.max(interval));
        let started = Instant::now();
        draw(&pending, is_last)?;
        if is_last {
            return Ok(());
        }
        interval = MIN_INTERVAL.max(started.elapsed() * CPU_SHARE);
    }
}

fn live_view(
    mut view_state: ViewState,
    mut region: Region<impl Write + Send + 'static>,
    output: Output,
) -> Draw {
    Box::new(move |pending, is_last| {
        let area = output.area();
        let rows = match is_last {
            true => Vec::new(),
            false => frame::live(&view_state.current(), unix_nano(SystemTime::now()), area),
        };
        region.draw(pending, &rows, area.columns + 1)?;
        if is_last {
            output.conclude(&view_state.complete(), region.out())?;
        }
        Ok(())
    })
}
