//! Start records: that an op, a step or an execution is running is known when it starts.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::TraceContextExt;
use opentelemetry::Context;

static ARE_WANTED: AtomicBool = AtomicBool::new(false);

/// Whether each execution, step and op logs a record with the event name `span.start` when it starts. Default:
/// false.
///
/// The record is at INFO, and has the ids, the job and the attributes of its span. A span is known to a store only when it
/// has ended; a record, when it was delivered. What started and never ended is still running, or was
/// interrupted.
///
/// Its target is `spanlog::op`, which the program's filter has to let pass. It applies to the whole process.
///
/// ```
/// spanlog::op::set_start_records(true);
/// # spanlog::op::set_start_records(false);
/// ```
pub fn set_start_records(are_wanted: bool) {
    ARE_WANTED.store(are_wanted, Ordering::Relaxed);
}

#[inline]
pub(crate) fn are_wanted() -> bool {
    ARE_WANTED.load(Ordering::Relaxed)
}

/// Logs the record. The span is current, and is that of `context`.
#[cold]
pub(crate) fn emit(name: &str, context: &Context) {
    if context.span().is_recording() {
        tracing::info!(target: "spanlog::op", { otel.event_name = "span.start" }, "{name} started");
    }
}
