//! `op::Command`: a child process as an op.
//!
//! Beside the walk. [`Command`] collects what to run, `names` names its op, `environment` tells the
//! child which span it works for, `process` runs it, `lines` makes events of what it writes, and
//! [`Output`] is what became of it.

mod environment;
mod lines;
mod names;
mod output;
mod process;

use std::ffi::OsStr;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::KeyValue;
use tracing::Level;

use crate::error::Error;
use crate::op::command::process::{OwnSpan, Start};
use crate::op::future::Instrumented;
use crate::op::handle::Op;
use crate::op::outcome;
use crate::op::outcome::Outcome;

pub use self::output::Output;

/// A child process as an op: its lines become records of the op, its exit code the op's status.
///
/// A builder in the manner of `std::process::Command`, but one value is one run: it is handed on by
/// value, to [`run`](Self::run) at last.
///
/// ```
/// use spanlog::op::Command;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let output = Command::new("sh").args(["-c", "echo planned"]).operation("plan").run().await?;
/// assert_eq!((output.exit_code(), output.stdout_lines()), (Some(0), 1));
///
/// let error = Command::new("sh").args(["-c", "exit 3"]).operation("apply").run().await.unwrap_err();
/// assert_eq!(error.to_string(), "sh exited with code 3");
/// assert_eq!(error.exit_code(), Some(3));
/// # Ok::<_, spanlog::Error>(())
/// # }).unwrap();
/// ```
///
/// # The span
///
/// It is named `<tool>.<operation>` as that of any op is, and has `process.executable.name`, once it
/// is started `process.pid`, and at its end `process.exit.code` or, if a signal ended it,
/// `process.exit.signal` (the conventions have no name for it; this one is ours). It is red, that is
/// its status is Error, if the program could not be started, exited with another code than 0, was
/// killed, or took longer than its [`time_limit`](Self::time_limit).
///
/// # The records
///
/// Each line of the child's stdout and stderr is one `tracing` event as soon as it is there: target
/// `spanlog::op::command`, `log.iostream` = `stdout` or `stderr`, level INFO. They pass the filters
/// that every event does. Empty lines are records, too; the line's end is not part of it, and a last
/// line needs none. Bytes that are not UTF-8 become U+FFFD. Of a line longer than 64 KiB the first
/// 64 KiB are one record, cut on a character boundary, and the rest is skipped;
/// [`Output::cut_lines`] and the span's `op.command.cut_lines` count these.
///
/// No more is held of the output than one buffer and one line a stream: a child that writes faster
/// than its lines are logged waits at its pipe.
///
/// # The child's surroundings
///
/// `TRACEPARENT`, `TRACESTATE` and `BAGGAGE` name the op in the child's environment, so that what it
/// traces is part of the same trace. Values inherited from this process are never passed on. What
/// [`env`](Self::env) sets wins.
///
/// Dropping the future kills the child, not the children that it has: there is no way to do that
/// without `unsafe` code. Those may go on, and may keep the pipes open. So once the child has exited,
/// what is in the pipes is still read, but their end is waited for no longer than half a second;
/// [`Output::is_left_open`] and the span's `op.command.left_open` tell.
#[must_use = "nothing happens until it is run"]
pub struct Command {
    command: std::process::Command,
    tool: Option<String>,
    operation: Option<String>,
    attributes: Vec<KeyValue>,
    time_limit: Option<Duration>,
    stderr_level: Level,
    is_args_recorded: bool,
}

impl Command {
    /// A run of `program`, which is looked for in `PATH` unless it is a path.
    ///
    /// The tool is the program's file name, without its extension.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = std::process::Command::new(program);
        // A tool that asks would wait for ever: nobody answers.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self {
            command,
            tool: None,
            operation: None,
            attributes: Vec::new(),
            time_limit: None,
            stderr_level: Level::INFO,
            is_args_recorded: false,
        }
    }

    /// Names the tool, where the program's name does not.
    ///
    /// ```
    /// let plan = spanlog::op::Command::new("./bin/tf-1.9").tool("terraform").arg("plan");
    /// ```
    pub fn tool(mut self, tool: impl Into<String>) -> Self {
        self.tool = Some(tool.into());
        self
    }

    /// Names the operation.
    ///
    /// By default it is the first argument that is no flag, if that looks like a subcommand (ASCII
    /// letters, digits, `-` and `_`) and follows no flag whose value it could be. Else it is `run`: a
    /// span name must be neither a script nor a secret.
    ///
    /// ```
    /// let status = spanlog::op::Command::new("git").args(["-C", "infra", "status"]).operation("status");
    /// ```
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of the child's environment.
    ///
    /// `TRACEPARENT`, `TRACESTATE` and `BAGGAGE` can be set, too: then the child is told this
    /// instead of the op. A `TRACESTATE` goes with its `TRACEPARENT`, so the op's is left out then.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Removes a variable from the child's environment, also one that names the op.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Removes everything from the child's environment, but for what names the op.
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Sets the child's working directory.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives the child nothing to read. This is the default.
    pub fn stdin_null(mut self) -> Self {
        self.command.stdin(Stdio::null());
        self
    }

    /// Gives the child this process's stdin, for a tool that someone sits in front of.
    pub fn stdin_inherit(mut self) -> Self {
        self.command.stdin(Stdio::inherit());
        self
    }

    /// Adds attributes of the span. They win over this type's own where keys are equal.
    ///
    /// ```
    /// use spanlog::opentelemetry::KeyValue;
    ///
    /// let plan = spanlog::op::Command::new("terraform")
    ///     .arg("plan")
    ///     .attributes([KeyValue::new("terraform.workspace", "prod")]);
    /// ```
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    /// Puts the arguments on the span, as `process.command_args`.
    ///
    /// Off by default: arguments may hold secrets, and a span goes far.
    pub fn with_args_recorded(mut self, is_recorded: bool) -> Self {
        self.is_args_recorded = is_recorded;
        self
    }

    /// Sets the level of stderr's lines. The default is INFO: most tools write their progress there.
    ///
    /// ```
    /// use spanlog::tracing::Level;
    ///
    /// let strict = spanlog::op::Command::new("cc").arg("main.c").stderr_level(Level::WARN);
    /// ```
    pub fn stderr_level(mut self, level: Level) -> Self {
        self.stderr_level = level;
        self
    }

    /// Kills the child if it runs longer than `limit`, counted from its start.
    ///
    /// The run is an error then ([`Error::is_timeout`]), and the op's outcome is `timed_out`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let sleep = spanlog::op::Command::new("sleep").arg("60").time_limit(Duration::from_millis(200));
    /// let error = sleep.run().await.unwrap_err();
    /// assert_eq!(error.to_string(), "sleep took longer than its limit of 200ms");
    /// # });
    /// ```
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Runs the child inside an op. The op starts now, the child when the future is first polled.
    ///
    /// Dropped before it is ready, the future kills the child, and the op's outcome is `cancelled`.
    ///
    /// # Errors
    ///
    /// An error that [`is_program`](Error::is_program), if the child could not be started, exited
    /// with another code than 0, was killed by a signal, or took longer than its limit. Outside a
    /// tokio runtime it cannot be started.
    ///
    /// # Panics
    ///
    /// Where tokio does: in a runtime that was built without `enable_all`.
    #[track_caller]
    pub fn run(self) -> impl Future<Output = Result<Output, Error>> + Send + 'static {
        let output = self.output();
        async move { output.await?.into_result() }
    }

    /// [`run`](Self::run), but for callers who want to look at a failed child themselves: one that
    /// exited by itself is `Ok`, whatever its exit code or signal. Its op is red all the same.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let differ = spanlog::op::Command::new("sh").args(["-c", "exit 1"]).operation("diff").output().await?;
    /// assert!(!differ.success());
    /// # Ok::<_, spanlog::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), for a child that could not be started or took longer than its limit.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn output(mut self) -> impl Future<Output = Result<Output, Error>> + Send + 'static {
        let program = self.command.get_program().to_string_lossy().into_owned();
        let tool = self.tool.take().unwrap_or_else(|| names::tool(self.command.get_program()));
        let operation = self.operation.take().unwrap_or_else(|| names::operation(self.command.get_args()));
        // The caller's come last: of equal keys the last one counts.
        let attributes = names::attributes(&self.command, self.is_args_recorded).chain(self.attributes);
        let op = Op::start(&tool, &operation, attributes);
        environment::inject(&mut self.command, &op.context());
        let start = Start {
            program,
            command: self.command,
            time_limit: self.time_limit,
            stderr_level: self.stderr_level,
            span: OwnSpan(op.context.clone()),
        };
        Instrumented::new(op, process::run(start), end)
    }
}

/// Arguments and environment are left out: a debug line is no place for secrets either.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.command.get_program())
            .field("tool", &self.tool)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

/// Ends the op by what became of its child, whatever [`Command::output`] gives back.
fn end(mut op: Op, result: &Result<Output, Error>) {
    match result {
        Ok(output) => op.end(&output.result()),
        Err(error) if error.is_timeout() => {
            if let Some(context) = &op.context {
                outcome::write_exception(error, &context.span());
            }
            op.settle(Outcome::TimedOut);
        }
        Err(error) => op.end(&Err::<(), _>(error)),
    }
}
