//! Whether a span is being started on this thread: by this crate, by the wrapped layer, or by code
//! that called tracing-opentelemetry itself.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::correlate::span_state::SpanState;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static FOREIGN_START: Cell<bool> = const { Cell::new(false) };
    static PANICKED: Cell<bool> = const { Cell::new(false) };
    static BEING_STARTED: RefCell<Option<Arc<SpanState>>> = const { RefCell::new(None) };
}

/// Lives while a span may be started on this thread: by this crate, or by the wrapped layer in a
/// hook forwarded to it. Meanwhile samplers and other user code run while the span's mutex is held.
#[derive(Debug)]
pub(crate) struct StartGuard {
    /// The span that was being started when this guard was made, restored on drop.
    outer: Option<Arc<SpanState>>,
    /// Whether the mutex is held, so that the guard counts in [`StartGuard::is_under_way`].
    holds_lock: bool,
}

impl StartGuard {
    /// `state`: the span that may be started, if it is known.
    pub(crate) fn of(state: Option<Arc<SpanState>>) -> Self {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get() + 1));
        Self { outer: set_being_started(state), holds_lock: true }
    }

    /// For a span that is started while its mutex is not held, as on close.
    pub(crate) fn unlocked(state: Option<Arc<SpanState>>) -> Self {
        Self { outer: set_being_started(state), holds_lock: false }
    }

    /// Whether a span may be locked by this thread. No span's ids may be resolved then.
    pub(crate) fn is_under_way() -> bool {
        DEPTH.try_with(|depth| depth.get() > 0).unwrap_or(true)
            || FOREIGN_START.try_with(Cell::get).unwrap_or(true)
    }

    /// Sets whether a start is under way that no guard announced. Stays in force until it is set
    /// again.
    pub(crate) fn set_foreign_start(is_under_way: bool) {
        let _ = FOREIGN_START.try_with(|foreign| foreign.set(is_under_way));
    }
}

/// Records that a panic unwound through the wrapped layer on this thread. Its own flag of being
/// inside a start is never reset then, so that flag is no longer reliable.
pub(crate) fn set_panicked() {
    let _ = PANICKED.try_with(|panicked| panicked.set(true));
}

pub(crate) fn has_panicked() -> bool {
    PANICKED.try_with(Cell::get).unwrap_or(true)
}

impl Drop for StartGuard {
    fn drop(&mut self) {
        if self.holds_lock {
            let _ = DEPTH.try_with(|depth| depth.set(depth.get() - 1));
        }
        drop(set_being_started(self.outer.take()));
    }
}

fn set_being_started(state: Option<Arc<SpanState>>) -> Option<Arc<SpanState>> {
    BEING_STARTED.try_with(|slot| slot.replace(state)).ok().flatten()
}

/// The span that is being started on this thread, if a guard named it.
pub(crate) fn span_being_started() -> Option<Arc<SpanState>> {
    BEING_STARTED.try_with(|slot| slot.borrow().clone()).ok().flatten()
}
