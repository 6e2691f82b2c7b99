//! Without the feature `tokio`, no thread works for a runtime.

/// There is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RuntimeId {}

pub(crate) type TaskId = RuntimeId;

pub(crate) fn runtime() -> Option<RuntimeId> {
    None
}

pub(crate) fn task() -> Option<TaskId> {
    None
}
