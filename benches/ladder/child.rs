//! The process of one arm.

use std::cell::Cell;
use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_appender_tracing::layer::{OpenTelemetryTracingBridge, TracingSpanAttributes};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use spanlog::{job, op, JobMetadata, LogLayer, SpanLayer};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::set_global_default;
use tracing::{debug, info, info_span, Subscriber};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::allocations;
use crate::arm::{Arm, Layers, What};
use crate::{direct, loopback, traces};

/// Answers each number on standard input with a turn of that many: nanoseconds and allocations.
pub(crate) fn serve(arm: Arm) {
    set_up(arm);
    for line in io::stdin().lock().lines() {
        let count: u64 = line.unwrap().parse().unwrap();
        let elapsed = turn(arm, count);
        let mut allocated = 0;
        if arm.threads == 1 {
            inside(arm, || {
                // Enough for everything on the way to have as much memory as it needs.
                work(arm.what, 2_000);
                allocated = allocations::count(|| work(arm.what, 100));
            });
            for expect in [direct::expect, loopback::expect] {
                expect(2_100);
            }
        }
        // What one turn left behind is not for the next one to wait for.
        settle();
        println!("{} {allocated}", elapsed.as_nanos());
        io::stdout().flush().unwrap();
    }
    if std::env::var_os("LADDER_BYTES").is_some() {
        let (bytes, records) = direct::sent().unwrap_or_else(loopback::arrived);
        eprintln!("{arm:?}: {:.1} request bytes for a record", bytes as f64 / records as f64);
    }
}

/// One turn and nothing else, for counting instructions.
pub(crate) fn run_once(arm: Arm, count: u64) {
    set_up(arm);
    turn(arm, count);
    settle();
}

/// Waits until everything that was made has arrived.
fn settle() {
    direct::settle();
    loopback::settle();
}

fn set_up(arm: Arm) {
    if arm.layers == Layers::Direct {
        // Before there is a global subscriber: a scoped one beside it would cost every event.
        direct::check(arm);
    }
    let tracers =
        SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).with_span_processor(Discard).build();
    let loggers = SdkLoggerProvider::builder().with_log_processor(Discard).build();
    if let What::Trace(back_end) = arm.what {
        traces::set_up(back_end, &tracers);
    }
    let registry = Registry::default();
    let appender = OpenTelemetryTracingBridge::builder(&loggers);
    match arm.layers {
        Layers::Nothing => {}
        Layers::Registry => set_global_default(registry).unwrap(),
        Layers::Ours => {
            set_global_default(registry.with(spans(&tracers)).with(LogLayer::new(&loggers))).unwrap();
        }
        Layers::Direct => {
            let layer = LogLayer::direct(direct::discarding());
            set_global_default(registry.with(spans(&tracers)).with(layer)).unwrap();
        }
        Layers::Appender => {
            set_global_default(registry.with(spans(&tracers)).with(appender.build())).unwrap();
        }
        Layers::AppenderWithSpans => {
            let appender = appender.with_tracing_span_attributes(TracingSpanAttributes::all());
            set_global_default(registry.with(spans(&tracers)).with(appender.build())).unwrap();
        }
        Layers::Delivering => {
            let appender = OpenTelemetryTracingBridge::builder(&loopback::provider());
            let appender = appender.with_tracing_span_attributes(TracingSpanAttributes::all());
            set_global_default(registry.with(spans(&tracers)).with(appender.build())).unwrap();
        }
        Layers::Filter => set_global_default(registry.with(LevelFilter::INFO)).unwrap(),
        Layers::FilterAndOurs => {
            let registry = registry.with(LevelFilter::INFO).with(spans(&tracers));
            set_global_default(registry.with(LogLayer::new(&loggers))).unwrap();
        }
    }
    if arm.layers != Layers::Direct {
        check(arm);
    }
}

pub(crate) fn spans<S>(tracers: &SdkTracerProvider) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    SpanLayer::new(tracing_opentelemetry::layer().with_tracer(tracers.tracer("ladder")))
}

/// The wall-clock time of `count` on each thread.
fn turn(arm: Arm, count: u64) -> Duration {
    if arm.threads == 1 {
        return inside(arm, || timed(arm, count));
    }
    let start = Barrier::new(arm.threads);
    let start = &start;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arm.threads)
            .map(|_| {
                scope.spawn(move || {
                    inside(arm, || {
                        work(arm.what, 10);
                        direct::expect(10);
                        start.wait();
                        timed(arm, count)
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap_or_default()
    })
}

fn timed(arm: Arm, count: u64) -> Duration {
    let made = MADE.get();
    let start = Instant::now();
    work(arm.what, count);
    let elapsed = start.elapsed();
    match arm.layers {
        // What these made is known where it arrives.
        Layers::Direct => direct::expect(count),
        Layers::Delivering => loopback::expect(count),
        _ => {
            let expected = arm.makes(count) / arm.threads as u64;
            assert_eq!(MADE.get() - made, expected, "{arm:?}");
        }
    }
    elapsed
}

/// Runs `work` where the arm has it run.
pub(crate) fn inside<T>(arm: Arm, work: impl FnOnce() -> T) -> T {
    let in_span = || {
        if !arm.in_span {
            return work();
        }
        if arm.layers == Layers::Delivering {
            return info_span!(
                "request",
                runner_job.id = "job-01HV",
                runner_job_execution.id = "execution-7",
                runner_job_execution_step.name = "plan",
                method = "GET",
                route = "/jobs/{id}"
            )
            .in_scope(|| info_span!("handler", user = "alice", tenant = "acme").in_scope(work));
        }
        info_span!("request", method = "GET", route = "/jobs/{id}")
            .in_scope(|| info_span!("handler", user = "alice", tenant = "acme").in_scope(work))
    };
    if !arm.in_job || arm.layers == Layers::Delivering {
        return in_span();
    }
    let metadata = JobMetadata::new("job-01HV".to_owned(), "execution-7".to_owned());
    job::scope(metadata.with_step("plan".to_owned()), in_span)
}

/// `count` times the one thing. Its values come from out of sight of the compiler.
pub(crate) fn work(what: What, count: u64) {
    let text = black_box("eu-west-1");
    for index in 0..black_box(count) {
        match what {
            What::Event(0) => info!("connected"),
            What::Event(3) => info!(region = text, attempt = index, ratio = 0.5, "connected"),
            What::Event(4) => {
                info!(region = text, attempt = index, ratio = 0.5, host = text, "connected");
            }
            What::Event(6) => info!(
                region = text,
                attempt = index,
                ratio = 0.5,
                host = text,
                retried = true,
                port = 443,
                "connected"
            ),
            What::Event(_) => info!(
                region = text,
                attempt = index,
                ratio = 0.5,
                host = text,
                retried = true,
                port = 443,
                peer = text,
                bytes = index,
                load = 0.25,
                cipher = text,
                resumed = false,
                hops = 3,
                "connected"
            ),
            What::Debug => {
                debug!(region = text, attempt = index, ratio = 0.5, host = text, "connected");
            }
            What::Op => {
                let attributes =
                    [KeyValue::new("helm.release", text), KeyValue::new("helm.revision", index as i64)];
                op::start("helm", "upgrade", attributes).end(&Ok::<(), String>(()));
            }
            What::Span => drop(info_span!(
                "helm.upgrade",
                nuon.tool = "helm",
                nuon.op = "upgrade",
                helm.release = text,
                helm.revision = index,
            )),
            What::Trace(_) => traces::work(text),
        }
    }
}

thread_local! {
    /// How many records and spans this thread has made.
    static MADE: Cell<u64> = const { Cell::new(0) };
}

/// The record and the span that are looked at, once before anything is measured.
static LOOKS: AtomicBool = AtomicBool::new(false);
static RECORD: Mutex<Option<SdkLogRecord>> = Mutex::new(None);
static SPAN: Mutex<Option<SpanData>> = Mutex::new(None);

/// The end of every other arm: takes records and spans and counts them.
#[derive(Debug)]
struct Discard;

impl LogProcessor for Discard {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        MADE.set(MADE.get() + 1);
        if LOOKS.load(Ordering::Relaxed) {
            *RECORD.lock().unwrap() = Some(record.clone());
        }
        black_box(record);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl SpanProcessor for Discard {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        MADE.set(MADE.get() + 1);
        if LOOKS.load(Ordering::Relaxed) {
            *SPAN.lock().unwrap() = Some(span);
        } else {
            black_box(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Looks at the first thing that the arm makes.
fn check(arm: Arm) {
    let ids = inside(arm, || {
        LOOKS.store(true, Ordering::Relaxed);
        work(arm.what, 1);
        loopback::expect(1);
        LOOKS.store(false, Ordering::Relaxed);
        let cx = Context::current();
        let span = cx.span().span_context().clone();
        span.is_valid().then(|| (span.trace_id(), span.span_id()))
    });
    let record = RECORD.lock().unwrap().take();
    let span = SPAN.lock().unwrap().take();
    match arm.what {
        _ if arm.makes(1) == 0 => {
            assert!(record.is_none() && span.is_none(), "{arm:?}");
            // Nothing was made of an event that is disabled; of one that is not, a record is.
            let made = MADE.get();
            let made = inside(arm, || {
                info!("enabled");
                MADE.get() - made
            });
            assert_eq!(made, u64::from(arm.layers == Layers::FilterAndOurs), "{arm:?}");
        }
        What::Event(_) if arm.layers == Layers::Delivering => {
            loopback::settle();
            direct::look(arm, &loopback::first(), ids);
        }
        What::Debug => unreachable!("it makes nothing"),
        What::Trace(back_end) => traces::look(back_end, record.as_ref(), span.as_ref()),
        What::Event(fields) => {
            let record = record.unwrap_or_else(|| panic!("{arm:?}: no record"));
            let own = record.trace_context().map(|trace| (trace.trace_id, trace.span_id));
            assert_eq!(own, ids, "{arm:?}");
            assert_eq!(ids.is_some(), arm.in_span, "{arm:?}");
            let attributes = record.attributes_iter().count();
            assert_eq!(attributes, arm.attributes(fields), "{arm:?}: {record:?}");
        }
        What::Op | What::Span => {
            let span = span.unwrap_or_else(|| panic!("{arm:?}: no span"));
            assert_eq!(span.name, "helm.upgrade");
            let ours = ["helm.", "nuon.", "runner_job"];
            let is_ours = |key: &str| ours.iter().any(|prefix| key.starts_with(prefix));
            let attributes = span.attributes.iter().filter(|own| is_ours(own.key.as_str())).count();
            assert_eq!(attributes, if arm.in_job { 7 } else { 4 }, "{arm:?}: {span:?}");
        }
    }
}
