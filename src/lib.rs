//! Every [`tracing`] event as an OpenTelemetry log record that knows its span and its job.
//!
//! A log line is of use when one can get from it to the span that it was written in, and to the job
//! that it was written for. This crate makes both certain: the record's **own** `trace_id` and
//! `span_id` are those of the event's span, and every record and every span carries the metadata of
//! its job.
//!
//! [`tracing`]: https://docs.rs/tracing/0.1
//!
//! ```toml
//! [dependencies]
//! spanlog = "0.1" # with the feature `tls` for https:// endpoints
//! tracing = "0.1"
//! ```
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
//! // With processors and exporters of any kind.
//! let traces = SdkTracerProvider::builder().with_span_processor(JobSpanProcessor::new()).build();
//! let logs = SdkLoggerProvider::builder().build();
//! let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("app"));
//! let subscriber = tracing_subscriber::registry()
//!     .with(SpanLayer::new(spans))
//!     .with(LogLayer::new(&logs).with_level(tracing::Level::INFO));
//! # drop(subscriber);
//! ```
//!
//! # Names of your own
//!
//! The names of the attributes are a choice: [`Keys`] has those of this crate, OpenTelemetry's for CI/CD and
//! for generative AI, and each can be set. A job can have any further attribute.
//!
//! ```no_run
//! # #[cfg(feature = "install")]
//! # fn main() -> Result<(), spanlog::Error> {
//! use spanlog::{JobMetadata, Keys};
//!
//! let keys = Keys::cicd().with_tool("acme.tool").with_operation("acme.operation");
//! let guard = spanlog::builder().with_keys(keys).install()?;
//! let job = JobMetadata::new("run-1", "attempt-1").with("acme.team", "platform");
//! # drop((guard, job));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "install"))]
//! # fn main() {}
//! ```
//!
//! # Where to go on
//!
//! | for | see |
//! | --- | --- |
//! | jobs, executions and steps; tasks and threads | [`job`], [`task`] |
//! | calls of tools, and child processes | [`op`] |
//! | what `install` sets up, and the `OTEL_*` variables | `install` |
//! | delivery, retries, what is counted; the spool | [`otlp`] |
//! | the run of a job as a tree: on a terminal, as HTML, in CI | `graph` |
//! | library code that should not depend on a backend | [`trace`] |
//! | what is wrong with a set-up | [`doctor`](mod@doctor) |
//! | tests | [`testing`] |
//!
//! The repository has a page for each of: services (`docs/services.md`), moving from other crates
//! (`docs/migrating.md`), how an event becomes a record (`docs/mapping.md`), delivery (`docs/direct.md`,
//! `docs/reliability.md`), fleets (`docs/scaling.md`), a store (`docs/clickhouse.md`), the pictures
//! (`docs/graph.md`, `docs/live.md`, `docs/report.md`), tests (`docs/testing.md`), and for contributors
//! `docs/architecture.md`.
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
mod examined;
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
mod sorted;

#[cfg(any(feature = "graph", feature = "otlp-http"))]
mod json_stream;
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
pub mod trace;

pub mod doctor;
pub mod job;
mod layer;
pub mod testing;

#[cfg(all(any(fuzzing, test), feature = "json-lines"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "install")]
#[cfg_attr(docsrs, doc(cfg(feature = "install")))]
pub mod install;

pub use self::diagnostics::set_diagnostics;
pub use self::doctor::doctor;
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

pub use {log, opentelemetry, opentelemetry_sdk, tracing, tracing_opentelemetry, tracing_subscriber};

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
    #[cfg(feature = "tokio")]
    #[doc = include_str!("../docs/testing.md")]
    struct Testing;
}
