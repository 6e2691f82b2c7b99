//! The error type of everything that can fail. The emit path cannot: it counts what it loses.

use std::error::Error as StdError;
use std::fmt;

/// An error of set-up, delivery, running a program, or reading a file.
///
/// The text says what was wrong and what to do about it. The `is_*` methods tell the kinds apart. `Debug`
/// has the same text, as that is what `unwrap` and a `main` that returns an error show, and the sources.
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    AlreadySet,
    Setting,
    Program(ProgramEnd),
    Delivery,
    Unreadable,
}

/// How a program that did not succeed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "only `op::Command` runs programs"))]
pub(crate) enum ProgramEnd {
    /// It could not be started or waited for, or it ended without an exit code or signal.
    Unknown,
    Exited(i32),
    Killed(i32),
    TimedOut,
}

impl Error {
    fn new(kind: Kind, message: String) -> Self {
        Self { kind, message, source: None }
    }

    pub(crate) fn already_set(what: &str) -> Self {
        Self::new(
            Kind::AlreadySet,
            format!(
                "{what} is already set; it can only be set once per process, so leave out one of the two"
            ),
        )
    }

    pub(crate) fn setting(name: &str, value: &str, wanted: impl fmt::Display) -> Self {
        Self::new(Kind::Setting, format!("{name} is {value:?}, but must be {wanted}"))
    }

    #[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "only `op::Command` runs programs"))]
    pub(crate) fn program(end: ProgramEnd, message: String) -> Self {
        Self::new(Kind::Program(end), message)
    }

    pub(crate) fn delivery(message: String) -> Self {
        Self::new(Kind::Delivery, message)
    }

    #[cfg_attr(not(feature = "graph"), expect(dead_code, reason = "only graphs are read back"))]
    pub(crate) fn unreadable(message: String) -> Self {
        Self::new(Kind::Unreadable, message)
    }

    pub(crate) fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// Whether something that can only be set once per process, such as the global subscriber, was
    /// already set.
    pub fn is_already_set(&self) -> bool {
        self.kind == Kind::AlreadySet
    }

    /// Whether a setting or an environment variable has an invalid value.
    pub fn is_setting(&self) -> bool {
        self.kind == Kind::Setting
    }

    /// Whether a program could not be started or waited for, exited with a code other than 0, was
    /// killed by a signal, or exceeded its time limit.
    pub fn is_program(&self) -> bool {
        matches!(self.kind, Kind::Program(_))
    }

    /// The exit code of the program, if it exited with one.
    ///
    /// For tools whose exit codes have a meaning: for `terraform plan -detailed-exitcode`, 2 means
    /// that there are changes.
    pub fn exit_code(&self) -> Option<i32> {
        match self.kind {
            Kind::Program(ProgramEnd::Exited(code)) => Some(code),
            _ => None,
        }
    }

    /// The signal that killed the program, if one did, unless this crate sent it.
    pub fn signal(&self) -> Option<i32> {
        match self.kind {
            Kind::Program(ProgramEnd::Killed(signal)) => Some(signal),
            _ => None,
        }
    }

    /// Whether a program exceeded its time limit, and was killed for it.
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Program(ProgramEnd::TimedOut)
    }

    /// Whether something could not be delivered in time.
    pub fn is_delivery(&self) -> bool {
        self.kind == Kind::Delivery
    }

    /// Whether a file or stream could not be read, or did not contain what was expected.
    pub fn is_unreadable(&self) -> bool {
        self.kind == Kind::Unreadable
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, "\nCaused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The text includes the direct source, so a printed chain must not repeat it.
        self.source.as_deref().and_then(StdError::source)
    }
}
