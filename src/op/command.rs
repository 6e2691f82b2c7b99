//! `op::Command`: runs a child process as an op.
//!
//! [`Command`] is the builder, `names` derives the op's name and attributes, `environment` passes
//! the trace context on, `process` runs the child, `lines` logs what it writes, and [`CommandOutput`] is
//! the result.

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

use opentelemetry::{KeyValue, StringValue};
use tracing::Level;

use crate::error::Error;
use crate::op::command::process::{OwnSpan, Start};
use crate::op::future::Instrumented;
use crate::op::handle::Op;
use crate::op::label::label as op_label;

pub use self::output::CommandOutput;

/// Runs a child process as an op: its output lines become records of the op, its exit code the op's
/// status.
///
/// A builder like `std::process::Command`, except that one value is one run, so [`run`](Self::run)
/// takes it by value.
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
/// It is named `<tool>.<operation>`, like that of any op. It has `process.executable.name`, from
/// the child's start on `process.pid`, and at the end `process.exit.code`, or `process.exit.signal`
/// if a signal killed the child (the conventions have no name for this). Its status is Error if the
/// program could not be started, exited with a code other than 0, was killed, or exceeded its
/// [`time_limit`](Self::time_limit).
///
/// # The records
///
/// Each line of the child's stdout and stderr becomes a `tracing` event as soon as it is complete:
/// target `spanlog::op::command`, `log.iostream` = `stdout` or `stderr`, level INFO. Filters apply
/// as to any event. Empty lines are records, too. The line ending is not part of the record, and
/// the last line needs none. Bytes that are not UTF-8 become U+FFFD. A line longer than 64 KiB is
/// truncated to that, at a character boundary; [`CommandOutput::cut_lines`] and the span's
/// `op.command.cut_lines` count these.
///
/// At most one buffer and one line of each stream are held in memory. A child that writes faster
/// than its lines are logged blocks on its pipe.
///
/// # The child's environment
///
/// `TRACEPARENT`, `TRACESTATE` and `BAGGAGE` carry the op's context, so that the child's own spans
/// join the trace. The values that this process inherited are not passed on. [`env`](Self::env)
/// takes precedence.
///
/// Dropping the future kills the child, but not the child's own children, which would need `unsafe`
/// code. They may keep running, and keep the pipes open. So when the child has exited, what is in
/// the pipes is still read, but their end is awaited for half a second at most.
/// [`CommandOutput::is_left_open`] and the span's `op.command.left_open` tell whether it was missed.
#[must_use = "nothing happens until it is run"]
pub struct Command {
    command: std::process::Command,
    /// `None`: derived from the program's name.
    tool: Option<String>,
    /// `None`: derived from the arguments.
    operation: Option<String>,
    attributes: Vec<KeyValue>,
    time_limit: Option<Duration>,
    stderr_level: Level,
    is_args_recorded: bool,
}

impl Command {
    /// A run of `program`, which is searched for in `PATH` unless it is a path.
    ///
    /// The tool is the program's file name, without its extension.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = std::process::Command::new(program);
        // Otherwise a tool that prompts would wait forever.
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

    /// Sets the name of the tool, if it is not the program's.
    ///
    /// ```
    /// let plan = spanlog::op::Command::new("./bin/tf-1.9").tool("terraform").arg("plan");
    /// ```
    pub fn tool(mut self, tool: impl Into<String>) -> Self {
        self.tool = Some(tool.into());
        self
    }

    /// Sets the name of the operation.
    ///
    /// By default it is the first argument that is not a flag, if it looks like a subcommand (ASCII
    /// letters, digits, `-` and `_`) and cannot be the value of a flag before it. Otherwise it is
    /// `run`, so that no script or secret becomes a span name.
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
    /// This can also set `TRACEPARENT`, `TRACESTATE` and `BAGGAGE`, instead of the op's context.
    /// With a `TRACEPARENT` that is set here, the op's `TRACESTATE` is left out, as it belongs to
    /// the op's `TRACEPARENT`.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Removes a variable from the child's environment, including those that carry the op's
    /// context.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Clears the child's environment, except for the variables that carry the op's context.
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Sets the child's working directory.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives the child an empty stdin. This is the default.
    pub fn stdin_null(mut self) -> Self {
        self.command.stdin(Stdio::null());
        self
    }

    /// Gives the child this process's stdin, for an interactive tool.
    pub fn stdin_inherit(mut self) -> Self {
        self.command.stdin(Stdio::inherit());
        self
    }

    /// Sets the [label](super::label) of the op.
    ///
    /// ```
    /// let plan = spanlog::op::Command::new("terraform").arg("plan").label("prod-eu-25");
    /// ```
    pub fn label(mut self, label: impl Into<StringValue>) -> Self {
        self.attributes.push(op_label(label));
        self
    }

    /// Adds attributes to the span. They take precedence over those that this type sets.
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
    /// Off by default, as arguments may hold secrets, and spans are exported.
    pub fn with_args_recorded(mut self, is_recorded: bool) -> Self {
        self.is_args_recorded = is_recorded;
        self
    }

    /// Sets the level of stderr's lines. Default: INFO, as most tools write their progress there.
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

    /// Kills the child if it runs longer than `limit`.
    ///
    /// The run then returns an error ([`Error::is_timeout`]), and the op's outcome is `timed_out`.
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

    /// Runs the child inside an op. The op starts now, the child at the future's first poll.
    ///
    /// If the future is dropped before completion, the child is killed, and the op's outcome is
    /// `cancelled`.
    ///
    /// # Errors
    ///
    /// An error for which [`is_program`](Error::is_program) is true, if the child could not be
    /// started, exited with a code other than 0, was killed by a signal, or exceeded its time
    /// limit. Outside a tokio runtime it cannot be started.
    ///
    /// # Panics
    ///
    /// In a tokio runtime that was built without `enable_all`, as tokio does.
    #[track_caller]
    pub fn run(self) -> impl Future<Output = Result<CommandOutput, Error>> + Send + 'static {
        let output = self.output();
        async move { output.await?.into_result() }
    }

    /// [`run`](Self::run), for callers who inspect the exit status themselves: a child that ended
    /// by itself is `Ok`, whatever its exit code or signal. The op's status is the same as with
    /// `run`.
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
    /// As [`run`](Self::run), for a child that could not be started or exceeded its time limit.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn output(mut self) -> impl Future<Output = Result<CommandOutput, Error>> + Send + 'static {
        let program = self.command.get_program().to_string_lossy().into_owned();
        let tool = self.tool.take().unwrap_or_else(|| names::tool(self.command.get_program()));
        let operation = self.operation.take().unwrap_or_else(|| names::operation(self.command.get_args()));
        // The caller's attributes come last, as the last value of a key wins.
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

/// Arguments and environment are left out, as they may hold secrets.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.command.get_program())
            .field("tool", &self.tool)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

/// Ends the op according to how the child ended, which [`Command::output`] may return as `Ok`.
fn end(op: Op, result: &Result<CommandOutput, Error>) {
    match result {
        Ok(output) => op.end(&output.result()),
        Err(error) if error.is_timeout() => op.time_out(error),
        Err(error) => op.fail(error),
    }
}
