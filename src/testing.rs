//! For tests and benchmarks of programs: pipelines that do not send anything.

mod pipelines;

pub use self::pipelines::{discarding, discarding_with_spool, pipeline, storing, Requests};
