//! Dispatchers: the one that a layer is part of, and the thread's default.

use std::sync::Arc;

use tracing::dispatcher::{get_default, with_default};
use tracing::subscriber::NoSubscriber;
use tracing::Dispatch;
use tracing_core::dispatcher::WeakDispatch;
use tracing_core::span::Id;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Registry;

use crate::correlate::span_state::SpanState;
use crate::diagnostics::report_once;

/// The dispatcher that a layer is part of. It is needed to get a span's OpenTelemetry context.
#[derive(Debug, Default)]
pub(crate) struct DispatchSlot(std::sync::OnceLock<WeakDispatch>);

impl DispatchSlot {
    pub(crate) fn register(&self, dispatch: &Dispatch) {
        // The first registration wins: a layer is part of one subscriber.
        let _ = self.0.set(dispatch.downgrade());
    }

    /// Finds the dispatcher when a span is entered, for a layer inside `Option`, `Vec` or `reload`,
    /// which do not forward `on_register_dispatch`.
    pub(crate) fn find(&self, entering: &Id, metadata: &'static tracing::Metadata<'static>) {
        if self.0.get().is_some() {
            return;
        }
        get_default(|dispatch| {
            // The registry has already pushed the span, so it is the current one of the right
            // dispatcher.
            let current = dispatch.current_span();
            if current.id() == Some(entering)
                && current.metadata().is_some_and(|current| std::ptr::eq(current, metadata))
            {
                self.register(dispatch);
                report_once(format_args!(
                    "on_register_dispatch was not called on a layer, as happens inside Option, Vec and reload; \
                     its dispatcher was found when a span was entered, and records before that may lack ids"
                ));
            }
        });
    }

    /// Finds the dispatcher while an event of the span `id` is dispatched. This works with the global
    /// default only: a scoped one is hidden during its own dispatch.
    ///
    /// The default may be another subscriber, with a span of the same id. `state` tells them apart.
    pub(crate) fn find_in_event(&self, id: &Id, state: &Arc<SpanState>) {
        if self.0.get().is_none() {
            get_default(|dispatch| {
                let find = || SpanState::find(&dispatch.downcast_ref::<Registry>()?.span(id)?);
                if find().is_some_and(|found| Arc::ptr_eq(&found, state)) {
                    self.register(dispatch);
                }
            });
        }
    }

    pub(crate) fn weak(&self) -> Option<&WeakDispatch> {
        self.0.get()
    }

    pub(crate) fn dispatch(&self) -> Option<Dispatch> {
        self.0.get().and_then(WeakDispatch::upgrade)
    }
}

/// Runs `work` with `subscriber` as the thread's default, so that its span ids are valid and events
/// go there.
///
/// It is not set if it is the default already: as long as any thread has a scoped subscriber,
/// tracing drops, on all threads, what is logged inside an event.
pub(crate) fn in_subscriber<T>(subscriber: Option<&Dispatch>, work: impl FnOnce() -> T) -> T {
    match subscriber {
        Some(subscriber) if !is_default(subscriber) => with_default(subscriber, work),
        _ => work(),
    }
}

/// Whether `subscriber` is the thread's default.
pub(crate) fn is_default(subscriber: &Dispatch) -> bool {
    let identity = |dispatch: &Dispatch| {
        (dispatch.is::<NoSubscriber>(), dispatch.downcast_ref::<Registry>().map(std::ptr::from_ref))
    };
    get_default(identity) == identity(subscriber)
}
