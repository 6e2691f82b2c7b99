//! The runner's own spans: one for an execution, and one for each of its steps.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{Key, Value};

use crate::correlate::ambient;
use crate::correlate::span_state::OpNames;
use crate::correlate::with_job::WithJob;
use crate::job_scope::JobScope;
use crate::metadata::JobMetadata;
use crate::op::future::Instrumented;
use crate::op::handle::{Op, RUNNER};
use crate::op::receipt::Receipt;

/// Starts an execution: the span `job.<kind>`, and its job scope.
///
/// It is a root span unless a span is current, such as that of the request that delivered the job.
///
/// ```
/// use spanlog::{job, op, JobMetadata};
///
/// let execution = job::execution(JobMetadata::new("job-1", "exec-1"), "deploy");
/// let result = execution.in_scope(|| {
///     execution.step("plan").run(|| {
///         op::run("terraform", "plan", [], || Ok::<_, std::io::Error>(()))
///     })
/// });
/// execution.end(&result);
/// ```
#[track_caller]
pub fn execution(metadata: JobMetadata, kind: &str) -> Execution {
    let scope = JobScope::new(metadata);
    Execution { op: open(format!("job.{kind}"), Some(scope.clone()), Location::caller()), scope }
}

/// Starts a step of the current execution: the span `step.<name>`, a child of the current span, and a job
/// scope whose metadata has this step.
///
/// For code that does not have the [`Execution`]; [`Execution::step`] is a child of the execution's own
/// span. It ends with [`run`](Op::run), or in async code with [`instrument`](Op::instrument). Outside any
/// job it is a span without a job.
///
/// ```
/// use spanlog::{job, JobMetadata};
///
/// async fn plan() -> Result<u32, std::io::Error> {
///     job::step("plan").instrument(async { Ok(3) }).await
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let execution = job::execution(JobMetadata::new("job-1", "exec-1"), "deploy");
/// assert_eq!(execution.instrument(plan()).await.unwrap(), 3);
/// # });
/// ```
#[track_caller]
pub fn step(name: impl Into<String>) -> Op {
    let name = name.into();
    let scope = ambient::ambient_job().map(|scope| scope.with_step(name.clone()));
    open(format!("step.{name}"), scope, Location::caller())
}

fn open(name: String, scope: Option<Arc<JobScope>>, caller: &'static Location<'static>) -> Op {
    let names = OpNames { tool: Some(RUNNER.into()), operation: None };
    Op::open(name, names, Vec::new(), scope, caller)
}

/// A running execution of a job. It ends like an [`Op`].
#[derive(Debug)]
#[must_use = "an execution that is dropped at once has the outcome `dropped`"]
pub struct Execution {
    op: Op,
    /// The job scope, from which those of the steps are derived.
    scope: Arc<JobScope>,
}

impl Execution {
    /// Starts a step: the span `step.<name>`, a child of the execution's, and a job scope whose
    /// metadata has this step.
    ///
    /// The execution need not be current, and stays open.
    #[track_caller]
    pub fn step(&self, name: impl Into<String>) -> Op {
        let name = name.into();
        let scope = self.scope.with_step(name.clone());
        // Taken here, as `#[track_caller]` has no effect in a closure.
        let caller = Location::caller();
        self.op.in_scope(|| open(format!("step.{name}"), Some(scope), caller))
    }

    /// See [`Op::in_scope`].
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.op.in_scope(work)
    }

    /// See [`Op::in_scope_async`].
    pub fn in_scope_async<F: Future>(&self, future: F) -> WithJob<tracing::instrument::Instrumented<F>> {
        self.op.in_scope_async(future)
    }

    /// See [`Op::run`].
    pub fn run<T, E: Debug + Display>(self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.op.run(work)
    }

    /// See [`Op::instrument`].
    pub fn instrument<F, T, E>(self, future: F) -> Instrumented<F>
    where
        F: Future<Output = Result<T, E>>,
        E: Debug + Display,
    {
        self.op.instrument(future)
    }

    /// See [`Op::set`].
    pub fn set(&self, key: impl Into<Key>, value: impl Into<Value>) {
        self.op.set(key, value);
    }

    /// See [`Op::end`].
    pub fn end<T, E: Debug + Display>(self, result: &Result<T, E>) {
        self.op.end(result);
    }

    /// See [`Op::succeed`].
    pub fn succeed(self) {
        self.op.succeed();
    }

    /// See [`Op::fail`].
    pub fn fail<E: Error + ?Sized>(self, error: &E) {
        self.op.fail(error);
    }

    /// See [`Op::cancel`].
    pub fn cancel(self, signal: &str) {
        self.op.cancel(signal);
    }

    /// Ends the execution as successful, delivers everything that the job has emitted, and returns its receipt.
    ///
    /// It blocks for at most `deadline`: in async code, call it on a thread that may block. If something was
    /// lost, one record with the event name `telemetry.loss` says how much and why.
    ///
    /// ```
    /// use std::time::Duration;
    /// use spanlog::{job, JobMetadata};
    ///
    /// let execution = job::execution(JobMetadata::new("job-1", "exec-1"), "deploy");
    /// execution.in_scope(|| tracing::info!("some work"));
    /// let receipt = execution.close(Duration::from_secs(5));
    /// assert_eq!((receipt.logs.dropped(), receipt.logs.pending), (0, 0));
    /// ```
    pub fn close(self, deadline: Duration) -> Receipt {
        self.close_with(&Ok::<(), String>(()), deadline)
    }

    /// [`close`](Self::close) with the result of the job, as [`end`](Self::end).
    pub fn close_with<T, E: Debug + Display>(self, result: &Result<T, E>, deadline: Duration) -> Receipt {
        let Self { op, scope } = self;
        // Entered once more for the record of a loss.
        let span = op.span().clone();
        op.end(result);
        let receipt = Receipt::of(&scope.account, deadline);
        ambient::in_job(Some(&scope), || span.in_scope(|| receipt.report_loss()));
        receipt
    }

    /// The op of this execution.
    pub fn op(&self) -> &Op {
        &self.op
    }
}
