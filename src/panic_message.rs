//! The message of the panic that unwinds a thread, and what it means for the spans that it ends.

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::panicking;

use opentelemetry::trace::{SpanRef, Status};
use opentelemetry::KeyValue;
use opentelemetry_semantic_conventions::attribute as semconv;

use crate::event::exception;

/// The target of the events that a [`PanicHook`](crate::PanicHook) logs.
pub(crate) const TARGET: &str = "spanlog::panic";

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

/// What was known of panics when a span started, to tell one that ends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PanicsBefore {
    count: u64,
    /// One was under way, so that it is not the span's own.
    is_panicking: bool,
}

impl PanicsBefore {
    pub(crate) fn now() -> Self {
        Self { count: COUNT.load(Ordering::Relaxed), is_panicking: panicking() }
    }

    /// Whether a panic that began since is unwinding this thread.
    pub(crate) fn is_unwinding(self) -> bool {
        panicking() && !self.is_panicking
    }

    /// Writes what a panic means for the span that it ends. Its message, which is also the status's,
    /// is known if a [`PanicHook`](crate::PanicHook) or the span's own op has kept it since.
    pub(crate) fn write_to(self, span: &SpanRef<'_>) {
        span.set_attribute(KeyValue::new(semconv::ERROR_TYPE, "panic"));
        let message = self.message();
        span.set_status(Status::error(message.clone().unwrap_or_else(|| "panicked".to_owned())));
        if let Some(message) = message {
            exception::add_event(span, Some("panic".to_owned()), message, String::new());
        }
    }

    fn message(self) -> Option<String> {
        let last = LAST.try_with(|last| {
            let (number, message) = &*last.borrow();
            (*number > self.count).then(|| message.clone())
        });
        last.ok().flatten()
    }
}
