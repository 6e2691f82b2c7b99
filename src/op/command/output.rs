//! What became of a child process.

use std::process::ExitStatus;

use crate::error::{Error, ProgramEnd};

/// How a child process exited, and how much it wrote. Made by [`Command`](super::Command).
///
/// The lines themselves are records by then; nothing of them is kept here.
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
pub struct Output {
    pub(crate) program: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout_lines: u64,
    pub(crate) stderr_lines: u64,
    pub(crate) cut_lines: u64,
    pub(crate) is_left_open: bool,
}

impl Output {
    /// Whether the child exited with code 0.
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// The exit status, as the standard library has it.
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// The exit code; none if a signal ended the child.
    pub fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended the child, if one did. Never on other systems than Unix.
    pub fn signal(&self) -> Option<i32> {
        signal_of(self.status)
    }

    /// The lines of stdout, cut ones and empty ones included.
    pub fn stdout_lines(&self) -> u64 {
        self.stdout_lines
    }

    /// The lines of stderr, cut ones and empty ones included.
    pub fn stderr_lines(&self) -> u64 {
        self.stderr_lines
    }

    /// The lines, of both streams, that were cut because they were longer than 64 KiB.
    pub fn cut_lines(&self) -> u64 {
        self.cut_lines
    }

    /// Whether someone else, such as a child of the child, still held the pipes when the child was
    /// gone. What they write after that is in no record.
    pub fn is_left_open(&self) -> bool {
        self.is_left_open
    }

    /// The output of a child that succeeded, or the error that [`Command::run`](super::Command::run) gives.
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
    /// If the child exited with another code than 0, or was ended by a signal.
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
