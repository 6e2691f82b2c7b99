//! What a hop may lose, and which counter says so: ours, or those of a real Collector.
//!
//! These are the rows of the table of hops in `docs/scaling.md`, as far as the core of the Collector has what they
//! need. And the page's configurations, which that Collector must take.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::otlp::Pipeline;
use spanlog::LogLayer;

use crate::collector::{Collector, Page, Settings};
use crate::http::{response, Act, Receiver};
use crate::otlp::{decode, records, spans};
use crate::program;
use crate::spans::subscriber;

const LONG: Duration = Duration::from_secs(30);
/// What each round emits: so many records, and as many spans.
const COUNT: u64 = 100;
/// The records of a request.
const BATCH: u64 = 10;

/// A next hop, and its answer.
struct Next {
    receiver: Receiver,
    status: Arc<AtomicU16>,
}

impl Next {
    fn answering(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let current = status.clone();
        let answer = move |_| match current.load(Ordering::SeqCst) {
            0 => Act::Silence,
            status => Act::Send(response(status, &[], b"")),
        };
        Self { receiver: Receiver::acting(answer), status }
    }

    fn arrived(&self) -> (u64, u64) {
        let (mut logs, mut traces) = (0, 0);
        for request in self.receiver.take_requests() {
            match request.path() {
                "/v1/logs" => logs += records(decode::<Logs>(&request).resource_logs).len() as u64,
                _ => traces += spans(decode::<Traces>(&request).resource_spans).len() as u64,
            }
        }
        (logs, traces)
    }
}

type Logs = opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
type Traces = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

/// A pipeline to the Collector that has emitted [`COUNT`] records and spans.
fn emitted(collector: &Collector) -> Pipeline {
    let pipeline = Pipeline::builder()
        .with_logs_url(collector.logs_url())
        .with_traces_url(collector.traces_url())
        .with_batch_records(BATCH as usize)
        .with_schedule_delay(Duration::from_millis(20))
        .build()
        .unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(pipeline.span_processor()).build();
    tracing::dispatcher::with_default(&subscriber(&provider, LogLayer::direct(pipeline.clone())), || {
        for number in 0..COUNT {
            tracing::info_span!("work").in_scope(|| tracing::info!(number, "a record"));
        }
    });
    pipeline
}

/// Both signals of a counter.
fn both(page: &Page, name: &str) -> (u64, u64) {
    (page.count(&format!("otelcol_{name}_log_records")), page.count(&format!("otelcol_{name}_spans")))
}

fn delivered(pipeline: &Pipeline) -> (u64, u64) {
    (pipeline.stats().delivered, pipeline.span_stats().delivered)
}

fn pending(pipeline: &Pipeline) -> (u64, u64) {
    (pipeline.stats().pending, pipeline.span_stats().pending)
}

const ALL: (u64, u64) = (COUNT, COUNT);
const NONE: (u64, u64) = (0, 0);

fn is_some((logs, spans): (u64, u64)) -> bool {
    logs > 0 && spans > 0
}

/// Guarantees: a Collector without a queue, or whose queue waits for the result, answers for the next hop, so that
/// what that does not take is pending here, and what counts as delivered here has arrived there.
#[test]
fn what_the_next_hop_does_not_take_is_pending_here() {
    let Some(path) = program::collector() else { return };
    let batching = "wait_for_result: true, batch: {min_size: 1000, flush_timeout: 50ms}";
    for queue in ["enabled: false", "wait_for_result: true", batching] {
        answers_for_the_next_hop(&path, queue);
    }
}

fn answers_for_the_next_hop(path: &Path, queue: &str) {
    let next = Next::answering(503);
    let exporter = format!("sending_queue: {{{queue}}}, retry_on_failure: {{enabled: false}}");
    let exporter = exporter.as_str();
    let collector = Collector::start(path, &next.receiver.url(), Settings { exporter, processors: &[] });
    let pipeline = emitted(&collector);
    collector.running.wait("refusing", || is_some(both(&collector.counters(), "exporter_send_failed")));
    assert_eq!((delivered(&pipeline), pending(&pipeline)), (NONE, ALL));
    let page = collector.counters();
    assert_eq!((both(&page, "receiver_accepted"), both(&page, "exporter_sent")), (NONE, NONE));
    let (refused, failed) = (both(&page, "receiver_refused"), both(&page, "receiver_failed"));
    assert!(is_some((refused.0 + failed.0, refused.1 + failed.1)), "{page:?}");
    next.arrived();
    next.status.store(200, Ordering::SeqCst);
    pipeline.flush(LONG).unwrap();
    let page = collector.counters();
    assert_eq!(delivered(&pipeline), ALL);
    assert_eq!(
        (both(&page, "receiver_accepted"), both(&page, "exporter_sent"), next.arrived()),
        (ALL, ALL, ALL)
    );
    pipeline.shutdown(LONG);
}

/// Guarantees: what a Collector has queued counts as delivered here. If the next hop refuses it, only the
/// Collector's counter says so; if the Collector is killed, no counter does.
#[test]
fn with_a_queue_the_collector_counts_what_it_loses_unless_it_is_killed() {
    let Some(path) = program::collector() else { return };
    for (answer, is_killed) in [(400, false), (503, true)] {
        let next = Next::answering(answer);
        let collector =
            Collector::start(&path, &next.receiver.url(), Settings { exporter: "", processors: &[] });
        let pipeline = emitted(&collector);
        pipeline.flush(LONG).unwrap();
        assert_eq!(delivered(&pipeline), ALL);
        let page = collector.counters();
        assert_eq!((both(&page, "receiver_accepted"), both(&page, "exporter_sent")), (ALL, NONE));
        if is_killed {
            assert_eq!(both(&page, "exporter_send_failed"), NONE);
            collector.running.signal("KILL");
        } else {
            collector.running.wait("refused", || both(&collector.counters(), "exporter_send_failed") == ALL);
        }
        let report = pipeline.shutdown(LONG);
        assert!(report.is_complete, "{report}");
    }
}

/// Guarantees: a queue that is full is a loss behind a batch processor, which has answered before, and the Collector
/// counts it. Without that processor the request is refused, and pending here.
#[test]
fn a_full_queue_is_a_loss_behind_a_batch_processor_only() {
    let Some(path) = program::collector() else { return };
    let exporter = "sending_queue: {queue_size: 1, num_consumers: 1}";
    let batch = [("batch", "{send_batch_size: 10, send_batch_max_size: 10, timeout: 50ms}")];
    // One request is on its way, and one or two wait.
    let taken = 3 * BATCH;
    for processors in [&batch[..], &[]] {
        let next = Next::answering(0);
        let collector = Collector::start(&path, &next.receiver.url(), Settings { exporter, processors });
        let pipeline = emitted(&collector);
        if processors.is_empty() {
            collector
                .running
                .wait("full", || is_some(both(&collector.counters(), "exporter_enqueue_failed")));
            let (delivered, pending) = (delivered(&pipeline), pending(&pipeline));
            assert!(delivered.0 <= taken && delivered.1 <= taken, "{delivered:?}");
            assert_eq!((delivered.0 + pending.0, delivered.1 + pending.1), ALL);
            assert_eq!(both(&collector.counters(), "receiver_accepted"), delivered);
        } else {
            pipeline.flush(LONG).unwrap();
            assert_eq!((delivered(&pipeline), both(&collector.counters(), "receiver_accepted")), (ALL, ALL));
            collector.running.wait("full", || {
                let (logs, spans) = both(&collector.counters(), "exporter_enqueue_failed");
                logs.min(spans) >= COUNT - taken
            });
        }
        pipeline.shutdown(Duration::ZERO);
    }
}

/// Guarantees: what a Collector's memory limiter refuses is pending here.
#[test]
fn what_a_memory_limiter_refuses_is_pending_here() {
    let Some(path) = program::collector() else { return };
    let next = Next::answering(200);
    let processors = [("memory_limiter", "{check_interval: 100ms, limit_mib: 1, spike_limit_mib: 0}")];
    let settings = Settings { exporter: "", processors: &processors };
    let collector = Collector::start(&path, &next.receiver.url(), settings);
    // Until it has looked once, it takes everything.
    thread::sleep(Duration::from_millis(500));
    let pipeline = emitted(&collector);
    collector.running.wait("refusing", || is_some(both(&collector.counters(), "processor_refused")));
    assert_eq!((delivered(&pipeline), pending(&pipeline)), (NONE, ALL));
    assert_eq!(both(&collector.counters(), "receiver_accepted"), NONE);
    pipeline.shutdown(Duration::ZERO);
}

/// The configurations in `page`: the Collector must take those that do not say that they are on paper.
fn configurations(page: &str) -> Vec<&str> {
    let blocks = page.split("\n```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.filter(|block| !block.starts_with("# On paper")).collect()
}

fn is_valid(path: &Path, configuration: &str) -> bool {
    let file = crate::target().join(format!("scaling-{}.yaml", std::process::id()));
    fs::write(&file, configuration).unwrap();
    let output = Command::new(path).arg("validate").arg("--config").arg(&file).output().unwrap();
    fs::remove_file(&file).unwrap();
    println!("{}", String::from_utf8_lossy(&output.stderr));
    output.status.success()
}

/// Guarantees: the Collector takes the configurations of `docs/scaling.md` that need no more than its core.
#[test]
fn the_collector_takes_the_configurations_of_the_page() {
    let Some(path) = program::collector() else { return };
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scaling.md")).unwrap();
    let configurations = configurations(&page);
    assert!(!configurations.is_empty());
    for configuration in configurations {
        assert!(is_valid(&path, configuration), "{configuration}");
        let planted = configuration.replacen("queue_size", "queue_sise", 1);
        assert!(planted != configuration && !is_valid(&path, &planted), "{planted}");
    }
}
