//! A panic is one FATAL record where it happened.

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fmt, fs, panic, thread};

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use serde_json::Value;
use spanlog::{job, op, trace, JobMetadata};

use crate::http::{ok, response, Act, Receiver};
use crate::json_lines::{attribute, items};
use crate::process::{directory, isolated, Isolated};
use crate::{finish, work, LONG};

fn fatal_records(directory: &std::path::Path) -> Vec<Value> {
    let mut records = items(&directory.join("logs.jsonl"), ["resourceLogs", "scopeLogs", "logRecords"]);
    records.retain(|record| record["severityNumber"] == 21);
    records
}

fn exception(span: &Value) -> String {
    let events = span["events"].as_array().cloned().unwrap_or_default();
    let exception = events.iter().find(|event| event["name"] == "exception");
    exception.map_or(String::new(), |event| attribute(event, "exception.message"))
}

/// Panics inside an op inside a span of `trace`, inside a job.
fn fail_in_a_job() {
    job::scope(JobMetadata::new("job-1", "execution-1"), || {
        let cx = trace::with_tracer(&Context::current(), trace::TracingTracer::new());
        let (_cx, _span) = trace::start_span(&cx, "outer");
        let _: Result<(), String> = op::run("helm", "upgrade", [], || panic!("no {}", "release"));
    });
}

/// Guarantees: a panic in an op of a job is one FATAL record with the ids and stamps of that place, its
/// message and location, also where it is caught and resumed; the spans that it ends have the message;
/// and the hook that was there before is called.
#[test]
fn a_panic_is_one_fatal_record_where_it_happened() {
    let child = isolated(|part| {
        let before = Arc::new(AtomicUsize::new(0));
        let calls = before.clone();
        panic::set_hook(Box::new(move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
        }));
        let directory = directory("panics");
        let builder = spanlog::builder().with_json_lines(&directory).with_sdk_logs(part == "sdk");
        let guard = builder.install().unwrap();
        // A second one makes no second record.
        spanlog::PanicHook::new().set();
        let caught = catch_unwind(|| {
            let caught = catch_unwind(fail_in_a_job);
            resume_unwind(caught.unwrap_err());
        });
        assert!(caught.is_err());
        thread::spawn(|| panic!("elsewhere")).join().unwrap_err();
        work();
        finish(&guard);
        assert_eq!(before.load(Ordering::SeqCst), 2);

        let records = fatal_records(&directory);
        let spans = items(&directory.join("traces.jsonl"), ["resourceSpans", "scopeSpans", "spans"]);
        let op = spans.iter().find(|span| span["name"] == "helm.upgrade").unwrap();
        let [inside, elsewhere] = &records[..] else { panic!("{records:#?}") };
        for key in ["traceId", "spanId"] {
            assert_eq!(inside[key], op[key]);
        }
        for (key, value) in [
            ("exception.type", "panic"),
            ("exception.message", "no release"),
            ("code.file.path", file!()),
            ("runner_job.id", "job-1"),
            ("nuon.tool", "helm"),
            ("nuon.op", "upgrade"),
        ] {
            assert_eq!(attribute(inside, key), value, "{key}");
        }
        assert!(attribute(inside, "code.line.number").parse::<u32>().unwrap() > 1);
        assert_eq!(inside["body"]["stringValue"], "panicked: no release");
        assert_eq!(attribute(inside, "exception.stacktrace").is_empty(), part != "backtrace");
        assert_eq!(attribute(elsewhere, "exception.message"), "elsewhere");
        assert_eq!(attribute(elsewhere, "runner_job.id"), "");
        for span in ["helm.upgrade", "outer"] {
            let span = spans.iter().find(|found| found["name"] == span).unwrap();
            assert_eq!(exception(span), "no release");
            assert_eq!(attribute(span, "error.type"), "panic");
            assert_eq!(span["status"]["code"], 2);
        }
        assert_eq!(exception(spans.iter().find(|span| span["name"] == "step").unwrap()), "");
        fs::remove_dir_all(directory).unwrap();
    });
    if let Some(child) = child {
        // The console leaves it to the hook before, which is silent here.
        assert!(!child.part("direct").run(&[]).stderr.contains("no release"));
        child.part("sdk").run(&[]);
        child.part("backtrace").run(&[("RUST_LIB_BACKTRACE", "1"), ("RUST_BACKTRACE", "1")]);
    }
}

/// Guarantees: an op has the message of the panic that ended it, and not of one that was caught inside.
#[test]
fn an_op_has_the_message_of_its_own_panic() {
    let child = isolated(|_| {
        let directory = directory("panics-own");
        let guard = spanlog::builder().with_json_lines(&directory).install().unwrap();
        let ended = catch_unwind(|| {
            op::run("helm", "upgrade", [], || -> Result<(), String> {
                let _ = catch_unwind(|| panic!("caught inside"));
                resume_unwind(Box::new("of another thread"))
            })
        });
        assert!(ended.is_err());
        finish(&guard);
        let spans = items(&directory.join("traces.jsonl"), ["resourceSpans", "scopeSpans", "spans"]);
        assert_eq!(exception(&spans[0]), "of another thread");
        fs::remove_dir_all(directory).unwrap();
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Guarantees: a diagnostics hook that panics stops no delivery, and no line of the program fails.
#[test]
fn a_diagnostics_hook_that_panics_stops_no_delivery() {
    let child = isolated(|_| {
        let refused = response(400, &[], b"no");
        let receiver = Receiver::scripted([Act::Send(refused), ok(), ok()]);
        spanlog::set_diagnostics(|_| panic!("in the hook")).unwrap();
        let guard =
            spanlog::builder().with_endpoint(receiver.url()).with_panic_hook(false).install().unwrap();
        tracing::info!("lost");
        assert!(guard.flush(LONG).is_err());
        tracing::info!("delivered");
        guard.flush(LONG).unwrap();
        assert_eq!(receiver.records().len(), 2);
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Panics while it is formatted.
struct Broken;

impl fmt::Debug for Broken {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in a Debug")
    }
}

/// Panics when a span ends.
#[derive(Debug)]
struct BrokenProcessor;

impl SpanProcessor for BrokenProcessor {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        assert!(span.name != "broken", "in a processor");
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Guarantees: a panic in a value of an event, in a span processor, and while an export is under way,
/// is one record, too, and nothing hangs.
#[test]
fn a_panic_is_one_record_wherever_it_comes_from() {
    let child = isolated(|part| {
        let directory = directory("panics-anywhere");
        let builder = spanlog::builder().with_json_lines(&directory).with_sdk_logs(part == "sdk");
        // The console formats values itself, and lets a panic of theirs through.
        let builder = builder.with_console(false).with_span_processor(BrokenProcessor);
        let guard = builder.install().unwrap();
        let _span = tracing::info_span!("around").entered();
        tracing::info!(value = ?Broken, "an event");
        drop(tracing::info_span!("broken"));
        thread::scope(|scope| {
            scope.spawn(|| (0..20).for_each(|_| drop(guard.flush(LONG))));
            let _ = catch_unwind(AssertUnwindSafe(|| panic!("during an export")));
        });
        finish(&guard);
        let mut messages: Vec<_> =
            fatal_records(&directory).iter().map(|record| attribute(record, "exception.message")).collect();
        messages.sort_unstable();
        assert_eq!(messages, ["during an export", "in a Debug", "in a processor"]);
        fs::remove_dir_all(directory).unwrap();
    });
    if let Some(child) = child {
        child.part("direct").run(&[]);
        child.part("sdk").run(&[]);
    }
}

/// A function that cannot unwind.
extern "C" fn cannot_unwind() {
    panic!("the last words")
}

/// Panics when its thread ends.
struct BrokenLocal;

impl Drop for BrokenLocal {
    fn drop(&mut self) {
        panic!("at the end of a thread")
    }
}

thread_local! {
    static LOCAL: BrokenLocal = const { BrokenLocal };
}

/// Guarantees: where std aborts the process, what was logged before, and the panic's record, are
/// delivered first. The guard and the destructors of the process are not needed.
#[test]
fn a_process_that_aborts_delivers_before() {
    let child = isolated(|part| {
        let directory = env::temp_dir().join(env::var("SPANLOG_TEST_DIRECTORY").unwrap());
        let builder = spanlog::builder().with_json_lines(&directory).with_sdk_logs(part == "sdk");
        let guard = builder.with_sdk_spans(part == "sdk").install().unwrap();
        work();
        if part == "destructor" {
            // Destroyed after what the record would need.
            thread::spawn(|| LOCAL.with(|_| tracing::info!("used"))).join().unwrap();
        }
        cannot_unwind();
        drop(guard);
    });
    let Some(child) = child else { return };
    let cannot_unwind = &["the last words", "panic in a function that cannot unwind"][..];
    // Nothing can be logged once a thread's locals are gone.
    for (part, expected) in [("direct", cannot_unwind), ("sdk", cannot_unwind), ("destructor", &[])] {
        let directory = directory("aborted");
        let Isolated { test, .. } = &child;
        let output = Command::new(env::current_exe().unwrap())
            .args([test.as_str(), "--exact", "--nocapture", "--test-threads=1"])
            .env("SPANLOG_TEST_PART", part)
            .env("SPANLOG_TEST_DIRECTORY", &directory)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let messages: Vec<_> =
            fatal_records(&directory).iter().map(|record| attribute(record, "exception.message")).collect();
        assert_eq!(messages, expected, "{part}");
        let spans = items(&directory.join("traces.jsonl"), ["resourceSpans", "scopeSpans", "spans"]);
        assert_eq!(spans.len(), 1, "{part}");
        fs::remove_dir_all(directory).unwrap();
    }
}
