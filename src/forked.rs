//! Locks that a forked child never waits for.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

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
        match self.value.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if std::process::id() != self.process => None,
            Err(TryLockError::WouldBlock) => Some(self.value.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}
