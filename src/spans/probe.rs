//! Whether a span is being started on this thread behind our back.
//!
//! Where user code calls `Span::context()` or `get_otel_context`, tracing-opentelemetry starts the span
//! under its lock, and a sampler that logs then must not be answered by asking that span. Whether that is
//! so is known to one thread-local of the wrapped layer, which shows it in one way only: while a span is
//! being started, the layer returns from `on_event` before it formats the event's values.
//!
//! So it is given an event whose only value says that it was formatted, and then unwinds, before anything
//! is done with the event. That is done only after somebody asked for a context, and until it is known
//! that the start is over.

use std::cell::Cell;
use std::fmt;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::OnceLock;

use tracing::{Event, Metadata};
use tracing_core::field::Value;
use tracing_core::span::Id;

use crate::callsite;
use crate::correlate::start_guard;
use crate::correlate::start_guard::StartGuard;

thread_local! {
    /// Somebody asked for a context since a probe last found nothing being started.
    static NEEDED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that a context is being asked for, and so a span may be about to be started.
pub(crate) fn set_needed() {
    if !StartGuard::is_under_way() {
        let _ = NEEDED.try_with(|needed| needed.set(true));
    }
}

#[inline]
pub(crate) fn is_needed() -> bool {
    NEEDED.try_with(Cell::get).unwrap_or(false)
}

/// Finds out, with an event of the span `current` that is shown to the wrapped layer by `forward`, and tells
/// whoever may ask a span next.
#[cold]
pub(crate) fn run(current: Option<Id>, forward: impl FnOnce(&Event<'_>)) {
    // Where a panic aborts, nothing can be found out without doing harm.
    let Some(current) = current.filter(|_| cfg!(panic = "unwind")) else { return };
    if start_guard::has_panicked() {
        StartGuard::set_foreign_start(false);
        let _ = NEEDED.try_with(|needed| needed.set(false));
        return;
    }
    let formatted = Cell::new(false);
    let probe = tracing::field::debug(Probe(&formatted));
    let values = [Some(&probe as &dyn Value)];
    let metadata = metadata();
    let values = metadata.fields().value_set_all(&values);
    let event = Event::new_child_of(current, metadata, &values);
    // The unwinding is ours, and ends here.
    let _ = catch_unwind(AssertUnwindSafe(|| forward(&event)));
    let is_over = formatted.get();
    StartGuard::set_foreign_start(!is_over);
    if is_over {
        let _ = NEEDED.try_with(|needed| needed.set(false));
    }
}

fn metadata() -> &'static Metadata<'static> {
    static METADATA: OnceLock<&'static Metadata<'static>> = OnceLock::new();
    METADATA.get_or_init(|| callsite::span_metadata("probe", "spanlog::probe", &["probe"], None))
}

/// Says that it is being formatted, and lets nothing happen after that.
struct Probe<'a>(&'a Cell<bool>);

impl fmt::Debug for Probe<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.set(true);
        // Not `panic!`: that would call the panic hook.
        resume_unwind(Box::new(()))
    }
}
