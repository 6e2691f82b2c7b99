//! The locks and atomics of the queue and the worker: std's, or those of
//! [loom](https://docs.rs/loom).

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::forked::unless_forked;

#[cfg(loom)]
pub(crate) use loom::sync::{
    atomic::{AtomicBool, AtomicU64, AtomicU8, AtomicUsize, Ordering},
    Condvar, Mutex, MutexGuard,
};
#[cfg(not(loom))]
pub(crate) use std::sync::{
    atomic::{AtomicBool, AtomicU64, AtomicU8, AtomicUsize, Ordering},
    Condvar, Mutex, MutexGuard,
};

/// Locks even if the lock is poisoned: nothing in here panics while it holds one, and should it do
/// so, going on is better than taking the application down.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks like [`lock`]. `None` in a process that was forked from `process` if a thread held the lock
/// then.
#[inline]
pub(crate) fn lock_unless_forked<T>(mutex: &Mutex<T>, process: u32) -> Option<MutexGuard<'_, T>> {
    unless_forked(mutex.try_lock(), process, || mutex.lock())
}

/// Waits for a notification. May return early, as a `Condvar` may.
pub(crate) fn wait<'a, T>(changed: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a notification, at most until `until`. May return early, as a `Condvar` may.
pub(crate) fn wait_until<'a, T>(
    changed: &Condvar,
    guard: MutexGuard<'a, T>,
    until: Instant,
) -> MutexGuard<'a, T> {
    let left = until.saturating_duration_since(Instant::now());
    changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
}

/// `duration` from now. A duration that overflows the clock counts as a day.
pub(crate) fn after(duration: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(86_400);
    let now = Instant::now();
    now.checked_add(duration).unwrap_or(now + DAY)
}
