//! Detects that a span is being started on this thread by a call that bypassed this crate.
//!
//! When user code calls `Span::context()` or `get_otel_context`, tracing-opentelemetry starts the
//! span while it holds the span's lock. If a sampler logs then, resolving that span's ids would
//! deadlock. Only a thread-local of the wrapped layer knows about such a start. It has one visible
//! effect: while a span is being started, the layer returns from `on_event` before it formats the
//! event's values.
//!
//! So the probe is an event whose only value records that it was formatted, and then unwinds, so
//! that nothing comes of the event. It is sent only after a context was requested, and until a
//! probe finds that no start is under way.

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
    /// A context was requested since a probe last found no start under way.
    static NEEDED: Cell<bool> = const { Cell::new(false) };
}

/// Records that a context is requested, so that a span may be about to be started.
pub(crate) fn set_needed() {
    if !StartGuard::is_under_way() {
        let _ = NEEDED.try_with(|needed| needed.set(true));
    }
}

/// Whether a context was requested since the last probe that found no start.
#[inline]
pub(crate) fn is_needed() -> bool {
    NEEDED.try_with(Cell::get).unwrap_or(false)
}

/// Sends the probe, an event of the span `current`, to the wrapped layer through `forward`, and
/// sets whether a start is under way.
#[cold]
pub(crate) fn run(current: Option<Id>, forward: impl FnOnce(&Event<'_>)) {
    // With `panic = "abort"` the probe cannot unwind.
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
    // The unwinding of the probe's value ends here.
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

/// Records that it is formatted, then unwinds.
struct Probe<'a>(&'a Cell<bool>);

impl fmt::Debug for Probe<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.set(true);
        // Not `panic!`, which would run the panic hook.
        resume_unwind(Box::new(()))
    }
}
