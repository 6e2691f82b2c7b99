//! What this crate has to say about itself. It never goes through `tracing`: a line about the
//! exporter that became a record would make the next export.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{fmt, io};

use crate::error::Error;

type Hook = Box<dyn Fn(&str) + Send + Sync>;

static HOOK: OnceLock<Hook> = OnceLock::new();

static REPORTED: OnceLock<Mutex<HashSet<String>>> = OnceLock::new();

/// Sends this crate's diagnostics to `hook` instead of standard error. Can be set once per process.
///
/// Each message is sent once, however often its cause recurs. The hook must not log.
///
/// # Errors
///
/// If a hook was set before.
///
/// ```
/// spanlog::set_diagnostics(|message| eprintln!("telemetry: {message}")).unwrap();
/// ```
pub fn set_diagnostics(hook: impl Fn(&str) + Send + Sync + 'static) -> Result<(), Error> {
    HOOK.set(Box::new(hook)).map_err(|_| Error::already_set("the diagnostics hook"))
}

/// Says `message` if it was not said before.
pub(crate) fn report_once(message: fmt::Arguments<'_>) {
    let message = message.to_string();
    let is_new = REPORTED
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(message.clone());
    if !is_new {
        return;
    }
    match HOOK.get() {
        Some(hook) => hook(&message),
        // Unlike `eprintln!`, it does not panic where nobody reads.
        None => drop(writeln!(io::stderr(), "spanlog: {message}")),
    }
}
