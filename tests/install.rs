//! Installation in one call, and the JSON-lines exporters under it.
//!
//! The global subscriber can be set only once, and environment variables are process-wide. So each
//! test that needs either runs again in its own process.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "support/capture.rs"]
mod capture;
#[cfg(feature = "grpc")]
#[path = "support/grpc.rs"]
mod grpc;
#[path = "support/http.rs"]
mod http;
#[path = "install/checkup.rs"]
mod checkup;
#[path = "install/console.rs"]
mod console;
#[path = "install/filters.rs"]
mod filters;
#[path = "install/json_lines.rs"]
mod json_lines;
#[path = "support/otlp.rs"]
mod otlp;
#[path = "support/port.rs"]
mod port;
#[path = "support/process.rs"]
mod process;
#[path = "install/panics.rs"]
mod panics;
#[path = "install/paths.rs"]
mod paths;
#[path = "install/signals.rs"]
mod signals;
#[path = "install/spans.rs"]
mod spans;
#[path = "install/settings.rs"]
mod settings;

use std::time::{Duration, Instant};

use opentelemetry::trace::TraceContextExt;
use opentelemetry::KeyValue;
use spanlog::install::Report;
use spanlog::{job, Guard, JobMetadata};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::http::{response, Act, Receiver};
use crate::otlp::attributes;
use crate::port::Reserved;
use crate::process::{directory, isolated, Isolated, Written};

const LONG: Duration = Duration::from_secs(20);

impl Isolated {
    /// Runs it with a receiver as its endpoint, and more variables.
    fn run_with_receiver(&self, more: &[(&str, &str)]) -> (Receiver, Written) {
        let receiver = Receiver::start();
        let written = self.run_to(&receiver.url(), more);
        (receiver, written)
    }

    /// Runs it with this endpoint and more variables.
    fn run_to(&self, url: &str, more: &[(&str, &str)]) -> Written {
        self.run(&[&[("OTEL_EXPORTER_OTLP_ENDPOINT", url)], more].concat())
    }
}

/// Shuts down, after which everything must have been delivered.
#[track_caller]
fn finish(guard: &Guard) -> Report {
    let report = guard.shutdown(LONG);
    assert!(report.is_complete(), "{report}");
    report
}

/// What most tests do: one job, one span, one record.
fn work() -> (String, String) {
    let metadata = JobMetadata::new("job-1", "execution-1").with_step("plan");
    job::scope(metadata, || {
        let span = tracing::info_span!(target: "app::steps", "step", attempt = 2);
        let _entered = span.enter();
        tracing::info!(target: "app", answer = 42, "working");
        let cx = span.context();
        let ids = cx.span().span_context().clone();
        (ids.trace_id().to_string(), ids.span_id().to_string())
    })
}

/// The ids that a part printed.
fn ids(written: &Written) -> (String, String) {
    let line = written.stdout.lines().find_map(|line| line.split("ids=").nth(1)).unwrap();
    let (trace, span) = line.split_once(' ').unwrap();
    (trace.trim().to_owned(), span.trim().to_owned())
}

#[test]
fn dropping_the_guard_delivers_logs_and_spans() {
    let child = isolated(|_| {
        let guard = spanlog::builder()
            .with_service_name("from-the-builder")
            .with_resource_attribute(KeyValue::new("team", "builder"))
            .with_header("x-builder", "100%25")
            .install()
            .unwrap();
        let (trace, span) = work();
        log::info!(target: "dependency", user = "ann"; "through the facade");
        println!("ids={trace} {span}");
        drop(guard);
    });
    let Some(child) = child else { return };
    let (receiver, written) = child.run_with_receiver(&[
        ("OTEL_SERVICE_NAME", "from-the-environment"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=environment,zone=eu%2Cwest"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-env=a%20b,x-builder=env"),
    ]);
    let (trace, span) = ids(&written);

    let logs = receiver.logs();
    let resource = attributes(&logs[0].resource.as_ref().unwrap().attributes);
    assert_eq!(resource["service.name"], "from-the-builder");
    assert_eq!(resource["team"], "builder");
    assert_eq!(resource["zone"], "eu,west");
    assert_eq!(resource["telemetry.sdk.language"], "rust");
    let records = receiver.records();
    assert_eq!(records.len(), 2, "{records:#?}");
    let (scope, record) = records.iter().find(|(scope, _)| scope == "app").unwrap();
    assert_eq!(scope, "app");
    assert_eq!(hex(&record.trace_id), trace);
    assert_eq!(hex(&record.span_id), span);
    assert_eq!(record.flags, 1);
    let stamped = attributes(&record.attributes);
    assert_eq!(stamped["runner_job.id"], "job-1");
    assert_eq!(stamped["runner_job_execution_step.name"], "plan");
    assert_eq!((stamped["attempt"].as_str(), stamped["answer"].as_str()), ("2", "42"));
    let (_, facade) = records.iter().find(|(scope, _)| scope == "dependency").unwrap();
    assert_eq!(attributes(&facade.attributes)["user"], "ann");
    assert!(facade.trace_id.is_empty());

    let spans = receiver.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!((hex(&spans[0].1.trace_id), hex(&spans[0].1.span_id)), (trace, span));
    assert_eq!(spans[0].0, "spanlog");
    let stamped = attributes(&spans[0].1.attributes);
    assert_eq!(stamped["runner_job.id"], "job-1");
    assert!(!stamped.contains_key("busy_ns"));

    for request in receiver.requests() {
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        assert_eq!(request.header("x-env"), Some("a b"));
        assert_eq!(request.header("x-builder"), Some("100%25"));
    }
    assert!(written.stderr.contains("working"), "{}", written.stderr);
    assert!(!written.stderr.contains('\u{1b}'), "no colours where there is no terminal");
}

#[test]
fn a_second_install_fails_and_the_first_goes_on() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        let error = spanlog::builder().install().unwrap_err();
        assert!(error.is_already_set(), "{error}");
        work();
        finish(&guard);
    });
    let Some(child) = child else { return };
    let (receiver, _) = child.run_with_receiver(&[]);
    assert_eq!((receiver.records().len(), receiver.spans().len()), (1, 1));
}

/// Guarantees: nothing that the exporter, its client or its TLS library logs becomes a record or a
/// console line.
#[test]
fn one_event_at_trace_makes_one_record() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        tracing::trace!(target: "app", "alone");
        for _ in 0..3 {
            guard.flush(LONG).unwrap();
        }
        assert!(log::log_enabled!(target: "ureq", log::Level::Trace));
    });
    let Some(child) = child else { return };
    let (receiver, written) =
        child.run_with_receiver(&[("RUST_LOG", "trace"), ("OTEL_BLRP_SCHEDULE_DELAY", "10")]);
    assert_eq!(receiver.records().len(), 1, "{:#?}", receiver.records());
    assert_eq!(receiver.requests().len(), 1);
    assert!(!written.stderr.contains("ureq"), "{}", written.stderr);
}

#[test]
fn levels_are_each_outputs_own_and_spans_stay() {
    let child = isolated(|_| {
        let _guard = spanlog::builder()
            .with_level(tracing::Level::WARN)
            .with_console_level(tracing::Level::DEBUG)
            .install()
            .unwrap();
        assert!(!tracing::enabled!(tracing::Level::TRACE), "free where nobody wants it");
        let span = tracing::info_span!("outer", of = "mine").entered();
        tracing::debug!(target: "app", "for the console");
        let _ = log::log_enabled!(target: "dependency", log::Level::Trace);
        tracing::warn!(target: "app", "for both");
        drop(span);
    });
    let Some(child) = child else { return };
    let (receiver, written) = child.run_with_receiver(&[]);
    let records = receiver.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0].1.trace_id.len(), 16, "the span stays at level WARN");
    assert!(
        written.stderr.contains("for the console") && written.stderr.contains("outer{of=\"mine\"}"),
        "{}",
        written.stderr
    );
}

#[test]
fn flush_works_on_a_current_thread_runtime() {
    let child = isolated(|_| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let guard = spanlog::builder().install().unwrap();
            tokio::spawn(async { work() }).await.unwrap();
            guard.flush(LONG).unwrap();
            println!("outputs={:?}", guard.outputs());
            assert!(guard.outputs().iter().all(|output| output.exported == 1));
            work();
            finish(&guard);
            tracing::info!(target: "app", "after the end");
            assert!(guard.flush(LONG).unwrap_err().is_delivery());
        });
    });
    let Some(child) = child else { return };
    let (receiver, _) = child.run_with_receiver(&[]);
    assert_eq!((receiver.records().len(), receiver.spans().len()), (2, 2));
}

#[test]
fn shutdown_keeps_its_deadline_when_nobody_answers() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        work();
        let begun = Instant::now();
        assert!(guard.flush(Duration::from_millis(300)).unwrap_err().is_delivery());
        let report = guard.shutdown(Duration::from_millis(300));
        assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
        assert!(!report.is_complete());
        assert!(report.logs.unwrap_err().is_delivery());
        assert!(
            report.outputs.iter().all(|output| output.taken == 1 && output.exported == 0),
            "{:?}",
            report.outputs
        );
    });
    let Some(child) = child else { return };
    let receiver = Receiver::acting(|_| Act::Silence);
    child.run_to(&receiver.url(), &[("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")]);
}

#[test]
fn an_export_takes_no_longer_than_its_timeout() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        work();
        let begun = Instant::now();
        assert!(guard.flush(LONG).unwrap_err().is_delivery());
        assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
        assert!(guard.outputs().iter().all(|output| output.failed == 1), "{:?}", guard.outputs());
    });
    let Some(child) = child else { return };
    let receiver = Receiver::acting(|_| Act::Silence);
    child.run_to(
        &receiver.url(),
        &[
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
            ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "200"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "200"),
            // Both are retried for this long.
            ("OTEL_BLRP_EXPORT_TIMEOUT", "500"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "500"),
        ],
    );
}

#[test]
fn any_success_is_one_whatever_its_body() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        work();
        finish(&guard);
    });
    let Some(child) = child else { return };
    let receiver = Receiver::acting(|_| Act::Send(response(200, &[], &vec![b'x'; 5 << 20])));
    child.run_to(&receiver.url(), &[]);
    assert_eq!(receiver.requests().len(), 2, "and none is sent again");
}

/// Guarantees: a refusal is counted and reported; a redirect is not followed.
#[test]
fn what_is_refused_is_counted() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        work();
        assert!(guard.flush(LONG).unwrap_err().is_delivery());
        let report = guard.shutdown(LONG);
        assert!(report.outputs.iter().all(|output| output.failed == 1 && output.pending == 0), "{report}");
    });
    let Some(child) = child else { return };
    for status in [400, 307] {
        let refusal = Act::Send(response(status, &[("location", "/elsewhere")], b""));
        let receiver = Receiver::acting(move |_| refusal.clone());
        let written = child.run_to(&receiver.url(), &[]);
        for items in ["log records", "spans"] {
            let told = format!("{items} were refused and are lost");
            assert!(written.stderr.contains(&told), "{}", written.stderr);
        }
        assert_eq!(receiver.requests().len(), 2, "one for each signal");
    }
}

/// Guarantees: logs take the direct path by default and the SDK's on request, and the guard reports
/// either.
#[test]
fn the_sdk_road_is_one_call_away() {
    let child = isolated(|part| {
        let guard = spanlog::builder().with_sdk_logs(part == "sdk").install().unwrap();
        work();
        guard.flush(LONG).unwrap();
        work();
        let report = finish(&guard);
        assert_eq!((report.stats.emitted, report.stats.delivered), (2, 2));
        let logs = report.outputs.iter().find(|output| output.signal == "logs").unwrap();
        assert_eq!((logs.exporter, logs.taken, logs.exported, logs.pending), ("otlp", 2, 2, 0));
        assert!(guard.flush(LONG).unwrap_err().is_delivery());
    });
    let Some(child) = child else { return };
    for (name, is_said) in [("direct", true), ("sdk", false)] {
        let receiver = Receiver::start();
        let written = child.part(name).run(
            // Only the direct path ignores it, with a warning.
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url()), ("OTEL_BLRP_MAX_QUEUE_SIZE", "2048")],
        );
        assert_eq!((receiver.records().len(), receiver.spans().len()), (2, 2));
        assert_eq!(written.stderr.contains("OTEL_BLRP_MAX_QUEUE_SIZE"), is_said, "{}", written.stderr);
    }
}

/// Guarantees: a loss is reported with its cause, and soon.
#[test]
fn without_a_collector_the_end_comes_soon() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        work();
        let begun = Instant::now();
        let report = guard.shutdown(Duration::MAX);
        assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
        assert!(report.outputs.iter().all(|output| output.taken == 1), "{report}");
    });
    let Some(child) = child else { return };
    let unused = Reserved::new();
    let address = unused.address.to_string();
    let url = format!("http://user:secret@{address}");
    let written = child.run(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
        ("OTEL_BLRP_EXPORT_TIMEOUT", "500"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "500"),
    ]);
    assert!(written.stderr.contains(&format!("no answer from {address}")), "{}", written.stderr);
    assert!(!written.stderr.contains("secret"), "{}", written.stderr);
}

#[test]
fn the_console_exporter_writes_json_lines_to_standard_output() {
    let child = isolated(|_| {
        let _guard = spanlog::builder().with_console(false).install().unwrap();
        work();
    });
    let Some(child) = child else { return };
    let written = child.run(&[("OTEL_LOGS_EXPORTER", "console"), ("OTEL_TRACES_EXPORTER", "none")]);
    let lines: Vec<_> = written.stdout.lines().filter(|line| line.contains("{\"resource")).collect();
    assert_eq!(lines.len(), 1, "{}", written.stdout);
    assert!(lines[0].contains("traceId") && !written.stderr.contains("working"));
}

/// Guarantees: with files alone no collector is needed, and a scoped default leaves the global one
/// alone.
#[test]
fn json_lines_files_need_no_collector() {
    let child = isolated(|_| {
        let directory = directory("files");
        let (dispatch, guard) = spanlog::builder().with_json_lines(&directory).build().unwrap();
        let ids = tracing::dispatcher::with_default(&dispatch, work);
        assert!(!tracing::dispatcher::get_default(|now| now.is::<tracing_subscriber::Registry>()));
        let outputs = guard.outputs();
        assert!(outputs.iter().all(|output| output.exporter == "json-lines"), "{outputs:?}");
        assert_eq!(guard.stats().delivered, 1);
        drop(guard);
        let logs = json_lines::read(&directory.join("logs.jsonl"));
        let record = &logs[0]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        assert_eq!(
            (record["traceId"].as_str().unwrap(), record["spanId"].as_str().unwrap()),
            (&*ids.0, &*ids.1)
        );
        let traces = json_lines::read(&directory.join("traces.jsonl"));
        assert_eq!(traces[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"], ids.1);
        std::fs::remove_dir_all(directory).unwrap();
    });
    let Some(child) = child else { return };
    child.run(&[]);
}

#[test]
fn a_logger_that_is_there_already_stays() {
    let child = isolated(|_| {
        struct Other;
        impl log::Log for Other {
            fn enabled(&self, _: &log::Metadata<'_>) -> bool {
                true
            }
            fn log(&self, record: &log::Record<'_>) {
                println!("other: {}", record.args());
            }
            fn flush(&self) {}
        }
        log::set_boxed_logger(Box::new(Other)).unwrap();
        log::set_max_level(log::LevelFilter::Info);
        let _guard = spanlog::builder().install().unwrap();
        log::info!("still here");
    });
    let Some(child) = child else { return };
    let (_, written) = child.run_with_receiver(&[]);
    assert!(written.stdout.contains("other: still here"), "{}", written.stdout);
    assert!(written.stderr.contains("the logger of the `log` crate"), "{}", written.stderr);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
