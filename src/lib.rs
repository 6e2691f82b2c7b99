//! Every [`tracing`] event as an OpenTelemetry log record that knows its span and its job.
//!
//! A log line is of use when one can get from it to the span that it was written in, and to the job
//! that it was written for. This crate makes both certain: the record's **own** `trace_id` and
//! `span_id` are those of the event's span, and every record and every span carries the metadata of
//! its job.
//!
//! # One call
//!
//! With the feature `install`, which is on by default:
//!
//! ```no_run
//! # #[cfg(feature = "install")]
//! # fn main() -> Result<(), spanlog::Error> {
//! use spanlog::{job, op, JobMetadata};
//!
//! let guard = spanlog::builder().with_service_name("runner").install()?;
//!
//! let execution = job::execution(JobMetadata::new("job-1", "exec-1"), "deploy");
//! let result = execution.in_scope(|| {
//!     op::run("terraform", "plan", [], || {
//!         tracing::info!("this record carries the ids of `terraform.plan`, and the job");
//!         Ok::<(), std::io::Error>(())
//!     })
//! });
//! execution.end(&result);
//!
//! drop(guard); // delivers what is pending
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "install"))]
//! # fn main() {}
//! ```
//!
//! # Or piece by piece
//!
//! ```
//! use opentelemetry::trace::TracerProvider;
//! use opentelemetry_sdk::logs::SdkLoggerProvider;
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! use spanlog::{JobSpanProcessor, LogLayer, SpanLayer};
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! let traces = SdkTracerProvider::builder().with_span_processor(JobSpanProcessor::new()).build();
//! let logs = SdkLoggerProvider::builder().build();
//! let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("app"));
//! let subscriber = tracing_subscriber::registry()
//!     .with(SpanLayer::new(spans))
//!     .with(LogLayer::new(&logs).with_level(tracing::Level::INFO));
//! # drop(subscriber);
//! ```
//!
//! # Layout
//!
//! The path of an event to the queue of a [`Pipeline`](otlp::Pipeline), in reading order. Indented:
//! what an event passes through only in some cases.
//!
//! | file | what it does |
//! | --- | --- |
//! | `layer/emit.rs` | from an event to its record: filters, ids, inherited attributes, fields |
//! | `event/callsite.rs` | what is known of the event's callsite: the role and the encoded key of each field |
//! | `record.rs` | the trait of records: a permit, then the record in it |
//! | `correlate/stack.rs` | this thread's entered spans and job scopes, with what is cached for them |
//! | `correlate/lookup.rs` | the ids and the inherited attributes of the event, cached or resolved |
//! | &emsp; `correlate/resolve.rs` | asking a span layer for the ids of a span |
//! | &emsp; `correlate/queries.rs` | reading the stack where nothing is cached |
//! | &emsp; `correlate/layer_span.rs` | building what the records of a span inherit |
//! | &emsp; `correlate/span_state.rs` | what is known of one span |
//! | &emsp; `correlate/ambient.rs` | the job that the code runs in |
//! | &emsp; `correlate/sidecar.rs` | attributes with run-time names, beside the event |
//! | `fields.rs` | tracing's values: one table, one `Visit` |
//! | `event/visitor.rs` | body, severity, exception and attributes, out of the fields |
//! | &emsp; `event/exception.rs` | type and causes of an error |
//! | &emsp; `event/merge.rs` | where keys could appear twice, or a limit applies |
//! | &emsp; `event/extras.rs` | source location and thread, on request |
//! | &emsp; `format.rs` | running a user's `Debug` once, whatever it does |
//! | &emsp; `record/sdk.rs` | the record of any OpenTelemetry `LoggerProvider` |
//! | `otlp/record.rs` | the record that is written straight to OTLP bytes |
//! | `wire/scalar.rs` | an attribute of a callsite's field, in its usual short form |
//! | `wire/buffer.rs` | the memory that records are written in |
//! | &emsp; `wire/put.rs` | every other form of the wire format |
//! | `otlp/queue.rs` | the queue: one shard for each thread, bounded in bytes |
//! | `otlp/queue/chunk.rs` | encoded records, one after the other |
//! | &emsp; `wire/segment/write.rs` | the same in a file, with a spool |
//!
//! `otlp.rs` continues from there to the receiver. Each of these can be read alone: `spans.rs`
//! (spans without side effects), `job.rs` (job metadata), `task.rs` (work on other threads and
//! tasks), `op.rs` (one span per tool call), `trace.rs` (the small abstraction), `graph.rs` (the
//! tool-call graph), `install.rs` (registration in one call), `log_tracer.rs` (the `log` facade),
//! `json_lines.rs` (OTLP files), `metrics.rs` (the counts as metrics), `testing.rs` (pipelines for
//! tests). `docs/architecture.md` has the modules by floors, and all files.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod value;
mod error;
mod forked;
mod keys;
mod metadata;
mod span_fields;
mod stats;

mod callsite;
mod diagnostics;
mod format;
mod wire;

mod job_account;
mod job_scope;
mod limits;
mod record;
mod span_moments;

mod event;
mod fields;
#[cfg(feature = "graph")]
#[cfg_attr(docsrs, doc(cfg(feature = "graph")))]
pub mod graph;

mod correlate;
pub mod otlp;
mod panic_message;

#[cfg(feature = "json-lines")]
#[cfg_attr(docsrs, doc(cfg(feature = "json-lines")))]
pub mod json_lines;
mod log_tracer;
#[cfg(feature = "metrics")]
mod metrics;
pub mod op;
mod panics;
mod spans;
pub mod task;
pub mod testing;
pub mod trace;

pub mod job;
mod layer;

#[cfg(all(any(fuzzing, test), feature = "json-lines"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "install")]
#[cfg_attr(docsrs, doc(cfg(feature = "install")))]
pub mod install;

pub use self::diagnostics::set_diagnostics;
pub use self::error::Error;
#[cfg(feature = "install")]
#[cfg_attr(docsrs, doc(cfg(feature = "install")))]
pub use self::install::{builder, Builder, Guard};
pub use self::job::log_processor::JobLogProcessor;
pub use self::job::processor::JobSpanProcessor;
pub use self::keys::Keys;
pub use self::layer::LogLayer;
pub use self::limits::Limits;
pub use self::log_tracer::LogTracer;
pub use self::metadata::JobMetadata;
pub use self::otlp::record::DirectRecords;
pub use self::panics::PanicHook;
pub use self::record::sdk::SdkRecords;
#[doc(hidden)]
pub use self::record::Records;
pub use self::span_fields::SpanFields;
pub use self::spans::wrapped::OtelLayer;
pub use self::spans::SpanLayer;
pub use self::stats::{Counters, Stats};

pub use {opentelemetry, tracing, tracing_opentelemetry};

/// The documents, so that their code is compiled and run with the tests.
#[cfg(all(doctest, feature = "install"))]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/architecture.md")]
    struct Architecture;
    #[doc = include_str!("../docs/direct.md")]
    struct Direct;
    #[cfg(feature = "graph")]
    #[doc = include_str!("../docs/graph.md")]
    struct Graph;
    #[cfg(feature = "terminal")]
    #[doc = include_str!("../docs/live.md")]
    struct Live;
    #[doc = include_str!("../docs/mapping.md")]
    struct Mapping;
    #[doc = include_str!("../docs/migrating.md")]
    struct Migrating;
    #[doc = include_str!("../docs/promises.md")]
    struct Promises;
    #[doc = include_str!("../docs/reliability.md")]
    struct Reliability;
    #[cfg(feature = "graph")]
    #[doc = include_str!("../docs/report.md")]
    struct Report;
}
