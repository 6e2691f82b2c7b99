//! One run of a child process, from its start to the end of its pipes.

use std::future::{poll_fn, Future};
use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_semantic_conventions::attribute as semconv;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::time::sleep;
use tracing::Level;

use crate::error::{Error, ProgramEnd};
use crate::op::command::lines::Stream;
use crate::op::command::output::{signal_of, CommandOutput};

/// Like `process.exit.code`; the conventions have no name for the signal.
const EXIT_SIGNAL: &str = "process.exit.signal";

const CUT_LINES: &str = "op.command.cut_lines";

const LEFT_OPEN: &str = "op.command.left_open";

/// How long to wait for the end of the pipes after the child has exited. Its own output is in the
/// pipes by then, so this only concerns its children's.
const PIPE_GRACE: Duration = Duration::from_millis(500);

/// How much to read at most after that: all that two pipes can hold (Linux's `pipe-max-size`). So
/// nothing that the child wrote is lost, and a grandchild that writes forever cannot keep the run
/// open.
const PIPE_BYTES: u64 = 2 * 1024 * 1024;

/// How long to wait for a killed child. One that the system cannot end, for example on an
/// unreachable file system, must not keep the run open forever.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// Reads of each stream per poll, before other tasks on this thread get a turn.
const READS_PER_POLL: usize = 16;

/// The input of one run.
pub(crate) struct Start {
    pub(crate) program: String,
    pub(crate) command: std::process::Command,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) stderr_level: Level,
    pub(crate) span: OwnSpan,
}

/// The op's OpenTelemetry span, if it has one. Attributes are set on it, never on the current span.
pub(crate) struct OwnSpan(pub(crate) Option<Context>);

impl OwnSpan {
    fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }
}

/// Runs the child. A child that ended by itself is `Ok`, whatever its exit code.
pub(crate) async fn run(start: Start) -> Result<CommandOutput, Error> {
    let Start { program, command, time_limit, stderr_level, span } = start;
    let mut child = spawn(&program, command)?;
    if let Some(pid) = child.id() {
        span.set(semconv::PROCESS_PID, i64::from(pid));
    }
    let stdout = Stream::new(child.stdout.take(), "stdout", Level::INFO);
    let stderr = Stream::new(child.stderr.take(), "stderr", stderr_level);
    let mut capture = Capture { stdout, stderr, span };
    let wait_failed = |error: io::Error| {
        let message = format!("{program} could not be waited for");
        Error::program(ProgramEnd::Unknown, message).with_source(error)
    };
    let mut status = watch(&mut child, &mut capture, time_limit).await.map_err(wait_failed)?;
    let exceeded_limit = time_limit.filter(|_| status.is_none());
    if exceeded_limit.is_some() {
        // This only fails if the child has exited.
        let _ = child.start_kill();
        status = watch(&mut child, &mut capture, Some(KILL_WAIT)).await.map_err(wait_failed)?;
    }
    if let Some(status) = status {
        capture.record_exit(status);
    }
    let is_left_open = capture.drain().await;
    match (exceeded_limit, status) {
        (None, Some(status)) => Ok(CommandOutput {
            program,
            status,
            stdout_lines: capture.stdout.lines.logged,
            stderr_lines: capture.stderr.lines.logged,
            cut_lines: capture.cut_lines(),
            is_left_open,
        }),
        (limit, _) => {
            let limit = limit.unwrap_or_default();
            let message = format!("{program} took longer than its limit of {limit:?}");
            Err(Error::program(ProgramEnd::TimedOut, message))
        }
    }
}

fn spawn(program: &str, command: std::process::Command) -> Result<Child, Error> {
    if Handle::try_current().is_err() {
        let message = format!("{program} could not be started: op::Command needs a tokio runtime");
        return Err(Error::program(ProgramEnd::Unknown, message));
    }
    // The system's error does not tell a missing program from a missing directory.
    let directory = command.get_current_dir().map(|path| format!(" in {}", path.display()));
    let mut command = Command::from(command);
    command.kill_on_drop(true).spawn().map_err(|error| {
        let message = format!("{program} could not be started{}", directory.unwrap_or_default());
        Error::program(ProgramEnd::Unknown, message).with_source(error)
    })
}

/// Logs what the child writes until it exits. `None`: `limit` passed before that.
async fn watch(
    child: &mut Child,
    capture: &mut Capture,
    limit: Option<Duration>,
) -> io::Result<Option<ExitStatus>> {
    let mut exit = pin!(child.wait());
    let mut limit = pin!(limit.map(sleep));
    poll_fn(|task| {
        let _ = capture.poll(task);
        if let Poll::Ready(status) = exit.as_mut().poll(task) {
            return Poll::Ready(status.map(Some));
        }
        match limit.as_mut().as_pin_mut().map(|limit| limit.poll(task)) {
            Some(Poll::Ready(())) => Poll::Ready(Ok(None)),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    })
    .await
}

/// Both output streams of a child. On drop it logs incomplete lines, as a child's last words matter
/// most.
struct Capture {
    stdout: Stream<ChildStdout>,
    stderr: Stream<ChildStderr>,
    span: OwnSpan,
}

/// Whether there is more to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Not at the moment.
    Idle,
    /// Yes, but this poll has read enough. The task has been woken.
    Busy,
    /// No: both streams have ended.
    Closed,
}

impl Capture {
    /// Reads both streams in turn, so that their lines are logged roughly in the order in which
    /// they were written.
    fn poll(&mut self, task: &mut Task<'_>) -> Reading {
        for _ in 0..READS_PER_POLL {
            let stdout = self.stdout.poll_read(task);
            let stderr = self.stderr.poll_read(task);
            if !self.is_open() {
                return Reading::Closed;
            }
            if stdout.is_pending() && stderr.is_pending() {
                return Reading::Idle;
            }
        }
        task.waker().wake_by_ref();
        Reading::Busy
    }

    /// Reads what is left after the child has exited. Returns whether another process still holds
    /// the pipes open.
    async fn drain(&mut self) -> bool {
        let mut grace = pin!(sleep(PIPE_GRACE));
        let max_bytes = self.read_bytes() + PIPE_BYTES;
        let mut is_grace_over = false;
        let mut was_idle = false;
        poll_fn(|task| {
            let reading = self.poll(task);
            is_grace_over = is_grace_over || grace.as_mut().poll(task).is_ready();
            if reading == Reading::Closed || (is_grace_over && self.read_bytes() >= max_bytes) {
                return Poll::Ready(());
            }
            if is_grace_over && reading == Reading::Idle {
                // tokio also returns `Pending` to a task that has used up its budget, so poll once
                // more.
                if std::mem::replace(&mut was_idle, true) {
                    return Poll::Ready(());
                }
                task.waker().wake_by_ref();
            } else {
                was_idle = false;
            }
            Poll::Pending
        })
        .await;
        let is_left_open = self.is_open();
        if is_left_open {
            self.span.set(LEFT_OPEN, true);
        }
        self.finish();
        is_left_open
    }

    fn record_exit(&self, status: ExitStatus) {
        if let Some(code) = status.code() {
            self.span.set(semconv::PROCESS_EXIT_CODE, i64::from(code));
        }
        if let Some(signal) = signal_of(status) {
            self.span.set(EXIT_SIGNAL, i64::from(signal));
        }
    }

    fn is_open(&self) -> bool {
        self.stdout.is_open() || self.stderr.is_open()
    }

    fn read_bytes(&self) -> u64 {
        self.stdout.read_bytes + self.stderr.read_bytes
    }

    fn cut_lines(&self) -> u64 {
        self.stdout.lines.truncated + self.stderr.lines.truncated
    }

    fn finish(&mut self) {
        self.stdout.lines.finish();
        self.stderr.lines.finish();
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // A second panic would abort the process.
        if !std::thread::panicking() {
            self.finish();
        }
        let cut = self.cut_lines();
        if cut > 0 {
            self.span.set(CUT_LINES, i64::try_from(cut).unwrap_or(i64::MAX));
        }
    }
}
