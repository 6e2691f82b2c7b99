//! Carrying a job to futures, threads and tasks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use pin_project_lite::pin_project;

use crate::correlate::ambient;
use crate::job_scope::JobScope;
use crate::metadata::JobMetadata;

pin_project! {
    /// A future that runs inside a job. Made by [`FutureExt::with_job`].
    ///
    /// The job is entered for each poll, and while the future is dropped. The rest of the
    /// `Context`, in particular the active span, remains the poller's.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct WithJob<F> {
        #[pin]
        future: Option<F>,
        // `None`: there was no current job.
        scope: Option<Arc<JobScope>>,
    }

    impl<F> PinnedDrop for WithJob<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            in_scope(this.scope.as_ref(), || this.future.set(None));
        }
    }
}

impl<F> WithJob<F> {
    pub(crate) fn new(future: F, scope: Option<Arc<JobScope>>) -> Self {
        Self { future: Some(future), scope }
    }
}

impl<F: Future> Future for WithJob<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.future.as_pin_mut() {
            Some(future) => in_scope(this.scope.as_ref(), || future.poll(task)),
            // Only `drop` takes the future, so this is never reached.
            None => Poll::Pending,
        }
    }
}

fn in_scope<T>(scope: Option<&Arc<JobScope>>, work: impl FnOnce() -> T) -> T {
    match scope {
        Some(scope) => scope.run(work),
        None => work(),
    }
}

/// Puts futures inside a job.
pub trait FutureExt: Future + Sized {
    /// Runs this future inside the job `metadata`, wherever it is polled.
    ///
    /// ```
    /// use spanlog::job::{self, FutureExt as _};
    /// use spanlog::JobMetadata;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let work = async {
    ///     tokio::task::yield_now().await;
    ///     job::current().map(|job| job.job_id().to_owned())
    /// };
    /// assert_eq!(work.with_job(JobMetadata::new("job-1", "exec-1")).await.as_deref(), Some("job-1"));
    /// # });
    /// ```
    fn with_job(self, metadata: JobMetadata) -> WithJob<Self> {
        WithJob::new(self, Some(JobScope::new(metadata)))
    }

    /// Runs this future inside the current job, if there is one.
    ///
    /// It is the same job scope, not a copy: what [`set`](crate::job::set) adds on one side appears
    /// on both.
    fn with_current_job(self) -> WithJob<Self> {
        WithJob::new(self, ambient::ambient_job())
    }
}

impl<F: Future> FutureExt for F {}

/// Wraps `work` so that it runs inside the current job, on whatever thread it is called.
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
    let scope = ambient::ambient_job();
    move || in_scope(scope.as_ref(), work)
}

/// [`std::thread::spawn`], inside the current job. It carries only the job, not the current span.
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

/// `tokio::spawn`, inside the current job.
///
/// It carries only the job. To carry the current span as well, spawn `future.in_current_span()`.
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
    tokio::spawn(future.with_current_job())
}

/// `tokio::task::spawn_blocking`, inside the current job. It carries only the job, not the current
/// span.
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
