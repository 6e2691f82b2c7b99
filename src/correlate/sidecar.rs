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
use crate::correlate::origin::SpanOrigin;

/// What lies beside the event that is being dispatched on this thread.
#[derive(Debug)]
pub(crate) struct Sidecar {
    attributes: Vec<(Key, AnyValue)>,
    /// The message of an entry. The event's own has the fields behind it, for those who cannot look here.
    message: Option<Arc<str>>,
    /// The span that an entry is of, where tracing does not know it.
    origin: Option<Arc<SpanOrigin>>,
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
    static SIDECAR: RefCell<Option<Sidecar>> = const { RefCell::new(None) };
}

fn swap(sidecar: Option<Sidecar>) -> Option<Sidecar> {
    SIDECAR.try_with(|slot| slot.replace(sidecar)).ok().flatten()
}

/// Lays `attributes` beside the event that `dispatch` dispatches.
pub(crate) fn with_attributes<T>(attributes: Vec<(Key, AnyValue)>, dispatch: impl FnOnce() -> T) -> T {
    let sidecar = (!attributes.is_empty()).then_some(Sidecar { attributes, message: None, origin: None });
    with_sidecar(sidecar, dispatch)
}

/// Lays what an entry of [`trace`](crate::trace) is beside its event, which `dispatch` dispatches.
pub(crate) fn with_entry<T>(
    attributes: Vec<(Key, AnyValue)>,
    message: Arc<str>,
    origin: Option<Arc<SpanOrigin>>,
    dispatch: impl FnOnce() -> T,
) -> T {
    with_sidecar(Some(Sidecar { attributes, message: Some(message), origin }), dispatch)
}

fn with_sidecar<T>(sidecar: Option<Sidecar>, dispatch: impl FnOnce() -> T) -> T {
    struct Restore(Option<Sidecar>);
    impl Drop for Restore {
        fn drop(&mut self) {
            swap(self.0.take());
        }
    }
    let _restore = Restore(swap(sidecar));
    dispatch()
}

/// Takes what lies beside an event of the `log` facade, or an entry. Only for these: another event may be logged by
/// a value of the event for which it was laid.
pub(crate) fn take() -> Option<Sidecar> {
    swap(None)
}

/// Puts it back, for the next layer.
pub(crate) fn restore(sidecar: Sidecar) {
    swap(Some(sidecar));
}

/// The span that an event without a parent is of all the same: an entry that was made in a span of the
/// OpenTelemetry API.
pub(crate) fn origin(metadata: &Metadata<'_>) -> Option<Arc<SpanOrigin>> {
    if !callsite::is_entry(metadata) {
        return None;
    }
    SIDECAR.try_with(|slot| slot.try_borrow().ok()?.as_ref()?.origin.clone()).ok().flatten()
}
