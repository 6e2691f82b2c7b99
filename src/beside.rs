//! Attributes that travel beside an event, not through it.
//!
//! tracing's macros take static field names only. What has names made at run time, such as the
//! key-values of a `log` record, is laid here for the one event that is dispatched next.

use std::cell::RefCell;

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;

/// What lies beside the event that is being dispatched on this thread.
#[derive(Debug)]
pub(crate) struct Beside {
    attributes: Vec<(Key, AnyValue)>,
}

impl Beside {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Key, AnyValue)> {
        self.attributes.iter()
    }
}

thread_local! {
    static BESIDE: RefCell<Option<Beside>> = const { RefCell::new(None) };
}

fn swap(beside: Option<Beside>) -> Option<Beside> {
    BESIDE.try_with(|slot| slot.replace(beside)).ok().flatten()
}

/// Lays `attributes` beside the event that `dispatch` dispatches.
pub(crate) fn with_beside<T>(attributes: Vec<(Key, AnyValue)>, dispatch: impl FnOnce() -> T) -> T {
    struct Restore(Option<Beside>);
    impl Drop for Restore {
        fn drop(&mut self) {
            swap(self.0.take());
        }
    }
    let laid = (!attributes.is_empty()).then_some(Beside { attributes });
    let _restore = Restore(swap(laid));
    dispatch()
}

/// Takes what lies beside an event of the `log` facade. Others carry nothing: one may be logged by a
/// value of the event for which it was laid.
#[inline]
pub(crate) fn take(is_log: bool) -> Option<Beside> {
    if is_log {
        swap(None)
    } else {
        None
    }
}

/// Puts it back, for the next layer.
pub(crate) fn put_back(beside: Beside) {
    swap(Some(beside));
}
