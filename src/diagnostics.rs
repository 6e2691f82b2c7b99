//! Messages about this crate itself. They do not go through `tracing`: a message about a failed
//! export would become a record, and so cause the next export.

use std::collections::HashSet;
use std::io::Write;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::OnceLock;
use std::{fmt, fs, io};

use crate::error::Error;
use crate::forked::ForkedMutex;

type Hook = Box<dyn Fn(&str) + Send + Sync>;

static HOOK: OnceLock<Hook> = OnceLock::new();

static REPORTED: OnceLock<ForkedMutex<HashSet<String>>> = OnceLock::new();

/// Sends this crate's diagnostics to `hook` instead of standard error. It can only be set once per
/// process.
///
/// A problem is reported once, however often it recurs; a loss or an outage when it begins, at most
/// once a minute while it lasts, and when delivery is back. The hook must not log through `tracing`
/// or `log`. If it panics, the message goes to standard error.
///
/// # Errors
///
/// If a hook is already set.
///
/// ```
/// spanlog::set_diagnostics(|message| eprintln!("telemetry: {message}")).unwrap();
/// ```
pub fn set_diagnostics(hook: impl Fn(&str) + Send + Sync + 'static) -> Result<(), Error> {
    HOOK.set(Box::new(hook)).map_err(|_| Error::already_set("the diagnostics hook"))
}

/// Reports `message`, as often as it is called.
pub(crate) fn report(message: fmt::Arguments<'_>) {
    send(&message.to_string());
}

/// Reports `message`, unless it was reported before.
pub(crate) fn report_once(message: fmt::Arguments<'_>) {
    let message = message.to_string();
    let reported = REPORTED.get_or_init(ForkedMutex::default).lock();
    if reported.is_none_or(|mut reported| reported.insert(message.clone())) {
        send(&message);
    }
}

fn send(message: &str) {
    let is_sent = HOOK.get().is_some_and(|hook| {
        // A thread that delivers must not end, nor a line of the program fail, because of a message.
        catch_unwind(AssertUnwindSafe(|| hook(message))).is_ok()
    });
    if !is_sent {
        // Unlike `eprintln!`, this does not panic if stderr is closed.
        drop(write_stderr(format!("spanlog: {message}\n").as_bytes()));
    }
}

/// Writes without std's lock, which a forked child may find locked for ever.
#[cfg(unix)]
fn write_stderr(line: &[u8]) -> io::Result<()> {
    use std::os::fd::AsFd;

    fs::File::from(io::stderr().as_fd().try_clone_to_owned()?).write_all(line)
}

#[cfg(not(unix))]
fn write_stderr(line: &[u8]) -> io::Result<()> {
    io::stderr().write_all(line)
}
