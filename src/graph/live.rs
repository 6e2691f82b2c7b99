//! Recording spans and log records while jobs run.
//!
//! `recorder` is the handle with its processor hooks, `jobs` assigns what comes in to jobs, `job`
//! keeps one job within its memory limit, and `view_snapshot` is what a live view reads.

#[cfg(feature = "terminal")]
pub(super) mod view_snapshot;
mod job;
pub(super) mod jobs;
pub(crate) mod recorder;
