//! The direct road: an event straight to OTLP bytes, without a record type in between.
//!
//! | step | file | what it does |
//! | --- | --- | --- |
//! | 1 | `otlp/wire.rs` | protobuf's primitives |
//! | 2 | `otlp/pipeline.rs` | the handle: settings, counts, flush and shutdown |
//! | 3 | `otlp/queue.rs` | where threads leave their records: bounded in bytes, one shard each |
//! |   | `otlp/budget.rs` | the one limit in bytes |
//! |   | `otlp/chunk.rs` | encoded records one behind the other |
//! |   | `otlp/sizes.rs` | how large the queue's parts are |
//! |   | `otlp/shrink.rs` | records that no request could take |
//! |   | `otlp/counters.rs` | what became of every record |
//! | 4 | `otlp/worker.rs` | makes requests and sees them through |
//! |   | `otlp/control.rs` | what the worker and everybody else say to each other |
//! |   | `otlp/retry.rs` | how long to wait before sending again |
//! | 5 | `otlp/request.rs` | resource and scopes around finished records |
//! |   | `otlp/sync.rs` | std's locks and atomics, or loom's |
//! | 6 | `otlp/transport.rs` | where requests go |

pub(crate) mod wire;
pub(crate) mod pipeline;
pub(crate) mod queue;
pub(crate) mod budget;
pub(crate) mod chunk;
pub(crate) mod sizes;
pub(crate) mod shrink;
pub(crate) mod counters;
pub(crate) mod worker;
pub(crate) mod control;
pub(crate) mod retry;
pub(crate) mod sync;
pub(crate) mod request;
pub(crate) mod transport;
#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(all(test, loom))]
#[path = "otlp/tests/loom.rs"]
mod loom_tests;

pub use self::counters::Stats;
pub use self::pipeline::{Pipeline, Report};
pub use self::queue::Overflow;
