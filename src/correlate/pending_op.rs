//! The op whose span is being created on this thread, for our layers to find.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::KeyValue;

use crate::correlate::span_state::{OpNames, SpanState};

thread_local! {
    static PENDING: RefCell<Option<Arc<PendingOp>>> = const { RefCell::new(None) };
}

/// What tracing's static fields cannot say about the span that an op creates.
#[derive(Debug)]
pub(crate) struct PendingOp {
    /// `<tool>.<operation>`, or the name of a runner's span.
    pub(crate) name: String,
    /// The callsite of the span, by which it is recognised.
    pub(crate) metadata: &'static tracing::Metadata<'static>,
    pub(crate) names: OpNames,
    /// The attributes that the op's caller gave.
    pub(crate) attributes: Vec<KeyValue>,
    /// Where the op was started, which becomes the span's source location.
    pub(crate) caller: Option<&'static std::panic::Location<'static>>,
    /// Filled in by the layer that creates the span's state.
    pub(crate) state: StateSlot,
}

/// A slot for one state, written and read on one thread. `Sync`, as the [`PendingOp`] is shared.
#[derive(Debug, Default)]
pub(crate) struct StateSlot(Mutex<Option<Arc<SpanState>>>);

impl StateSlot {
    pub(crate) fn replace(&self, state: Option<Arc<SpanState>>) -> Option<Arc<SpanState>> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), state)
    }
}

/// Runs `create`, which creates the span of `pending`.
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

/// The pending op of the span that is being created, if it is an op's.
///
/// Other layers may create spans of their own meanwhile, so it is recognised by its callsite.
pub(crate) fn find_pending_op(metadata: &'static tracing::Metadata<'static>) -> Option<Arc<PendingOp>> {
    let is_for_callsite = |pending: &&Arc<PendingOp>| std::ptr::eq(pending.metadata, metadata);
    PENDING.try_with(|slot| slot.borrow().as_ref().filter(is_for_callsite).cloned()).ok().flatten()
}
