//! Messages about this crate itself. They do not go through `tracing`: a message about a failed
//! export would become a record, and so cause the next export.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{fmt, io};

use crate::error::Error;

type Hook = Box<dyn Fn(&str) + Send + Sync>;

static HOOK: OnceLock<Hook> = OnceLock::new();

static REPORTED: OnceLock<Mutex<HashSet<String>>> = OnceLock::new();

/// Sends this crate's diagnostics to `hook` instead of standard error. It can only be set once per
/// process.
///
/// A problem is reported once, however often it recurs; a loss or an outage when it begins, at most
/// once a minute while it lasts, and when delivery is back. The hook must not log through `tracing`
/// or `log`.
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
    let is_new = REPORTED
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(message.clone());
    if is_new {
        send(&message);
    }
}

fn send(message: &str) {
    match HOOK.get() {
        Some(hook) => hook(message),
        // Unlike `eprintln!`, this does not panic if stderr is closed.
        None => drop(writeln!(io::stderr(), "spanlog: {message}")),
    }
}
