//! What an op says of the span that it creates, laid beside the creation for our layers to pick up.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;

use crate::correlate::span_state::{OpNames, SpanState};

thread_local! {
    static PENDING: RefCell<Option<Arc<PendingOp>>> = const { RefCell::new(None) };
}

/// What an op says about the span that it creates and that tracing's static fields cannot.
#[derive(Debug)]
pub(crate) struct PendingOp {
    pub(crate) name: String,
    /// Of the span.
    pub(crate) metadata: &'static tracing::Metadata<'static>,
    pub(crate) names: OpNames,
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) caller: Option<&'static std::panic::Location<'static>>,
    /// Given back: the state of the span that was created.
    pub(crate) state: StateSlot,
}

/// A slot for one state, written and read on one thread; `Sync` so that the seed can be shared.
#[derive(Debug, Default)]
pub(crate) struct StateSlot(Mutex<Option<Arc<SpanState>>>);

impl StateSlot {
    pub(crate) fn replace(&self, state: Option<Arc<SpanState>>) -> Option<Arc<SpanState>> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), state)
    }
}

/// Runs `create`, which creates the one span that `pending` is about.
pub(crate) fn with_pending_op<T>(pending: &Arc<PendingOp>, create: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<PendingOp>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = PENDING.try_with(|slot| slot.replace(self.0.take()));
        }
    }
    let _restore = Restore(PENDING.try_with(|slot| slot.replace(Some(pending.clone()))).ok().flatten());
    create()
}

/// The seed of the span that is being created, if it is an op's.
///
/// Another layer may create spans or log while an op's span is being created, so the callsite decides.
pub(crate) fn find_pending_op(metadata: &'static tracing::Metadata<'static>) -> Option<Arc<PendingOp>> {
    let is_for_callsite = |pending: &&Arc<PendingOp>| std::ptr::eq(pending.metadata, metadata);
    PENDING.try_with(|slot| slot.borrow().as_ref().filter(is_for_callsite).cloned()).ok().flatten()
}
