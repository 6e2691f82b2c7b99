//! The gRPC client's own runtime, so that it never depends on one that the caller blocks.

use std::cell::RefCell;
use std::future::Future;
use std::thread;

use opentelemetry::{Context, ContextGuard};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::Error;

/// A runtime that runs only on the thread that blocks on it.
///
/// So whatever the client logs is logged on a thread under telemetry suppression. Host names are
/// resolved on threads of the runtime, which suppress telemetry themselves.
#[derive(Debug)]
pub(crate) struct OwnRuntime(Option<Runtime>);

thread_local! {
    static SILENCE: RefCell<Option<ContextGuard>> = const { RefCell::new(None) };
}

/// Suppresses telemetry for the life of this thread.
///
/// A scoped `NoSubscriber` is no alternative: while any thread has one, tracing drops the events
/// that an event's values log while they are formatted, on all threads.
fn silence() {
    let guard = Context::enter_telemetry_suppressed_scope();
    SILENCE.with_borrow_mut(|silence| *silence = Some(guard));
}

impl OwnRuntime {
    pub(crate) fn new() -> Result<Self, Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("spanlog-grpc")
            .on_thread_start(silence)
            .on_thread_stop(|| drop(SILENCE.take()))
            .build()
            .map_err(|error| {
                Error::delivery("the runtime for gRPC could not be started".to_owned()).with_source(error)
            })?;
        Ok(Self(Some(runtime)))
    }

    /// Runs `work` in the runtime's context.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.0.as_ref().map(Runtime::enter);
        work()
    }

    /// Waits for `future`; `None` if it panicked.
    pub(crate) fn block_on<F>(&self, future: F) -> Option<F::Output>
    where
        F: Future + Send,
        F::Output: Send,
    {
        let runtime = self.0.as_ref()?;
        if Handle::try_current().is_err() {
            return Some(runtime.block_on(future));
        }
        // A thread that drives a runtime may not block on another one, but a new thread may.
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                silence();
                let output = runtime.block_on(future);
                SILENCE.take();
                output
            });
            waiting.join().ok()
        })
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Waiting for it would panic within a runtime, and there is nothing to wait for.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: what the client logs is suppressed, on whichever thread it runs.
    #[test]
    fn threads_that_are_not_the_callers_silence_themselves() {
        let is_silent = Context::is_current_telemetry_suppressed;
        let runtime = OwnRuntime::new().expect("there are threads");
        let lookup = runtime.block_on(async move { tokio::task::spawn_blocking(is_silent).await });
        assert!(lookup.expect("nothing panics").expect("nothing panics"));
        let inner = Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(inner.block_on(async { runtime.block_on(async { is_silent() }) }), Some(true));
        assert!(!is_silent());
    }
}
