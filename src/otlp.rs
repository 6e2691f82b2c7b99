//! The direct road: an event straight to OTLP bytes, without a record type in between.
//!
//! | step | file | what it does |
//! | --- | --- | --- |
//! | 1 | `otlp/record.rs` | the record, written straight to bytes |
//! |   | `otlp/head.rs` | what stands in front of its body |
//! |   | `otlp/short.rs` | the usual values, written the short way |
//! |   | `otlp/buffer.rs` | memory that records are written in |
//! |   | `otlp/wire.rs` | protobuf's primitives |
//! | 2 | `otlp/pipeline.rs` | the handle: settings, counts, flush and shutdown |
//! | 3 | `otlp/queue.rs` | where threads leave their records: bounded in bytes, one shard each |
//! |   | `otlp/queue/take.rs` | and who takes them out again |
//! |   | `otlp/budget.rs` | the one limit in bytes |
//! |   | `otlp/chunk.rs` | encoded records one behind the other |
//! |   | `otlp/pool.rs` | empty chunks, for later |
//! |   | `otlp/sizes.rs` | how large the queue's parts are |
//! |   | `otlp/shrink.rs` | records that no request could take |
//! |   | `otlp/counters.rs` | what became of every record |
//! | 4 | `otlp/worker.rs` | makes requests |
//! |   | `otlp/held.rs` | a chunk that the worker has |
//! |   | `otlp/lanes.rs` | how many requests are on their way at once |
//! |   | `otlp/delivery.rs` | sees requests through |
//! |   | `otlp/control.rs` | what the worker and everybody else say to each other |
//! |   | `otlp/retry.rs` | how long to wait before sending again |
//! | 5 | `otlp/request.rs` | resource and scopes around finished records |
//! |   | `otlp/json.rs` | a request as OTLP's JSON |
//! |   | `otlp/read.rs` | reading the wire format, of whatever bytes |
//! |   | `otlp/sync.rs` | std's locks and atomics, or loom's |
//! | 6 | `otlp/transport.rs` | where requests go |
//! |   | `otlp/transport/file.rs` | to a file of JSON lines |
//! |   | `otlp/transport/grpc.rs` | over gRPC |

pub(crate) mod config;
pub(crate) mod counters;
pub(crate) mod deliver;
pub(crate) mod pipeline;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod sync;
pub(crate) mod transport;
#[cfg(feature = "otlp-http")]
pub(crate) mod builder;
#[cfg(any(feature = "otlp-http", feature = "json-lines"))]
pub(crate) mod json;
#[cfg(feature = "otlp-http")]
pub(crate) mod settings;
#[cfg(all(test, not(loom)))]
#[expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]
mod tests;
#[cfg(all(test, loom))]
#[path = "otlp/tests/loom.rs"]
mod loom_tests;

#[cfg(feature = "otlp-http")]
#[cfg_attr(docsrs, doc(cfg(feature = "otlp-http")))]
pub use self::builder::Builder;
pub use self::counters::Stats;
pub use self::pipeline::{Pipeline, Report};
pub use self::queue::Overflow;
#[cfg(feature = "otlp-http")]
#[cfg_attr(docsrs, doc(cfg(feature = "otlp-http")))]
pub use self::settings::choices::{Compression, Protocol};
