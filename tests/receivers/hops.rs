//! What a hop may lose, and which counter says so: ours, or those of a real Collector.
//!
//! These are the rows of the table of hops in `docs/scaling.md`, as far as the core of the Collector has what they
//! need. And the page's configurations, which that Collector must accept.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::otlp::Pipeline;
use spanlog::LogLayer;

use crate::collector::{Collector, Page, Settings};
use crate::http::{response, Act, Receiver};
use crate::otlp::{decode, records, spans};
use crate::process::ended;
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
    /// What each request was answered, by its number.
    answers: Arc<Mutex<Vec<u16>>>,
}

/// What has arrived in requests that were answered with 200: the spans of the records, which each have one of their
/// own, and the spans.
#[derive(Default)]
struct Arrived {
    logs: Vec<Vec<u8>>,
    spans: Vec<Vec<u8>>,
}

impl Next {
    fn answering(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let answers = Arc::new(Mutex::new(Vec::new()));
        let (current, given) = (status.clone(), answers.clone());
        let answer = move |number| {
            let status = current.load(Ordering::SeqCst);
            let mut given = given.lock().unwrap();
            assert_eq!(given.len(), number);
            given.push(status);
            match status {
                0 => Act::Silence,
                status => Act::Send(response(status, &[], b"")),
            }
        };
        Self { receiver: Receiver::acting(answer), status, answers }
    }

    fn arrived(&self) -> Arrived {
        let (mut arrived, requests) = (Arrived::default(), self.receiver.requests());
        let answers = self.answers.lock().unwrap();
        for request in requests.iter().filter(|request| answers[request.number] == 200) {
            if request.path() == "/v1/logs" {
                let records = records(decode::<Logs>(request).resource_logs);
                arrived.logs.extend(records.into_iter().map(|(_, record)| record.span_id));
            } else {
                let spans = spans(decode::<Traces>(request).resource_spans);
                arrived.spans.extend(spans.into_iter().map(|(_, span)| span.span_id));
            }
        }
        arrived
    }
}

impl Arrived {
    fn count(&self) -> (u64, u64) {
        (self.logs.len() as u64, self.spans.len() as u64)
    }

    fn different(&self) -> (u64, u64) {
        let of = |ids: &[Vec<u8>]| ids.iter().collect::<BTreeSet<_>>().len() as u64;
        (of(&self.logs), of(&self.spans))
    }
}

type Logs = opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
type Traces = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

/// A pipeline to the Collector that has emitted [`COUNT`] records and spans. No request is sent twice because an
/// answer is late.
fn emitted(collector: &Collector) -> Pipeline {
    emitted_within(collector, LONG)
}

/// The same with another timeout of a request.
fn emitted_within(collector: &Collector, timeout: Duration) -> Pipeline {
    let pipeline = Pipeline::builder()
        .with_logs_url(collector.logs_url())
        .with_traces_url(collector.traces_url())
        .with_batch_records(BATCH as usize)
        .with_schedule_delay(Duration::from_millis(20))
        .with_timeout(timeout)
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
    // Its exporter counts before its receiver does.
    collector.running.wait("failing, and refusing", || {
        let page = collector.counters();
        let (refused, failed) = (both(&page, "receiver_refused"), both(&page, "receiver_failed"));
        is_some(both(&page, "exporter_send_failed")) && is_some((refused.0 + failed.0, refused.1 + failed.1))
    });
    assert_eq!((delivered(&pipeline), pending(&pipeline)), (NONE, ALL));
    let page = collector.counters();
    assert_eq!((both(&page, "receiver_accepted"), both(&page, "exporter_sent")), (NONE, NONE));
    next.status.store(200, Ordering::SeqCst);
    pipeline.flush(LONG).unwrap();
    let page = collector.counters();
    assert_eq!(delivered(&pipeline), ALL);
    assert_eq!(
        (both(&page, "receiver_accepted"), both(&page, "exporter_sent"), next.arrived().count()),
        (ALL, ALL, ALL)
    );
    pipeline.shutdown(LONG);
}

/// Guarantees: a request whose answer does not come in time is sent again, and arrives twice. `retries` counts that
/// here, and the Collector has accepted more than is delivered.
#[test]
fn a_request_without_an_answer_arrives_twice() {
    let Some(path) = program::collector() else { return };
    let next = Next::answering(200);
    let collector = Collector::start(&path, &next.receiver.url(), Settings { exporter: "", processors: &[] });
    let stat = format!("/proc/{}/stat", collector.running.id());
    collector.running.signal("STOP");
    let is_stopped = || fs::read_to_string(&stat).unwrap().rsplit(") ").next().unwrap().starts_with('T');
    collector.running.wait("stopped", is_stopped);
    let pipeline = emitted_within(&collector, Duration::from_secs(1));
    collector.running.wait("asked again and again, while it stands still", || {
        pipeline.stats().retries > 1 && pipeline.span_stats().retries > 1
    });
    assert_eq!((delivered(&pipeline), pending(&pipeline)), (NONE, ALL));
    // It reads now what the system has kept for it, of which nobody waits for the answer.
    collector.running.signal("CONT");
    pipeline.flush(LONG).unwrap();
    assert_eq!(delivered(&pipeline), ALL);
    collector.running.wait("passing on more than is delivered", || {
        let page = collector.counters();
        let (logs, spans) = both(&page, "receiver_accepted");
        logs > COUNT && spans > COUNT && both(&page, "exporter_sent") == (logs, spans)
    });
    let arrived = next.arrived();
    let (logs, spans) = arrived.count();
    assert!(logs > COUNT && spans > COUNT, "{logs} {spans}");
    assert_eq!(arrived.different(), ALL);
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
            // An answer may be on its way, or the first request on its way out of the queue.
            collector.running.wait("full, and counting what is delivered", || {
                let page = collector.counters();
                let (delivered, pending) = (delivered(&pipeline), pending(&pipeline));
                is_some(both(&page, "exporter_enqueue_failed"))
                    && (delivered.0 + pending.0, delivered.1 + pending.1) == ALL
                    && both(&page, "receiver_accepted") == delivered
            });
            let delivered = delivered(&pipeline);
            assert!(delivered.0 <= taken && delivered.1 <= taken, "{delivered:?}");
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
    // Until it has looked once, it takes everything. It says that it refuses before it does, and then looks again.
    collector.running.wait("above its limit", || {
        let written = collector.running.written();
        let after = written.split_once("Memory usage is above soft limit. Refusing data.");
        after.is_some_and(|(_, after)| after.contains("Memory usage is above hard limit."))
    });
    let pipeline = emitted(&collector);
    collector.running.wait("refusing", || is_some(both(&collector.counters(), "processor_refused")));
    assert_eq!((delivered(&pipeline), pending(&pipeline)), (NONE, ALL));
    assert_eq!(both(&collector.counters(), "receiver_accepted"), NONE);
    pipeline.shutdown(Duration::ZERO);
}

/// The configurations in `page`: the Collector must accept those that do not say that they are on paper.
fn configurations(page: &str) -> Vec<&str> {
    let blocks = page.split("\n```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.filter(|block| !block.starts_with("# On paper")).collect()
}

fn is_valid(path: &Path, configuration: &str) -> bool {
    let file = crate::target().join(format!("scaling-{}.yaml", std::process::id()));
    fs::write(&file, configuration).unwrap();
    let (status, written) = ended(Command::new(path).arg("validate").arg("--config").arg(&file), b"", LONG);
    fs::remove_file(&file).unwrap();
    println!("{}", written.stderr);
    status.expect("it does not end").success()
}

/// Guarantees: the Collector accepts the configurations of `docs/scaling.md` that need no more than its core.
#[test]
fn the_collector_accepts_the_configurations_of_the_page() {
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
