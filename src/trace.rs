//! A small abstraction over spans and loggers, which share ids and fields.
//!
//! Code written against [`Tracer`], [`Span`] and [`Logger`] does not depend on a telemetry library:
//! the program chooses the back end, for the process with [`set_tracer`] or for one context with
//! [`with_tracer`]. The current span and logger are those of an OpenTelemetry
//! [`Context`](opentelemetry::Context) that is passed explicitly.
//!
//! ```
//! use spanlog::opentelemetry::Context;
//! use spanlog::trace;
//!
//! fn create_pod(cx: &Context, name: &str) {
//!     let (cx, span) = trace::start_span(cx, "create_pod");
//!     // On the span, and on what is logged in this context from here on.
//!     let cx = span.with_field(&cx, "pod", name);
//!     trace::logger(&cx).info("creating");
//!     // Only on this one entry.
//!     trace::logger(&cx).with_field("attempt", 1).warn("the image is not there yet");
//!     span.set_status(None);
//!     span.end();
//! }
//! create_pod(&Context::current(), "web-0");
//! ```
//!
//! A program sets its tracer once, after the telemetry behind it is set up. Until then there are no
//! spans, but entries are logged:
//!
//! ```
//! use spanlog::opentelemetry::global;
//! use spanlog::trace::{self, OtelTracer};
//!
//! // After `spanlog::builder().install()`, or whatever else sets the global tracer provider.
//! trace::set_tracer(OtelTracer::new(global::tracer("kubelet")))?;
//! # Ok::<(), spanlog::Error>(())
//! ```
//!
//! | back end | a span is | an entry is |
//! | --- | --- | --- |
//! | [`NopTracer`], the default | nothing | what the context's logger makes of it |
//! | [`OtelTracer`] | a span of the OpenTelemetry API | the same, with the span's ids, and an event on the span |
//! | [`TracingTracer`] | a `tracing` span | an event in that span, which every layer sees, and an event on its OpenTelemetry span |
//!
//! In a context without a logger, entries are `tracing` events ([`TracingLogger`]): a
//! [`LogLayer`](crate::LogLayer) makes a record of each, with an attribute for each field, and a
//! console shows the fields after the message. [`with_logger`] sends them elsewhere.

mod callsite;
mod context;
mod entry_span;
mod events;
mod logger;
mod logger_value;
mod nop;
mod otel;
mod proxy;
mod span;
mod start;
mod started;
mod tracing;
mod value;

pub use self::context::{logger, with_logger, IntoLogger};
pub use self::events::TracingLogger;
pub use self::logger::{Entry, Level, Logger};
pub use self::nop::{NopLogger, NopTracer};
pub use self::otel::OtelTracer;
pub use self::span::{Span, Tracer};
pub use self::start::{set_tracer, start_span, with_tracer};
pub use self::tracing::TracingTracer;
pub use self::value::{Fields, Value};
