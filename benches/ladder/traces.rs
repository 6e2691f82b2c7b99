//! The arms of `spanlog::trace`: a span with one log entry.

use opentelemetry::trace::TracerProvider;
use opentelemetry::Context;
use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use spanlog::trace::{self, NopTracer, OtelTracer, TracingTracer};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackEnd {
    Nop,
    Otel,
    Tracing,
}

/// Sets the back end of this process.
pub(crate) fn set_up(back_end: BackEnd, tracers: &SdkTracerProvider) {
    let set = match back_end {
        BackEnd::Nop => trace::set_tracer(NopTracer::new()),
        BackEnd::Otel => trace::set_tracer(OtelTracer::new(tracers.tracer("ladder"))),
        BackEnd::Tracing => trace::set_tracer(TracingTracer::new()),
    };
    set.unwrap();
}

pub(crate) fn work(host: &str) {
    let (cx, span) = trace::start_span(&Context::new(), "provider.create");
    trace::logger(&cx).info_fmt(format_args!("connected to {host}"));
    span.end_with(&Ok::<(), String>(()));
}

/// Checks the record and, except with the no-op back end, the span: it has the record's ids and one
/// event.
pub(crate) fn check(back_end: BackEnd, record: Option<&SdkLogRecord>, span: Option<&SpanData>) {
    let record = record.unwrap_or_else(|| panic!("{back_end:?}: no record"));
    let record_ids = record.trace_context().map(|trace| (trace.trace_id, trace.span_id));
    let span_ids = span.map(|span| (span.span_context.trace_id(), span.span_context.span_id()));
    assert_eq!(record_ids, span_ids, "{back_end:?}");
    assert_eq!(span_ids.is_some(), back_end != BackEnd::Nop, "{back_end:?}");
    assert!(span.is_none_or(|span| span.events.len() == 1), "{back_end:?}: {span:?}");
}
