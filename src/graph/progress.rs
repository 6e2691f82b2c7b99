//! The tree as it runs, on a terminal.
//!
//! [`Progress`] starts and ends a view; `scene` keeps what a view needs of a recorder, `choice` chooses what is
//! shown of it, `picture` makes rows of that, `row` is one of them, `region` puts them on the terminal, and
//! `writer` lets a console live beside it.

mod choice;
mod picture;
mod region;
mod row;
mod scene;
#[cfg(test)]
mod tests;
mod writer;

use std::env;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use self::picture::Space;
use self::region::Region;
use self::scene::{Filter, Scene};
use self::writer::{Host, Meeting};
use super::call::unix_nano;
use super::live::Recorder;
use super::Call;

pub use self::writer::ProgressWriter;

/// Between two drawings, while nothing is printed above.
const TICK: Duration = Duration::from_millis(100);

/// The least between two drawings.
const LEAST_TICK: Duration = Duration::from_millis(50);

/// What drawing may take of a processor: one part in this many.
const SHARE: u32 = 10;

/// What of a terminal's rows is left to what is above, one part in this many: a terminal that is all view shows no lines.
const SHARE_ABOVE: usize = 5;

/// A live view of what a [`Recorder`] hears.
///
/// On a terminal it is the tree as it runs: running calls with a spinner, the time so far and the last lines of what
/// they log; finished ones as one line each; failures with their last lines. Where there are more calls than
/// rows, those that run longest are shown, and how many more there are. At the end the whole tree
/// stays, with the failures and their last lines again.
///
/// Where it cannot be redrawn it is a line for each start and end, and the same at the end: if the output is
/// no terminal, if `TERM` is `dumb`, or if `CI` is set. `NO_COLOR` is honoured.
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
/// A thread of its own draws, at most twenty times a second. Those who log never wait for it. What is written to the
/// terminal by other ways than the [`writer`](Self::writer) is drawn over.
///
/// Dropping a view finishes it, and ignores errors.
#[derive(Debug)]
#[must_use = "dropping the view closes it"]
pub struct Progress {
    meeting: Arc<Meeting>,
    thread: Option<JoinHandle<io::Result<()>>>,
    is_live: bool,
}

impl Progress {
    /// Opens a view on standard error.
    pub fn start(recorder: &Recorder) -> Self {
        Self::builder(recorder).start()
    }

    /// Begins a view that is told more; [`ProgressBuilder::start`] opens it.
    pub fn builder(recorder: &Recorder) -> ProgressBuilder {
        ProgressBuilder {
            recorder: recorder.clone(),
            filter: None,
            is_stdout: false,
            width: None,
            is_plain: false,
        }
    }

    /// Where a console writes that lives with this view, also after its end: above the view while there
    /// is one on the same terminal, else to standard error.
    pub fn writer(&self) -> ProgressWriter {
        ProgressWriter(Arc::clone(&self.meeting))
    }

    /// Whether the view is redrawn in its place; else it is lines.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// Closes the view: the whole tree takes its place, and the failures with their last lines.
    ///
    /// # Errors
    ///
    /// If the output could not be written to, then or before, or if there was no thread to draw.
    pub fn finish(mut self) -> io::Result<()> {
        self.close()
    }

    fn close(&mut self) -> io::Result<()> {
        self.meeting.finish();
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
    is_stdout: bool,
    width: Option<usize>,
    is_plain: bool,
}

impl fmt::Debug for ProgressBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressBuilder").field("is_stdout", &self.is_stdout).finish_non_exhaustive()
    }
}

impl ProgressBuilder {
    /// Shows the view on standard output. Default: on standard error.
    pub fn with_stdout(mut self) -> Self {
        self.is_stdout = true;
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
        let is_terminal =
            if self.is_stdout { io::stdout().is_terminal() } else { io::stderr().is_terminal() };
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").map_or(cfg!(unix), |term| term == "dumb");
        let is_live =
            is_terminal && !self.is_plain && !is_dumb && !is_set("CI") && crossterm::terminal::size().is_ok();
        let meeting = Meeting::new(is_live && io::stderr().is_terminal());
        let host = Host(Arc::clone(&meeting));
        let view = View {
            scene: Scene::new(self.recorder, self.filter),
            width: self.width,
            color: is_terminal && !is_set("NO_COLOR") && !is_dumb,
            is_terminal,
        };
        let out: Box<dyn Write + Send> =
            if self.is_stdout { Box::new(io::stdout()) } else { Box::new(io::stderr()) };
        let run = move || match is_live {
            true => view.live(&host.0, Region::new(out)),
            false => view.plain(&host.0, out),
        };
        let thread = thread::Builder::new().name("spanlog-progress".into()).spawn(run);
        Progress { meeting, thread: thread.ok(), is_live }
    }
}

/// What the thread does.
struct View {
    scene: Scene,
    width: Option<usize>,
    color: bool,
    is_terminal: bool,
}

impl View {
    fn live(mut self, meeting: &Meeting, mut region: Region<impl Write>) -> io::Result<()> {
        let mut least = LEAST_TICK;
        loop {
            let call = meeting.next(least, TICK.max(least));
            let (above, is_last) = match call {
                writer::Call::Draw(above) => (above, false),
                writer::Call::Finish(above) => (above, true),
            };
            let begun = Instant::now();
            let space = self.space();
            let rows = match is_last {
                true => Vec::new(),
                false => picture::live(&self.scene.now(), unix_nano(SystemTime::now()), space),
            };
            region.draw(&above, &rows, space.columns + 1)?;
            if is_last {
                return self.last(region.out());
            }
            least = LEAST_TICK.max(begun.elapsed() * SHARE);
        }
    }

    fn plain(mut self, meeting: &Meeting, mut out: impl Write) -> io::Result<()> {
        let mut least = LEAST_TICK;
        loop {
            // Nothing is shared with a view that is lines, so there is nothing to print for others.
            let is_last = matches!(meeting.next(least, TICK.max(least)), writer::Call::Finish(_));
            let begun = Instant::now();
            out.write_all(self.scene.news().as_bytes())?;
            if is_last {
                out.write_all(b"\n")?;
                return self.last(&mut out);
            }
            out.flush()?;
            least = LEAST_TICK.max(begun.elapsed() * SHARE);
        }
    }

    fn last(&self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.is_terminal.then(|| self.space().columns);
        out.write_all(picture::last(&self.scene.whole(), columns, self.color).as_bytes())?;
        out.flush()
    }

    /// The last column stays free: what is written there makes some terminals begin a row, and others not.
    fn space(&self) -> Space {
        let (columns, rows) = crossterm::terminal::size().unwrap_or((80, 24));
        let columns = self.width.unwrap_or(usize::MAX).min(columns.into());
        let rows = usize::from(rows);
        // The last row is the cursor's.
        let rows = rows.saturating_sub(1 + rows / SHARE_ABOVE);
        Space { columns: columns.saturating_sub(1), rows, color: self.color }
    }
}
