//! Locks that a forked child never waits for.

use std::sync::{LockResult, Mutex, MutexGuard, PoisonError, TryLockError, TryLockResult};

/// The guard of a lock that was tried, or else waited for. `None` in a process that was forked from
/// `process` if a thread held the lock then: that thread is not there to release it. Nobody asks for the
/// process unless the lock is held. A poisoned lock is taken.
#[inline]
pub(crate) fn unless_forked<G>(
    tried: TryLockResult<G>,
    process: u32,
    wait: impl FnOnce() -> LockResult<G>,
) -> Option<G> {
    match tried {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => wait_in(process, wait),
    }
}

#[cold]
fn wait_in<G>(process: u32, wait: impl FnOnce() -> LockResult<G>) -> Option<G> {
    (std::process::id() == process).then(|| wait().unwrap_or_else(PoisonError::into_inner))
}

/// A lock for a `static`. Each process that is forked has a copy, which is locked for ever if a thread
/// of the parent held it at that moment.
#[derive(Debug)]
pub(crate) struct ForkedMutex<T> {
    /// The process that made it.
    process: u32,
    value: Mutex<T>,
}

impl<T: Default> Default for ForkedMutex<T> {
    fn default() -> Self {
        Self { process: std::process::id(), value: Mutex::default() }
    }
}

impl<T> ForkedMutex<T> {
    /// Locks even if the lock is poisoned. `None` in a forked child whose parent held it.
    pub(crate) fn lock(&self) -> Option<MutexGuard<'_, T>> {
        unless_forked(self.value.try_lock(), self.process, || self.value.lock())
    }
}
