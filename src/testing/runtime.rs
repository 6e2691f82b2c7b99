//! The tokio runtime and the task that this thread works for.

pub(crate) use tokio::runtime::Id as RuntimeId;
pub(crate) use tokio::task::Id as TaskId;

pub(crate) fn runtime() -> Option<RuntimeId> {
    tokio::runtime::Handle::try_current().ok().map(|handle| handle.id())
}

/// `None` outside a task, as in the future of `block_on`, which stays on its thread.
pub(crate) fn task() -> Option<TaskId> {
    tokio::task::try_id()
}
