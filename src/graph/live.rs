//! Listening to spans and records while jobs run.
//!
//! [`recorder`] is the handle and the hooks; `jobs` tells the jobs apart, `job` keeps one of them within its
//! bound, and `record` makes plain data of a record on either road.

#[cfg(feature = "terminal")]
pub(super) mod glimpse;
mod job;
pub(super) mod jobs;
mod record;
pub(super) mod recorder;
