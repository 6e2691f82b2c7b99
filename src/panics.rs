//! [`PanicHook`]: a record of each panic.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::fmt;
use std::panic::{self, PanicHookInfo};
use std::time::{Duration, Instant};

use crate::correlate::stack;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::sync::after;
use crate::panic_message;

/// How long a process that is about to abort is kept for its delivery.
const PATIENCE: Duration = Duration::from_secs(2);

/// What std's panics that abort the process say, whatever the panic strategy.
const ABORTING: [&str; 2] =
    ["panic in a function that cannot unwind", "panic in a destructor during cleanup"];

type Flush = Box<dyn Fn(Duration) + Send + Sync>;

/// Logs each panic of the process as one FATAL event where it happened, and then calls the hook that
/// was set before.
///
/// The record has the ids, the job and the op of that place, the panic's message and location, and
/// `exception.type` = `panic`, `exception.message` and, where `RUST_BACKTRACE` asks for one,
/// `exception.stacktrace`. A panic that is caught has one record, and resuming it makes no other. An
/// op or a span of [`trace`](crate::trace) that the panic ends gets its message as an `exception`
/// event.
///
/// [`install`](crate::install::Builder::install) sets one, unless
/// [`with_panic_hook(false)`](crate::install::Builder::with_panic_hook). With a subscriber of your own:
///
/// ```
/// # let (pipeline, _requests) = spanlog::testing::pipeline();
/// spanlog::PanicHook::new().with_pipeline(pipeline).set();
/// ```
///
/// # When the process aborts
///
/// With `panic = "abort"`, and where std aborts (a panic in a destructor while another one unwinds, or
/// in a function that cannot unwind), the hook delivers what the pipelines have before it returns,
/// for at most two seconds, or as long as [`with_patience`](Self::with_patience) says. Spans that are
/// open then do not end.
///
/// # Limits
///
/// A panic hook must not panic: std aborts the process. This crate's layers do not, but another layer
/// that panics about an event does so for this one as well. What panics in a log processor is not
/// logged, as it would be called again.
#[must_use = "a hook does nothing until it is set"]
#[derive(Default)]
pub struct PanicHook {
    flush: Vec<Flush>,
    patience: Option<Duration>,
}

impl PanicHook {
    /// A hook that delivers nothing itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// Flushes `pipeline` before the process aborts.
    pub fn with_pipeline(self, pipeline: Pipeline) -> Self {
        self.with_flush(move |deadline| drop(pipeline.flush(deadline)))
    }

    /// Calls `flush` with a deadline before the process aborts: for telemetry that is delivered by
    /// something else.
    pub fn with_flush(mut self, flush: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.flush.push(Box::new(flush));
        self
    }

    /// Sets for how long a process that aborts may deliver, in all. Default: 2 seconds.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// Sets the hook. If another one of these is set already, a panic is still logged once.
    ///
    /// # Panics
    ///
    /// On a thread that panics, as [`std::panic::set_hook`] does.
    pub fn set(self) {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_first = !IN_HOOK.try_with(|in_hook| in_hook.replace(true)).unwrap_or(false);
            // Once the locals of a thread are gone, layers would panic, and std abort at once.
            if is_first && stack::alive() {
                log(info);
            }
            previous(info);
            if is_aborting(info) {
                self.flush_all();
            }
            if is_first {
                let _ = IN_HOOK.try_with(|in_hook| in_hook.set(false));
            }
        }));
    }

    fn flush_all(&self) {
        let until = after(self.patience.unwrap_or(PATIENCE));
        for flush in &self.flush {
            flush(until.saturating_duration_since(Instant::now()));
        }
    }
}

impl fmt::Debug for PanicHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanicHook").field("patience", &self.patience).finish_non_exhaustive()
    }
}

thread_local! {
    /// A hook of this type runs on this thread.
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

fn is_aborting(info: &PanicHookInfo<'_>) -> bool {
    // A panic in the destructor of a thread-local aborts, too.
    cfg!(panic = "abort") || !stack::alive() || ABORTING.contains(&panic_message::of_payload(info.payload()))
}

fn log(info: &PanicHookInfo<'_>) {
    let message = panic_message::of_payload(info.payload());
    panic_message::keep(message);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    let (file, line, column) = match info.location() {
        Some(place) => (Some(place.file()), Some(place.line()), Some(place.column())),
        None => (None, None, None),
    };
    tracing::error!(
        target: panic_message::TARGET,
        {
            "otel.severity_number" = 21,
            "exception.type" = "panic",
            "exception.message" = message,
            "exception.stacktrace" = backtrace,
            "code.file.path" = file,
            "code.line.number" = line,
            "code.column.number" = column,
        },
        "panicked: {message}"
    );
}
