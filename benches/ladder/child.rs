//! The process of one arm.

use std::cell::Cell;
use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_appender_tracing::layer::{OpenTelemetryTracingBridge, TracingSpanAttributes};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use spanlog::LogLayer;
use tracing::info;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::Registry;

use crate::arm::{Arm, Layers, What};
use crate::work::{current_ids, inside, span_layer, work};
use crate::{allocations, direct, loopback, traces};

/// For each number on standard input, runs a turn of that length and prints its nanoseconds and
/// allocations.
pub(crate) fn serve(arm: Arm) {
    set_up(arm);
    for line in io::stdin().lock().lines() {
        let count: u64 = line.unwrap().parse().unwrap();
        let elapsed = turn(arm, count);
        let mut allocated = 0;
        if arm.threads == 1 {
            inside(arm, || {
                // A warm-up long enough for every buffer to reach its final size.
                work(arm.what, 2_000);
                allocated = allocations::count(|| work(arm.what, 100));
            });
            for expect in [direct::expect, loopback::expect] {
                expect(2_100);
            }
        }
        // Otherwise the next turn would pay for what is still in flight.
        settle();
        println!("{} {allocated}", elapsed.as_nanos());
        io::stdout().flush().unwrap();
    }
}

/// One turn and nothing else, for counting instructions.
pub(crate) fn run_once(arm: Arm, count: u64) {
    set_up(arm);
    turn(arm, count);
    settle();
}

/// Waits until everything emitted has been delivered, and checks how much that was.
fn settle() {
    direct::settle();
    loopback::settle();
}

fn set_up(arm: Arm) {
    if arm.is_direct() {
        // Before the global subscriber is set: a scoped one next to it would slow down every event.
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
            set_global_default(registry.with(span_layer(&tracers)).with(LogLayer::new(&loggers))).unwrap();
        }
        Layers::Direct | Layers::Spooled => {
            let layer = LogLayer::direct(direct::pipeline(arm));
            set_global_default(registry.with(span_layer(&tracers)).with(layer)).unwrap();
        }
        Layers::Appender => {
            set_global_default(registry.with(span_layer(&tracers)).with(appender.build())).unwrap();
        }
        Layers::AppenderWithSpans => {
            let appender = appender.with_tracing_span_attributes(TracingSpanAttributes::all());
            set_global_default(registry.with(span_layer(&tracers)).with(appender.build())).unwrap();
        }
        Layers::Delivering => {
            let appender = OpenTelemetryTracingBridge::builder(&loopback::provider());
            let appender = appender.with_tracing_span_attributes(TracingSpanAttributes::all());
            set_global_default(registry.with(span_layer(&tracers)).with(appender.build())).unwrap();
        }
        Layers::Filter => set_global_default(registry.with(LevelFilter::INFO)).unwrap(),
        Layers::FilterAndOurs => {
            let registry = registry.with(LevelFilter::INFO).with(span_layer(&tracers));
            set_global_default(registry.with(LogLayer::new(&loggers))).unwrap();
        }
    }
    if !arm.is_direct() {
        check(arm);
    }
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
        // The receiving end counts the records of these.
        Layers::Direct | Layers::Spooled => direct::expect(count),
        Layers::Delivering => loopback::expect(count),
        _ => {
            let expected = arm.makes(count) / arm.threads as u64;
            assert_eq!(MADE.get() - made, expected, "{arm:?}");
        }
    }
    elapsed
}

thread_local! {
    /// How many records and spans of this thread were discarded.
    static MADE: Cell<u64> = const { Cell::new(0) };
}

/// Whether [`Discard`] keeps the record and the span it gets. Only for [`check`], before anything
/// is measured.
static KEEPS: AtomicBool = AtomicBool::new(false);
static RECORD: Mutex<Option<SdkLogRecord>> = Mutex::new(None);
static SPAN: Mutex<Option<SpanData>> = Mutex::new(None);

/// The processor at the end of the arms that deliver nothing: it counts records and spans.
#[derive(Debug)]
struct Discard;

impl LogProcessor for Discard {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        MADE.set(MADE.get() + 1);
        if KEEPS.load(Ordering::Relaxed) {
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
        if KEEPS.load(Ordering::Relaxed) {
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

/// Checks the first record or span of the arm.
fn check(arm: Arm) {
    let ids = inside(arm, || {
        KEEPS.store(true, Ordering::Relaxed);
        work(arm.what, 1);
        loopback::expect(1);
        KEEPS.store(false, Ordering::Relaxed);
        current_ids()
    });
    let record = RECORD.lock().unwrap().take();
    let span = SPAN.lock().unwrap().take();
    match arm.what {
        _ if arm.makes(1) == 0 => {
            assert!(record.is_none() && span.is_none(), "{arm:?}");
            // A disabled event makes no record. An enabled one makes one, if there is a log layer.
            let made = MADE.get();
            let made = inside(arm, || {
                info!("enabled");
                MADE.get() - made
            });
            assert_eq!(made, u64::from(arm.layers == Layers::FilterAndOurs), "{arm:?}");
        }
        What::Event(_) if arm.layers == Layers::Delivering => {
            loopback::settle();
            direct::check_record(arm, &loopback::first(), ids);
        }
        What::Debug | What::Alone => unreachable!("they make no record"),
        What::Trace(back_end) => traces::check(back_end, record.as_ref(), span.as_ref()),
        What::Event(fields) => {
            let record = record.unwrap_or_else(|| panic!("{arm:?}: no record"));
            let record_ids = record.trace_context().map(|trace| (trace.trace_id, trace.span_id));
            assert_eq!(record_ids, ids, "{arm:?}");
            assert_eq!(ids.is_some(), arm.in_span, "{arm:?}");
            let attributes = record.attributes_iter().count();
            assert_eq!(attributes, arm.attributes(fields), "{arm:?}: {record:?}");
        }
        What::Op | What::Span => {
            let span = span.unwrap_or_else(|| panic!("{arm:?}: no span"));
            assert_eq!(span.name, "helm.upgrade");
            let prefixes = ["helm.", "nuon.", "runner_job"];
            let is_ours = |key: &str| prefixes.iter().any(|prefix| key.starts_with(prefix));
            let attributes = span.attributes.iter().filter(|pair| is_ours(pair.key.as_str())).count();
            assert_eq!(attributes, if arm.in_job { 7 } else { 4 }, "{arm:?}: {span:?}");
        }
    }
}
