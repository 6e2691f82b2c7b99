//! A process that logs, and delivers its records over HTTP to another process.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;
use std::{env, fs};

use opentelemetry::KeyValue;
use opentelemetry_appender_tracing::layer::{OpenTelemetryTracingBridge, TracingSpanAttributes};
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::otlp::Pipeline;
use spanlog::LogLayer;
use tracing::info_span;
use tracing::subscriber::set_global_default;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::Registry;

use crate::arm::{Arm, Layers, TARGET};
use crate::work::{inside, span_layer, work};
use crate::{allocations, loopback};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Records between two flushes. The queue of every client holds that many.
pub(crate) const BURST: u64 = 8_192;

/// Records before the measurement starts.
pub(crate) const WARM_UP: u64 = 3 * BURST;

/// Events between two readings of the memory, while the collector is down.
const STRETCH: u64 = 50_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Direct,
    /// The appender, the SDK's batch processor and opentelemetry-otlp.
    Appender,
    Emit,
    /// The direct path, to a port on which nothing listens.
    Unreachable,
    /// Spans through a pipeline.
    Spans,
    /// Spans through the SDK's batch processor and opentelemetry-otlp.
    SdkSpans,
}

impl Client {
    pub(crate) const ALL: [Self; 6] =
        [Self::Direct, Self::Appender, Self::Emit, Self::Unreachable, Self::Spans, Self::SdkSpans];

    pub(crate) fn name(self) -> String {
        format!("{self:?}")
    }
}

/// Runs the client that `arguments` name: its name, the number of records, and the address to send
/// to.
pub(crate) fn run(arguments: &[String]) {
    let [name, count, at, ..] = arguments else { panic!("{arguments:?}") };
    let client = Client::ALL.into_iter().find(|client| client.name() == *name).unwrap();
    let (count, at) = (count.parse().unwrap(), at.parse().unwrap());
    // The parent process removes them: the clients must not read settings of the machine.
    assert!(env::vars_os().all(|(variable, _)| !variable.to_string_lossy().starts_with("OTEL_")));
    match client {
        Client::Direct => direct(count, at),
        Client::Appender => appender(count, at),
        Client::Emit => emit(count, at),
        Client::Unreachable => unreachable(count, at),
        Client::Spans => spans(count, at),
        Client::SdkSpans => sdk_spans(count, at),
    }
}

fn spans(count: u64, at: SocketAddr) {
    let pipeline = Pipeline::builder().with_endpoint(format!("http://{at}")).build().unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(pipeline.span_processor()).build();
    set_global_default(Registry::default().with(span_layer(&provider))).unwrap();
    measured_spans(count, || pipeline.flush(TIMEOUT).unwrap());
}

fn sdk_spans(count: u64, at: SocketAddr) {
    let provider = loopback::tracer_provider_to(at);
    set_global_default(Registry::default().with(span_layer(&provider))).unwrap();
    measured_spans(count, || provider.force_flush().unwrap());
}

/// Spans with four attributes and three stamps, half of them with one event.
fn spans_of(count: u64) {
    let text = black_box("eu-west-1");
    for index in 0..count {
        let span = info_span!(
            "request",
            runner_job.id = "job-01HV",
            runner_job_execution.id = "execution-7",
            runner_job_execution_step.name = "plan",
            region = text,
            attempt = index,
            ratio = 0.5,
            host = text
        );
        if index % 2 == 0 {
            span.add_event("connected", vec![KeyValue::new("peer", text)]);
        }
    }
}

/// Prints what `count` spans used, warm: the CPU nanoseconds of all threads, those of this thread, and
/// the allocations of all threads.
fn measured_spans(count: u64, flush: impl Fn()) {
    let bursts = |count: u64| {
        for _ in 0..count / BURST {
            spans_of(BURST);
            flush();
        }
    };
    bursts(WARM_UP);
    let allocations = allocations::count(|| bursts(count / 4)) * 4;
    let cpu = cpu_nanos();
    let mut ending = 0;
    for _ in 0..count / BURST {
        let before = own_nanos();
        spans_of(BURST);
        ending += own_nanos() - before;
        flush();
    }
    println!("{} {ending} {allocations}", cpu_nanos() - cpu);
}

/// The CPU nanoseconds of this thread.
fn own_nanos() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn arm(layers: Layers) -> Arm {
    Arm { layers, in_job: true, ..TARGET }
}

fn pipeline(at: SocketAddr) -> Pipeline {
    let pipeline = Pipeline::builder().with_endpoint(format!("http://{at}")).build().unwrap();
    let tracers = SdkTracerProvider::builder().build();
    let layer = LogLayer::direct(pipeline.clone());
    set_global_default(Registry::default().with(span_layer(&tracers)).with(layer)).unwrap();
    pipeline
}

fn direct(count: u64, at: SocketAddr) {
    let pipeline = pipeline(at);
    let arm = arm(Layers::Direct);
    measured(count, |count| {
        inside(arm, || work(arm.what, count));
        pipeline.flush(TIMEOUT).unwrap();
    });
}

fn appender(count: u64, at: SocketAddr) {
    let provider = loopback::provider_to(at);
    let tracers = SdkTracerProvider::builder().build();
    let appender = OpenTelemetryTracingBridge::builder(&provider)
        .with_tracing_span_attributes(TracingSpanAttributes::all())
        .build();
    set_global_default(Registry::default().with(span_layer(&tracers)).with(appender)).unwrap();
    let arm = arm(Layers::Delivering);
    measured(count, |count| {
        inside(arm, || work(arm.what, count));
        provider.force_flush().unwrap();
    });
}

/// The same event with emit: two ids and seven ambient properties, and four properties of its own.
#[expect(clippy::too_many_arguments, reason = "emit's macro expands seven properties to that")]
fn emit(count: u64, at: SocketAddr) {
    let runtime = ::emit::setup()
        .emit_to(
            emit_otlp::new()
                .resource(::emit::props! { #[emit::key("service.name")] service_name: "ladder" })
                .logs(emit_otlp::logs_http_proto(format!("http://{at}/v1/logs")))
                .spawn(),
        )
        .init();
    let text = black_box("eu-west-1");
    measured(count, |count| {
        let outer = ::emit::props! {
            trace_id: ::emit::TraceId::from_u128(0x4bf92f3577b34da6a3ce929d0e0e4736),
            span_id: ::emit::SpanId::from_u64(0x00f067aa0ba902b7),
            #[emit::key("runner_job.id")] job: "job-01HV",
            #[emit::key("runner_job_execution.id")] execution: "execution-7",
            #[emit::key("runner_job_execution_step.name")] step: "plan",
            method: "GET",
            route: "/jobs/{id}",
        };
        ::emit::Frame::push(::emit::ctxt(), outer).call(|| {
            ::emit::Frame::push(::emit::ctxt(), ::emit::props! { user: "alice", tenant: "acme" }).call(
                || {
                    for index in 0..black_box(count) {
                        ::emit::info!("connected", region: text, attempt: index, ratio: 0.5, host: text);
                    }
                },
            );
        });
        assert!(runtime.blocking_flush(TIMEOUT));
    });
}

/// Prints the CPU nanoseconds that all threads of this process used for `count` records.
fn measured(count: u64, deliver: impl Fn(u64)) {
    let bursts = |count: u64| (0..count / BURST).for_each(|_| deliver(BURST));
    bursts(WARM_UP);
    let before = cpu_nanos();
    bursts(count);
    println!("{}", cpu_nanos() - before);
}

/// The sum over live threads: no client ends a thread while it is measured.
fn cpu_nanos() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let of = |task: fs::DirEntry| -> u64 {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap();
        text.split_whitespace().next().unwrap().parse().unwrap()
    };
    tasks.map(|task| of(task.unwrap())).sum()
}

/// Prints the memory limit, how much resident memory grew, and how much of that in the second half
/// of the events.
fn unreachable(count: u64, at: SocketAddr) {
    let pipeline = pipeline(at);
    let arm = arm(Layers::Direct);
    inside(arm, || work(arm.what, 10));
    let before = resident();
    let (mut peak, mut peak_of_first_half) = (before, before);
    let stretches = count / STRETCH;
    for stretch in 0..stretches {
        inside(arm, || work(arm.what, STRETCH));
        peak = peak.max(resident());
        if stretch < stretches / 2 {
            peak_of_first_half = peak;
        }
    }
    let stats = pipeline.stats();
    assert_eq!(stats.emitted, stretches * STRETCH + 10);
    assert_eq!(stats.delivered, 0);
    assert_eq!(stats.pending + stats.dropped_queue_full, stats.emitted, "{stats:?}");
    println!("{} {} {}", 32 << 20, peak - before, peak - peak_of_first_half);
    pipeline.shutdown(Duration::ZERO);
}

/// The resident memory of this process in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}
