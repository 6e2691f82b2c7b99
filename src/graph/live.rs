//! Listening to spans and records while jobs run.
//!
//! [`recorder`] is the handle and the hooks; `jobs` tells the jobs apart, `job` keeps one of them within its
//! bound, and `sdk_record` makes plain data of the SDK's records.

#[cfg(feature = "terminal")]
pub(super) mod view_snapshot;
mod job;
pub(super) mod jobs;
pub(crate) mod recorder;
mod sdk_record;
