//! Carrying what a line is correlated by to other threads and tasks.
//!
//! A new thread or task starts outside any span and any job. The functions of this module start it
//! with what is current where they are called: the span, the OpenTelemetry `Context`, the job, the
//! attributes of the op, and a scoped subscriber. They work inside and outside a job, and are also
//! in the module [`job`](crate::job).
//!
//! ```
//! use spanlog::task;
//!
//! # let capture = spanlog::testing::capture();
//! let span = tracing::info_span!("request");
//! span.in_scope(|| {
//!     let worker = task::thread(|| tracing::info!("has the ids of `request`"));
//!     worker.join().unwrap();
//! });
//! # spanlog::assert_record!(capture, "has the ids of `request`", in_span("request"));
//! ```
//!
//! The span stays open as long as the work that was started in it, as with
//! [`Instrument`](https://docs.rs/tracing/0.1/tracing/trait.Instrument.html). An op's OpenTelemetry span ends when the op does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::thread::JoinHandle;

use opentelemetry::Context;
use pin_project_lite::pin_project;
use tracing::dispatcher::get_default;
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Span};

use crate::correlate::dispatch::in_subscriber;
use crate::correlate::stack::OtelContext;
use crate::correlate::{ambient, queries, stack};
use crate::job_scope::JobScope;

/// What is current on a thread. Returned by [`handle`].
#[derive(Clone, Debug)]
pub struct Handle {
    /// `None` without a subscriber.
    dispatch: Option<Dispatch>,
    span: Span,
    context: Context,
    /// `context` was attached after `span` was entered, so it has an inner span.
    is_context_inside: bool,
    job: Option<Arc<JobScope>>,
}

/// What is current on this thread, to be entered on any other: the span, the OpenTelemetry
/// `Context`, the job with the attributes that [`job::set`](crate::job::set) adds to it before and
/// after, and the subscriber.
///
/// ```
/// use spanlog::{job, task, JobMetadata};
///
/// let handle = job::scope(JobMetadata::new("job-1", "exec-1"), task::handle);
/// let worker = std::thread::spawn(move || handle.in_scope(|| job::current().is_some()));
/// assert!(worker.join().unwrap());
/// ```
pub fn handle() -> Handle {
    let span = Span::current();
    let is_alive = stack::alive();
    Handle {
        dispatch: get_default(|dispatch| (!dispatch.is::<NoSubscriber>()).then(|| dispatch.clone())),
        context: if is_alive { Context::current() } else { Context::new() },
        is_context_inside: is_alive
            && span.id().is_some_and(|id| queries::api_span_is_inside(&id, OtelContext::read().span)),
        span,
        job: ambient::ambient_job(),
    }
}

impl Handle {
    /// Runs `work` with what was current where the handle was made.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        let attach_if = |is_now: bool| {
            let is_now = is_now && stack::alive();
            is_now.then(|| ambient::attach(self.context.clone())).flatten()
        };
        let entered = || {
            let _outer = attach_if(!self.is_context_inside);
            self.span.in_scope(|| {
                let _inner = attach_if(self.is_context_inside);
                ambient::in_job(self.job.as_ref(), work)
            })
        };
        in_subscriber(self.dispatch.as_ref(), entered)
    }

    /// [`in_scope`](Self::in_scope) for a future: for each poll, and while it is dropped.
    pub fn in_scope_async<F: Future>(self, future: F) -> Carried<F> {
        Carried { future: Some(future), handle: self }
    }
}

pin_project! {
    /// A future with what was current elsewhere. Made by [`Handle::in_scope_async`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Carried<F> {
        #[pin]
        future: Option<F>,
        handle: Handle,
    }

    impl<F> PinnedDrop for Carried<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.handle.in_scope(|| this.future.set(None));
        }
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.future.as_pin_mut() {
            Some(future) => this.handle.in_scope(|| future.poll(task)),
            // Only `drop` takes the future, so this is never reached.
            None => Poll::Pending,
        }
    }
}

/// Wraps `work` so that it runs with what is current now, on whatever thread it is called.
///
/// ```
/// use spanlog::{job, JobMetadata};
///
/// job::scope(JobMetadata::new("job-1", "exec-1"), || {
///     let callback = job::carry(|| job::current().is_some());
///     assert!(std::thread::spawn(callback).join().unwrap());
/// });
/// ```
pub fn carry<T, F: FnOnce() -> T>(work: F) -> impl FnOnce() -> T + use<T, F> {
    let handle = handle();
    move || handle.in_scope(work)
}

/// [`std::thread::spawn`], with what is current here.
///
/// # Panics
///
/// If [`std::thread::spawn`] panics.
pub fn thread<T, F>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    std::thread::spawn(carry(work))
}

/// `tokio::spawn`, with what is current here.
///
/// # Panics
///
/// Outside a tokio runtime, as `tokio::spawn` does.
#[cfg(feature = "tokio")]
#[track_caller]
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(handle().in_scope_async(future))
}

/// `tokio::task::spawn_blocking`, with what is current here.
///
/// # Panics
///
/// Outside a tokio runtime, as `tokio::task::spawn_blocking` does.
#[cfg(feature = "tokio")]
#[track_caller]
pub fn spawn_blocking<T, F>(work: F) -> tokio::task::JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    tokio::task::spawn_blocking(carry(work))
}
