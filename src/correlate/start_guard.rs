//! Telling that a span is being started on this thread: by us, by the wrapped layer, or behind our back.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::correlate::span_state::SpanState;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static FOREIGN_START: Cell<bool> = const { Cell::new(false) };
    static PANICKED: Cell<bool> = const { Cell::new(false) };
    static BEING_STARTED: RefCell<Option<Arc<SpanState>>> = const { RefCell::new(None) };
}

/// While this lives, a span is being started on this thread: by us, or by the span layer under a
/// call that we forwarded. It is where a span's mutex is held while user code runs.
#[derive(Debug)]
pub(crate) struct StartGuard {
    outer: Option<Arc<SpanState>>,
    holds_lock: bool,
}

impl StartGuard {
    /// `state`: the span that may be started, where it is known.
    pub(crate) fn of(state: Option<Arc<SpanState>>) -> Self {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get() + 1));
        Self { outer: set_being_started(state), holds_lock: true }
    }

    /// Announces a span that is started without its mutex being held, as when a span closes.
    pub(crate) fn unlocked(state: Option<Arc<SpanState>>) -> Self {
        Self { outer: set_being_started(state), holds_lock: false }
    }

    pub(crate) fn is_under_way() -> bool {
        DEPTH.try_with(|depth| depth.get() > 0).unwrap_or(true)
            || FOREIGN_START.try_with(Cell::get).unwrap_or(true)
    }

    /// Sets whether a start is under way that is not ours. Holds until it is set again.
    pub(crate) fn set_foreign_start(is_under_way: bool) {
        let _ = FOREIGN_START.try_with(|foreign| foreign.set(is_under_way));
    }
}

/// Notes that a panic went through the wrapped layer on this thread. Its own mark of being inside a start
/// stays set from then on, so that mark says nothing any more.
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

/// The span that is being started on this thread, if a layer of ours announced it.
pub(crate) fn span_being_started() -> Option<Arc<SpanState>> {
    BEING_STARTED.try_with(|slot| slot.borrow().clone()).ok().flatten()
}
