//! Ops: one span for each tool call, so that a job's run becomes a tool-call graph.
//!
//! An op is a `tracing` span whose name and attributes are made at run time. No filter disables it,
//! and it ends when it is ended, not when it was last exited.
//!
//! ```
//! use spanlog::op;
//! use spanlog::opentelemetry::KeyValue;
//!
//! fn plan() -> Result<u32, String> {
//!     let workspace = KeyValue::new("terraform.workspace", "prod");
//!     op::run("terraform", "plan", [workspace], || {
//!         tracing::info!("carries the ids of the span `terraform.plan`, and its tool and operation");
//!         Ok(3)
//!     })
//! }
//! # let capture = spanlog::testing::capture();
//! assert_eq!(plan(), Ok(3));
//! # let record = &capture.records()[0];
//! # assert_eq!((record.text("nuon.tool"), record.text("nuon.op")), (Some("terraform"), Some("plan")));
//! # assert_eq!(record.span_id, Some(capture.span("terraform.plan").span_id));
//! # assert_eq!(capture.span("terraform.plan").text("terraform.workspace"), Some("prod"));
//! ```
//!
//! For work that does not fit into a closure or a future, [`start`] returns the [`Op`] itself,
//! which is then ended with the work's result.
//!
//! `op::Command` (feature `tokio`) runs a program as an op: its output lines become records of the
//! op, and its exit code the op's status.

#[cfg(feature = "tokio")]
mod command;
pub(crate) mod execution;
pub(crate) mod future;
pub(crate) mod handle;
mod label;
pub(crate) mod open_ops;
pub(crate) mod outcome;
pub(crate) mod receipt;
pub(crate) mod start_record;

use std::fmt::{Debug, Display};
use std::future::Future;

use opentelemetry::KeyValue;

use crate::op::handle::RUNNER;

#[cfg(feature = "tokio")]
pub use self::command::{Command, CommandOutput};
// Its name before it was told apart from that of `install`.
#[cfg(feature = "tokio")]
#[doc(hidden)]
pub use self::command::CommandOutput as Output;
pub use self::future::Instrumented;
pub use self::handle::Op;
pub use self::label::label;
pub use self::start_record::set_start_records;

/// Starts an op: a child of the current span, named `<tool>.<operation>`.
///
/// Its attributes are tool, operation, the job's stamps and `attributes`, which take precedence.
/// Samplers see all of them. It never fails: without a subscriber it does nothing.
///
/// ```
/// use spanlog::op;
///
/// let op = op::start("helm", "upgrade", []);
/// let result: Result<(), std::io::Error> = op.in_scope(|| Ok(()));
/// op.end(&result);
/// ```
#[track_caller]
pub fn start(tool: &str, operation: &str, attributes: impl IntoIterator<Item = KeyValue>) -> Op {
    Op::start(tool, operation, attributes)
}

/// [`start`], under a name for calls of tools: terraform, helm, `kubernetes_manifest`, job, git,
/// oci, docker, action.
#[track_caller]
pub fn tool(tool: &str, operation: &str, attributes: impl IntoIterator<Item = KeyValue>) -> Op {
    start(tool, operation, attributes)
}

/// [`start`], for an operation of the runner itself: the tool is `runner`.
#[track_caller]
pub fn runner(operation: &str, attributes: impl IntoIterator<Item = KeyValue>) -> Op {
    start(RUNNER, operation, attributes)
}

/// Runs `work` inside an op, ends the op with the result, and returns the result unchanged.
///
/// If `work` panics, the op's outcome is `panicked`, and the panic continues.
#[track_caller]
pub fn run<T, E: Debug + Display>(
    tool: &str,
    operation: &str,
    attributes: impl IntoIterator<Item = KeyValue>,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    start(tool, operation, attributes).run(work)
}

/// Runs `future` inside an op that ends with its result. The op starts now, not at the first poll.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let fetched = spanlog::op::run_async("git", "fetch", [], async { Ok::<_, std::io::Error>(7) });
/// assert_eq!(fetched.await.unwrap(), 7);
/// # });
/// ```
#[track_caller]
pub fn run_async<F, T, E>(
    tool: &str,
    operation: &str,
    attributes: impl IntoIterator<Item = KeyValue>,
    future: F,
) -> Instrumented<F>
where
    F: Future<Output = Result<T, E>>,
    E: Debug + Display,
{
    start(tool, operation, attributes).instrument(future)
}
