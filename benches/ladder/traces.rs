//! The arms with `spanlog::trace`: a span and an entry in it.

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

/// Makes it the back end of this process.
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

/// Looks at what it makes: a record, and, but for the no-op, a span with the record's ids and an event.
pub(crate) fn look(back_end: BackEnd, record: Option<&SdkLogRecord>, span: Option<&SpanData>) {
    let record = record.unwrap_or_else(|| panic!("{back_end:?}: no record"));
    let ids = record.trace_context().map(|trace| (trace.trace_id, trace.span_id));
    let own = span.map(|span| (span.span_context.trace_id(), span.span_context.span_id()));
    assert_eq!(ids, own, "{back_end:?}");
    assert_eq!(own.is_some(), back_end != BackEnd::Nop, "{back_end:?}");
    assert!(span.is_none_or(|span| span.events.len() == 1), "{back_end:?}: {span:?}");
}
