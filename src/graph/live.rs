//! Recording spans and log records while jobs run.
//!
//! `recorder` is the handle with its processor hooks, `jobs` assigns what comes in to jobs, and
//! `job` keeps one job within its memory limit.

pub(super) mod job;
pub(super) mod jobs;
pub(crate) mod recorder;
