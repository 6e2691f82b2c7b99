//! SIGTERM and SIGINT: what is pending is delivered before they end the process.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::install::guard::{Guard, DROP_PATIENCE};
use crate::op::open_ops::signals;

const STOPPING: [(i32, &str); 2] = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")];

impl Guard {
    /// Delivers what is pending when SIGTERM or SIGINT (Ctrl-C) comes, for at most 5 seconds, and then
    /// ends the process by that signal, as without a handler. A second signal ends it at once.
    ///
    /// Executions, steps and other ops that started after this call and are open then end with
    /// `op.outcome` = `cancelled` and `op.signal` = `SIGTERM` or `SIGINT`. Call it once, after
    /// [`install`](super::Builder::install).
    ///
    /// It is for programs that do not handle these signals themselves. One that does, such as a tokio
    /// program that waits for `tokio::signal::ctrl_c` in `select!`, calls [`shutdown`](Self::shutdown)
    /// when its work was stopped.
    ///
    /// # Errors
    ///
    /// If the system refuses the handlers, or the thread that waits for the signals.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), spanlog::Error> {
    /// let guard = spanlog::builder().install()?;
    /// guard.on_signals()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_signals(&self) -> Result<(), Error> {
        self.on_signals_with(DROP_PATIENCE, |_| {})
    }

    /// [`on_signals`](Self::on_signals) with a deadline for the delivery, and a function that is called
    /// with the signal's name before it, when the ops have ended: to write a report, for example. It
    /// runs on a thread of its own, and delays the end of the process.
    ///
    /// # Errors
    ///
    /// As [`on_signals`](Self::on_signals).
    pub fn on_signals_with(
        &self,
        deadline: Duration,
        before: impl FnOnce(&'static str) + Send + 'static,
    ) -> Result<(), Error> {
        let refused = |error| Error::delivery("signals cannot be handled".into()).with_source(error);
        let mut received = Signals::new(STOPPING.map(|(signal, _)| signal)).map_err(refused)?;
        let telemetry = Arc::clone(&self.0);
        let wait = move || {
            let Some(signal) = received.forever().next() else { return };
            let name = STOPPING.iter().find(|(number, _)| *number == signal).map_or("", |(_, name)| name);
            signals::cancel_all(name);
            if catch_unwind(AssertUnwindSafe(|| before(name))).is_err() {
                report_once(format_args!("the function given to `on_signals_with` panicked"));
            }
            let report = telemetry.shutdown(deadline);
            if !report.is_complete() {
                report_once(format_args!("not all telemetry was delivered: {report}"));
            }
            let _ = emulate_default_handler(signal);
        };
        thread::Builder::new().name("spanlog-signals".into()).spawn(wait).map_err(refused)?;
        // After all that can fail: a signal whose handler only sets a flag would be lost.
        let is_second = Arc::new(AtomicBool::new(false));
        for (signal, _) in STOPPING {
            // In this order: the first signal only sets the flag.
            flag::register_conditional_default(signal, Arc::clone(&is_second)).map_err(refused)?;
            flag::register(signal, Arc::clone(&is_second)).map_err(refused)?;
        }
        signals::list();
        Ok(())
    }
}
