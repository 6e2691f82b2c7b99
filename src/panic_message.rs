//! The message of the panic that unwinds a thread, and what it means for the spans that it ends.

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::trace::{SpanRef, Status};
use opentelemetry::KeyValue;
use opentelemetry_semantic_conventions::attribute as semconv;

/// How many panics there were in this process.
static COUNT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The number of this thread's last panic, and its message.
    static LAST: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// The text of a panic's payload.
pub(crate) fn of_payload(payload: &dyn Any) -> &str {
    match payload.downcast_ref::<&'static str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("a value that is not text", String::as_str),
    }
}

/// Keeps the message of a panic on this thread.
pub(crate) fn keep(message: &str) {
    let number = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
    let _ = LAST.try_with(|last| *last.borrow_mut() = (number, message.to_owned()));
}

/// How many panics there were until now.
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Writes what a panic means for a span that it ends. Its message is known if a
/// [`PanicHook`](crate::PanicHook) or the span's own op kept it after the first `count` of the process.
pub(crate) fn write_to(span: &SpanRef<'_>, count: u64) {
    span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, "panic"));
    span.set_status(Status::error("panicked"));
    if let Some(message) = after(count) {
        let exception_type = KeyValue::new(semconv::EXCEPTION_TYPE, "panic");
        let message = KeyValue::new(semconv::EXCEPTION_MESSAGE, message);
        span.add_event("exception", vec![exception_type, message]);
    }
}

fn after(count: u64) -> Option<String> {
    let last = LAST.try_with(|last| {
        let (number, message) = &*last.borrow();
        (*number > count).then(|| message.clone())
    });
    last.ok().flatten()
}
