//! The direct path: a log record goes from the event to an OTLP receiver as encoded bytes, without a
//! record type in between. Finished spans are encoded where they end, and go the same way, in a queue of
//! their own.
//!
//! [`Pipeline`] is the handle: it flushes, shuts down, and reads the counters. [`PipelineBuilder`] makes one
//! from the settings of the program and of the environment. A thread of the pipeline batches what was
//! logged and sends it over HTTP, over gRPC or to a file, with retries, until each record has one outcome,
//! which [`PipelineStats`] counts. All that waits has one memory limit, and on request a
//! [spool](PipelineBuilder::with_spool), so that it outlives the process.

// The layer's record (`record`) encodes an event into a thread's buffer and enqueues it. The queue
// (`queue`) has a shard for each thread; a shard is a list of chunks of encoded records. The worker
// (`deliver`) is a thread that dequeues chunks and batches their records into requests, which refer to
// the records in place, and sends each with a `transport`. With a `spool`, chunks are memory-mapped
// files. `json` transcodes requests to OTLP's JSON, and `sdk` makes them of the SDK's batches. `sync` is
// std's locks and atomics, or those of loom.

pub(crate) mod config;
pub(crate) mod counters;
pub(crate) mod deliver;
pub(crate) mod lane;
pub(crate) mod pipeline;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod signal;
pub(crate) mod span;
pub(crate) mod spool;
pub(crate) mod sync;
pub(crate) mod transport;
#[cfg(feature = "otlp-http")]
pub(crate) mod builder;
#[cfg(any(feature = "otlp-http", feature = "json-lines"))]
pub(crate) mod json;
#[cfg(feature = "json-lines")]
pub(crate) mod sdk;
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
pub use self::builder::PipelineBuilder;
pub use self::counters::PipelineStats;
pub use self::deliver::reporter::Loss;
pub use self::pipeline::{Pipeline, PipelineReport};
pub use self::queue::Overflow;
#[cfg(feature = "otlp-http")]
#[cfg_attr(docsrs, doc(cfg(feature = "otlp-http")))]
pub use self::settings::choices::{Compression, Protocol};
pub use self::span::processor::PipelineSpanProcessor;
pub use self::spool::sync::SpoolSync;

// The names that these had before they were told apart from those of other modules.
#[cfg(feature = "otlp-http")]
#[doc(hidden)]
pub use self::builder::PipelineBuilder as Builder;
#[doc(hidden)]
pub use self::counters::PipelineStats as Stats;
#[doc(hidden)]
pub use self::pipeline::PipelineReport as Report;
