//! Futures that run inside a job.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

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
            ambient::in_job(this.scope.as_ref(), || this.future.set(None));
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
            Some(future) => ambient::in_job(this.scope.as_ref(), || future.poll(task)),
            // Only `drop` takes the future, so this is never reached.
            None => Poll::Pending,
        }
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
