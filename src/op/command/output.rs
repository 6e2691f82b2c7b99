//! [`CommandOutput`]: how a child process ended.

use std::process::ExitStatus;

use crate::error::{Error, ProgramEnd};

/// How a child process ended, and how much it wrote. Made by [`Command`](super::Command).
///
/// The lines themselves became records, and are not kept here.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let output = spanlog::op::Command::new("sh").args(["-c", "echo one; echo two >&2"]).run().await?;
/// assert!(output.success());
/// assert_eq!((output.stdout_lines(), output.stderr_lines(), output.cut_lines()), (1, 1, 0));
/// # Ok::<_, spanlog::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct CommandOutput {
    pub(crate) program: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout_lines: u64,
    pub(crate) stderr_lines: u64,
    pub(crate) cut_lines: u64,
    pub(crate) is_left_open: bool,
}

impl CommandOutput {
    /// Whether the child exited with code 0.
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// The standard library's exit status.
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// The exit code, or `None` if a signal killed the child.
    pub fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that killed the child, if one did. Always `None` on systems other than Unix.
    pub fn signal(&self) -> Option<i32> {
        signal_of(self.status)
    }

    /// The number of lines on stdout, including empty and truncated ones.
    pub fn stdout_lines(&self) -> u64 {
        self.stdout_lines
    }

    /// The number of lines on stderr, including empty and truncated ones.
    pub fn stderr_lines(&self) -> u64 {
        self.stderr_lines
    }

    /// The number of lines, on both streams, that were truncated because they were longer than 64
    /// KiB.
    pub fn cut_lines(&self) -> u64 {
        self.cut_lines
    }

    /// Whether another process, such as a child of the child, still held the pipes open after the
    /// child had exited. What it writes later is not recorded.
    pub fn is_left_open(&self) -> bool {
        self.is_left_open
    }

    /// This output if the child succeeded, otherwise the error that
    /// [`Command::run`](super::Command::run) would return.
    ///
    /// ```
    /// use spanlog::op::Command;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let output = Command::new("sh").args(["-c", "exit 2"]).output().await?;
    /// let has_changes = output.exit_code() == Some(2);
    /// assert!(has_changes || output.into_result().is_ok());
    /// # Ok::<_, spanlog::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// If the child exited with a code other than 0, or was killed by a signal.
    pub fn into_result(self) -> Result<Self, Error> {
        self.result().map(|()| self)
    }

    pub(crate) fn result(&self) -> Result<(), Error> {
        if self.success() {
            return Ok(());
        }
        let Self { program, status, .. } = self;
        Err(match (self.exit_code(), self.signal()) {
            (Some(code), _) => {
                Error::program(ProgramEnd::Exited(code), format!("{program} exited with code {code}"))
            }
            (None, Some(signal)) => {
                Error::program(ProgramEnd::Killed(signal), format!("{program} was killed by signal {signal}"))
            }
            (None, None) => Error::program(ProgramEnd::Unknown, format!("{program} ended with {status}")),
        })
    }
}

#[cfg(unix)]
pub(crate) fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
pub(crate) fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}
