//! What is process-wide in `trace`: the default tracer, and the allocations of a run without
//! telemetry. No test here sets a subscriber: interest in callsites is process-wide, too.
#![expect(unsafe_code, reason = "an allocator cannot be wrapped without")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/spans.rs"]
mod spans;

use std::cell::Cell;
use std::sync::Arc;

use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::Context;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracer};
use spanlog::trace::{self, NopLogger, NopTracer, OtelTracer, Tracer};

use self::counting::{Counting, Observer};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Own;

impl Observer for Own {
    fn allocated(_: usize) {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
    }
}

#[global_allocator]
static ALLOCATOR: Counting<Own> = Counting::new();

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

fn traced() -> (InMemorySpanExporter, SdkTracer) {
    let (provider, exporter) = spans::kept_spans();
    (exporter, provider.tracer("test"))
}

fn names(exporter: &InMemorySpanExporter) -> Vec<String> {
    exporter.get_finished_spans().unwrap().into_iter().map(|span| span.name.into_owned()).collect()
}

/// Guarantees: the default does nothing until it is set, a second set is an error and changes
/// nothing, and a context's own tracer takes precedence.
#[test]
fn the_default_tracer_is_no_op_until_it_is_set_once() {
    let (before, _span) = trace::start_span(&Context::new(), "before");
    assert!(!before.has_active_span());

    let (exporter, tracer) = traced();
    let chosen: Arc<dyn Tracer> = Arc::new(OtelTracer::new(tracer));
    trace::set_tracer(chosen).unwrap();
    let (other, tracer) = traced();
    let second = trace::set_tracer(OtelTracer::new(tracer.clone())).unwrap_err();
    assert!(second.is_already_set(), "{second}");

    trace::start_span(&Context::new(), "default").1.end();
    let (cx, own) = trace::start_span(&trace::with_tracer(&Context::new(), OtelTracer::new(tracer)), "own");
    trace::start_span(&cx, "child of own").1.end();
    own.end();
    trace::start_span(&before, "after").1.end();
    assert_eq!(names(&exporter), ["default", "after"]);
    assert_eq!(names(&other), ["child of own", "own"]);
}

/// What instrumented code does.
fn work(cx: &Context) {
    let (cx, span) = trace::start_span(cx, "create_pod");
    trace::logger(&cx).info("creating");
    trace::logger(&cx).debug_fmt(format_args!("attempt {} of {}", 1, 3));
    let (inner, child) = trace::start_span(&cx, "provider.create");
    child.logger().warn("not yet");
    trace::logger(&inner).error("failed");
    child.end_with(&Err::<(), _>("no room"));
    span.set_status(Some(&std::fmt::Error));
    span.end();
}

/// The same with fields, on the span and on single entries.
fn work_with_fields(cx: &Context) {
    let (cx, span) = trace::start_span(cx, "delete_pod");
    let cx = span.with_field(&cx, "grace.seconds", 30);
    let cx = span.with_fields(&cx, [("pod", "web-0"), ("namespace", "default")]);
    trace::logger(&cx).with_field("attempt", 1).info("deleting");
    trace::logger(&cx).with_error(&std::fmt::Error).warn("not yet");
    work(&cx);
    span.end();
}

fn assert_allocates_nothing(cx: &Context, work: fn(&Context)) {
    work(cx);
    assert_eq!(allocations(|| (0..100).for_each(|_| work(cx))), 0);
}

/// Guarantees: spans, entries and fields of a run without telemetry allocate nothing. Nor does a
/// no-op tracer with a real logger, except for fields, which the logger keeps. With telemetry the
/// same code allocates, which shows that allocations are counted here.
#[test]
fn a_run_without_telemetry_allocates_nothing() {
    let untraced = trace::with_tracer(&Context::new(), NopTracer::new());
    let nothing = trace::with_logger(&untraced, NopLogger::new());
    let (_, tracer) = traced();
    let full = trace::with_tracer(&Context::new(), OtelTracer::new(tracer));
    assert_allocates_nothing(&untraced, work);
    assert_allocates_nothing(&nothing, work);
    assert_allocates_nothing(&nothing, work_with_fields);
    assert!(allocations(|| work(&full)) > 0 && allocations(|| work_with_fields(&full)) > 0);
}
