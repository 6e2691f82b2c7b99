//! The one error type of set-up, flush, shutdown and reading back. The emit path has none: it counts.

use std::error::Error as StdError;
use std::fmt;

/// Why something could not be set up, flushed, shut down, run or read back.
///
/// The text says what was wrong and what to do about it.
#[derive(Debug)]
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

/// What became of a program that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "only `op::Command` runs programs"))]
pub(crate) enum ProgramEnd {
    /// It could not be started or waited for, or it ended in a way that has no number.
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
        Self::new(Kind::AlreadySet, format!("{what} is set already; it can be set once per process"))
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

    /// Something that can be set once per process, such as the global subscriber, was set before.
    pub fn is_already_set(&self) -> bool {
        self.kind == Kind::AlreadySet
    }

    /// A setting or an environment variable has a value that cannot be used.
    pub fn is_setting(&self) -> bool {
        self.kind == Kind::Setting
    }

    /// A program could not be started or waited for, exited with another code than 0, was killed by
    /// a signal, or took longer than its limit.
    pub fn is_program(&self) -> bool {
        matches!(self.kind, Kind::Program(_))
    }

    /// The exit code of the program that this error is about, if it exited with one.
    ///
    /// For tools whose codes mean something: `terraform plan -detailed-exitcode` says with 2 that
    /// there is something to do.
    pub fn exit_code(&self) -> Option<i32> {
        match self.kind {
            Kind::Program(ProgramEnd::Exited(code)) => Some(code),
            _ => None,
        }
    }

    /// The signal that killed the program that this error is about, if one did that this crate did not send.
    pub fn signal(&self) -> Option<i32> {
        match self.kind {
            Kind::Program(ProgramEnd::Killed(signal)) => Some(signal),
            _ => None,
        }
    }

    /// A program took longer than its limit, and was killed for it.
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Program(ProgramEnd::TimedOut)
    }

    /// Not everything could be delivered in time.
    pub fn is_delivery(&self) -> bool {
        self.kind == Kind::Delivery
    }

    /// A file or stream could not be read back, or had nothing in it that was expected there.
    pub fn is_unreadable(&self) -> bool {
        self.kind == Kind::Unreadable
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
        // The direct source is part of the text; a chain that printed both would say it twice.
        self.source.as_deref().and_then(StdError::source)
    }
}
