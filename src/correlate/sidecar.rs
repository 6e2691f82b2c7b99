//! Attributes that travel beside an event, not through it.
//!
//! tracing's macros take static field names only. What has names made at run time, the key-values
//! of a `log` record and the fields of an entry of [`trace`](crate::trace), is laid here for the one
//! event that is dispatched next.

use std::cell::RefCell;
use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;
use tracing::Metadata;

use crate::callsite;
use crate::correlate::origin::Origin;

/// What lies beside the event that is being dispatched on this thread.
#[derive(Debug)]
pub(crate) struct Sidecar {
    attributes: Vec<(Key, AnyValue)>,
    /// The message of an entry. The event's own has the fields behind it, for those who cannot look here.
    message: Option<Arc<str>>,
    /// The span that an entry is of, where tracing does not know it.
    origin: Option<Arc<Origin>>,
}

impl Sidecar {
    pub(crate) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Key, AnyValue)> {
        self.attributes.iter()
    }
}

thread_local! {
    static BESIDE: RefCell<Option<Sidecar>> = const { RefCell::new(None) };
}

fn swap(beside: Option<Sidecar>) -> Option<Sidecar> {
    BESIDE.try_with(|slot| slot.replace(beside)).ok().flatten()
}

/// Lays `attributes` beside the event that `dispatch` dispatches.
pub(crate) fn with_beside<T>(attributes: Vec<(Key, AnyValue)>, dispatch: impl FnOnce() -> T) -> T {
    let laid = (!attributes.is_empty()).then_some(Sidecar { attributes, message: None, origin: None });
    lay(laid, dispatch)
}

/// Lays what an entry of [`trace`](crate::trace) is beside its event, which `dispatch` dispatches.
pub(crate) fn with_entry<T>(
    attributes: Vec<(Key, AnyValue)>,
    message: Arc<str>,
    origin: Option<Arc<Origin>>,
    dispatch: impl FnOnce() -> T,
) -> T {
    lay(Some(Sidecar { attributes, message: Some(message), origin }), dispatch)
}

fn lay<T>(laid: Option<Sidecar>, dispatch: impl FnOnce() -> T) -> T {
    struct Restore(Option<Sidecar>);
    impl Drop for Restore {
        fn drop(&mut self) {
            swap(self.0.take());
        }
    }
    let _restore = Restore(swap(laid));
    dispatch()
}

/// Takes what lies beside an event of the `log` facade, or an entry. Only for these: another event may be logged by
/// a value of the event for which it was laid.
pub(crate) fn take() -> Option<Sidecar> {
    swap(None)
}

/// Puts it back, for the next layer.
pub(crate) fn put_back(beside: Sidecar) {
    swap(Some(beside));
}

/// The span that an event without a parent is of all the same: an entry that was made in a span of the
/// OpenTelemetry API.
pub(crate) fn origin(metadata: &Metadata<'_>) -> Option<Arc<Origin>> {
    if !callsite::is_entry(metadata) {
        return None;
    }
    BESIDE.try_with(|slot| slot.try_borrow().ok()?.as_ref()?.origin.clone()).ok().flatten()
}
