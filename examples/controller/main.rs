//! A controller in the style of virtual-kubelet: desired pods, a provider that creates them or
//! fails, and a work queue that retries.
//!
//! ```text
//! cargo run --example controller [nop|otel|tracing]
//! ```
//!
//! Its code uses only `spanlog::trace`. The argument (default: `otel`) selects the backend: none,
//! the OpenTelemetry API, or `tracing`. The controller does and logs the same with each. It prints
//! its log, the final phase of each pod, and the tree of spans with the number of log records in
//! each. Spans and records are appended to OTLP JSON lines in `spanlog-out/`, or, if
//! `OTEL_EXPORTER_OTLP_ENDPOINT` is set, sent to that collector.

mod cloud;

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use spanlog::graph::Recorder;
use spanlog::opentelemetry::{global, Context};
use spanlog::trace::{self, NopTracer, OtelTracer, Span, TracingLogger, TracingTracer, Value};
use spanlog::{job, JobMetadata};
use tracing::Level;

use crate::cloud::{Cloud, CloudError};

const WORKERS: usize = 2;
const MAX_ATTEMPTS: u32 = 4;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("controller: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all pods reached their desired state, except for the two that cannot.
fn run() -> Result<bool, Box<dyn Error>> {
    let backend = std::env::args().nth(1).unwrap_or_else(|| "otel".to_owned());
    if !["nop", "otel", "tracing"].contains(&backend.as_str()) {
        return Err(format!("the backend is nop, otel or tracing, not {backend:?}").into());
    }
    let recorder = Recorder::default();
    let mut builder = spanlog::builder()
        .with_service_name("controller")
        .with_level(Level::DEBUG)
        .with_recorder(recorder.clone());
    let destination = match std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Ok(endpoint) if !endpoint.is_empty() => endpoint,
        _ => {
            let directory = format!("spanlog-out/controller-{backend}");
            builder = builder.with_json_lines(&directory);
            format!("{directory}/logs.jsonl and {directory}/traces.jsonl")
        }
    };
    let guard = builder.install()?;
    // The only place that depends on the backend.
    match backend.as_str() {
        "otel" => trace::set_tracer(OtelTracer::new(global::tracer("controller")))?,
        "tracing" => trace::set_tracer(TracingTracer::new())?,
        _ => trace::set_tracer(NopTracer::new())?,
    }

    let phases = job::scope(JobMetadata::new("demo", backend.clone()).with_group("examples"), || {
        let logger = TracingLogger::new().with_target("controller");
        let cx = trace::with_logger(&Context::current(), logger);
        Controller::new(Cloud::new()).reconcile_all(&cx, desired())
    });

    let report = guard.shutdown(Duration::from_secs(5));
    println!("\npods, with the backend {backend}:");
    for (name, phase) in &phases {
        println!("  {name:<10} {phase}");
    }
    let graph = recorder.graph();
    if graph.is_empty() {
        println!("\nno spans: {backend} makes none");
    } else {
        println!("\n{}", graph.to_text().trim_end());
    }
    println!("\nlogs and traces: {destination}");
    if !report.is_complete() {
        eprintln!("controller: not everything was delivered: {report}");
    }
    let failed = phases.values().filter(|phase| matches!(phase, Phase::Failed(_))).count();
    Ok(failed == 2 && report.is_complete())
}

/// The desired state of a pod.
#[derive(Clone, Debug)]
struct Pod {
    name: &'static str,
    image: &'static str,
    generation: u64,
    is_deleted: bool,
}

fn desired() -> Vec<Pod> {
    let pod = |name, image| Pod { name, image, generation: 1, is_deleted: false };
    vec![
        pod("web-0", "nginx:1.27"),
        pod("web-1", "nginx:1.27"),
        pod("worker-0", "registry.example/worker:7"),
        pod("broken-0", "no such image"),
        pod("stuck-0", "registry.example/stuck:1"),
        pod("cache-0", "redis:7"),
        Pod { generation: 2, ..pod("web-0", "nginx:1.28") },
        Pod { is_deleted: true, generation: 2, ..pod("cache-0", "redis:7") },
        Pod { is_deleted: true, generation: 1, ..pod("ghost-0", "none") },
    ]
}

/// The state of a pod after the run.
#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Running { image: &'static str, generation: u64 },
    Gone,
    Failed(String),
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { image, generation } => write!(f, "running {image}, generation {generation}"),
            Self::Gone => f.write_str("gone"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

struct Controller {
    provider: Cloud,
    queue: Mutex<VecDeque<Item>>,
    phases: Mutex<BTreeMap<&'static str, Phase>>,
}

/// The pending changes of a pod, in order: no two workers handle the same pod.
struct Item {
    name: &'static str,
    changes: VecDeque<Pod>,
    attempt: u32,
}

impl Controller {
    fn new(provider: Cloud) -> Self {
        Self { provider, queue: Mutex::default(), phases: Mutex::default() }
    }

    fn reconcile_all(&self, cx: &Context, desired: Vec<Pod>) -> BTreeMap<&'static str, Phase> {
        let (cx, span) = trace::start_span(cx, "reconcile_all");
        let mut changes: BTreeMap<&'static str, VecDeque<Pod>> = BTreeMap::new();
        for pod in desired {
            changes.entry(pod.name).or_default().push_back(pod);
        }
        let cx = span.with_field(&cx, "pods", changes.len());
        trace::logger(&cx).with_field("workers", WORKERS).info("starting");
        locked(&self.queue).extend(changes.into_iter().map(|(name, changes)| Item {
            name,
            changes,
            attempt: 1,
        }));
        thread::scope(|threads| {
            for worker in 0..WORKERS {
                let cx = &cx;
                // Carries the job into the thread, for lines logged outside any span.
                threads.spawn(job::carry(move || self.work(cx, worker)));
            }
        });
        let phases = std::mem::take(&mut *locked(&self.phases));
        let failed = phases.values().filter(|phase| matches!(phase, Phase::Failed(_))).count();
        trace::logger(&cx).with_field("failed", failed).info("every pod is settled");
        span.end();
        phases
    }

    fn work(&self, cx: &Context, worker: usize) {
        loop {
            // The lock is released here, before the item is handled.
            let next = locked(&self.queue).pop_front();
            let Some(item) = next else { return };
            let (cx, span) = trace::start_span(cx, "handle_queue_item");
            let cx = span.with_fields(
                &cx,
                [
                    ("worker", Value::from(worker)),
                    ("key", item.name.into()),
                    ("attempt", item.attempt.into()),
                ],
            );
            let result = self.handle(&cx, item);
            span.end_with(&result);
        }
    }

    /// Applies the first pending change of a pod. The others go back into the queue.
    fn handle(&self, cx: &Context, mut item: Item) -> Result<(), CloudError> {
        let Some(pod) = item.changes.front().cloned() else { return Ok(()) };
        let result = self.sync(cx, &pod);
        match &result {
            Ok(phase) => {
                locked(&self.phases).insert(pod.name, phase.clone());
                item.changes.pop_front();
                item.attempt = 1;
            }
            Err(error) if error.is_final() => {
                trace::logger(cx).with_error(error).error("a retry cannot succeed");
                return self.give_up(pod.name, result);
            }
            Err(error) if item.attempt == MAX_ATTEMPTS => {
                let logger = trace::logger(cx).with_error(error);
                logger.error_fmt(format_args!("giving up after {MAX_ATTEMPTS} attempts"));
                return self.give_up(pod.name, result);
            }
            Err(error) => {
                trace::logger(cx).with_error(error).warn("queued again");
                thread::sleep(Duration::from_millis(5) * item.attempt);
                item.attempt += 1;
            }
        }
        if !item.changes.is_empty() {
            locked(&self.queue).push_back(item);
        }
        result.map(|_| ())
    }

    fn give_up(&self, name: &'static str, result: Result<Phase, CloudError>) -> Result<(), CloudError> {
        result.map(|_| ()).inspect_err(|error| {
            locked(&self.phases).insert(name, Phase::Failed(error.to_string()));
        })
    }

    fn sync(&self, cx: &Context, pod: &Pod) -> Result<Phase, CloudError> {
        let name = if pod.is_deleted { "delete_pod" } else { "create_or_update_pod" };
        let (cx, span) = trace::start_span(cx, name);
        let cx = with_pod(&cx, &*span, pod);
        let result = match pod.is_deleted {
            true => self.delete(&cx, pod),
            false => self.create_or_update(&cx, &*span, pod),
        };
        span.end_with(&result);
        result
    }

    fn create_or_update(&self, cx: &Context, span: &dyn Span, pod: &Pod) -> Result<Phase, CloudError> {
        let known = self.provider.get(cx, pod.name);
        let cx = span.with_field(cx, "exists", known.is_some());
        match known {
            Some(generation) if generation == pod.generation => {
                trace::logger(&cx).debug("up to date");
            }
            Some(generation) => {
                trace::logger(&cx).with_field("from", generation).debug("exists, updating");
                self.provider.put(&cx, "update", pod)?;
                trace::logger(&cx).info("updated");
            }
            None => {
                self.provider.put(&cx, "create", pod)?;
                trace::logger(&cx).info("created");
            }
        }
        Ok(Phase::Running { image: pod.image, generation: pod.generation })
    }

    fn delete(&self, cx: &Context, pod: &Pod) -> Result<Phase, CloudError> {
        match self.provider.delete(cx, pod.name) {
            Ok(()) => trace::logger(cx).info("deleted"),
            Err(CloudError::NotFound) => trace::logger(cx).warn("already gone"),
            Err(error) => return Err(error),
        }
        Ok(Phase::Gone)
    }
}

/// Puts the pod on the span and on its log lines.
fn with_pod(cx: &Context, span: &dyn Span, pod: &Pod) -> Context {
    span.with_fields(
        cx,
        [("pod", Value::from(pod.name)), ("image", pod.image.into()), ("generation", pod.generation.into())],
    )
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
