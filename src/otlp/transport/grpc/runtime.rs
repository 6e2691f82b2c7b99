//! The runtime under the gRPC client: its own, so that it never waits for one that the caller blocks.

use std::cell::RefCell;
use std::future::Future;
use std::thread;

use opentelemetry::{Context, ContextGuard};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::Error;

/// A runtime that runs on the thread that waits for it, and nowhere else.
///
/// So whatever the client writes through `tracing` is written where the caller has silenced it. Names
/// of hosts are looked up on threads of the runtime, which silence themselves.
#[derive(Debug)]
pub(crate) struct OwnRuntime(Option<Runtime>);

thread_local! {
    static SILENCE: RefCell<Option<ContextGuard>> = const { RefCell::new(None) };
}

/// Not by a subscriber of the thread: while any thread has one, tracing swallows what the values of an
/// event log, on all threads.
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

    /// Runs what needs to know the runtime, but does not wait for it.
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
        // In a runtime nobody may wait for another one, but a thread beside it may.
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
            // To wait for it would panic in a runtime, and there is nothing to wait for.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: what the client writes through `tracing` goes nowhere, on whichever thread it runs.
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
