//! Attributes that accompany an event in a thread-local, as it cannot hold them itself.
//!
//! tracing's field names are static. Attributes whose names are made at run time, that is the
//! key-values of a `log` record and the fields of a [`trace`](crate::trace) entry, are put here for
//! the one event that is dispatched next.

use std::cell::RefCell;
use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;
use tracing::Metadata;

use crate::callsite;
use crate::correlate::origin::SpanOrigin;

/// What belongs to the event that is being dispatched on this thread.
#[derive(Debug)]
pub(crate) struct Sidecar {
    attributes: Vec<(Key, AnyValue)>,
    /// The message of a `trace` entry. The event's own message has the fields appended, for layers
    /// that do not know the sidecar.
    message: Option<Arc<str>>,
    /// The span that a `trace` entry belongs to, if tracing does not have it.
    origin: Option<Arc<SpanOrigin>>,
    /// A `trace` entry is an event of its span already.
    is_on_span: bool,
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

/// Attaches `attributes` to the event that `dispatch` dispatches.
pub(crate) fn with_attributes<T>(attributes: Vec<(Key, AnyValue)>, dispatch: impl FnOnce() -> T) -> T {
    let sidecar = Sidecar { attributes, message: None, origin: None, is_on_span: false };
    with_sidecar((!sidecar.attributes.is_empty()).then_some(sidecar), dispatch)
}

/// Attaches a [`trace`](crate::trace) entry to its event, which `dispatch` dispatches.
pub(crate) fn with_entry<T>(
    attributes: Vec<(Key, AnyValue)>,
    message: Arc<str>,
    origin: Option<Arc<SpanOrigin>>,
    is_on_span: bool,
    dispatch: impl FnOnce() -> T,
) -> T {
    with_sidecar(Some(Sidecar { attributes, message: Some(message), origin, is_on_span }), dispatch)
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

/// Takes the sidecar of an event of the `log` facade, or of a `trace` entry. It must not be taken
/// for any other event, such as one that is logged while a value of the first is formatted.
pub(crate) fn take() -> Option<Sidecar> {
    swap(None)
}

/// Puts the sidecar back for the next layer.
pub(crate) fn restore(sidecar: Sidecar) {
    swap(Some(sidecar));
}

/// The span of an event without a parent, if it is a `trace` entry of a span of the OpenTelemetry
/// API.
pub(crate) fn origin(metadata: &Metadata<'_>) -> Option<Arc<SpanOrigin>> {
    of_entry(metadata, |sidecar| sidecar.origin.clone()).flatten()
}

/// Whether an event is a `trace` entry that is an event of its span already.
pub(crate) fn is_on_span(metadata: &Metadata<'_>) -> bool {
    of_entry(metadata, |sidecar| sidecar.is_on_span).unwrap_or(false)
}

/// Reads the sidecar of an event, if it is a `trace` entry.
fn of_entry<T>(metadata: &Metadata<'_>, read: impl FnOnce(&Sidecar) -> T) -> Option<T> {
    if !callsite::is_entry(metadata) {
        return None;
    }
    SIDECAR.try_with(|slot| Some(read(slot.try_borrow().ok()?.as_ref()?))).ok().flatten()
}
