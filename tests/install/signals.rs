//! Real signals.
#![cfg(unix)]

use std::io::{BufReader, Lines};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use serde_json::Value;
use spanlog::{job, op, JobMetadata};
use tokio::signal::unix::{signal, SignalKind};

use crate::http::{ok, Act, Receiver};
use crate::json_lines::{attribute, items};
use crate::otlp::body;
use crate::process::{directory, isolated, Isolated};

/// A child process that runs a part of a test until a signal ends it.
struct Stopped {
    child: Child,
    /// Open to the end, or the test's own last line would fail.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Stopped {
    /// Returns when the part has printed `ready`.
    fn start(test: &Isolated, variables: &[(&str, &str)]) -> Self {
        let (child, lines) = test.start_until_ready(variables);
        Self { child, _lines: lines }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is inside an op of a step of a job when the signal comes.
fn work_for_ever() {
    let execution = job::execution(JobMetadata::new("job-1", "execution-1"), "deploy");
    let _: Result<(), String> = execution.in_scope(|| {
        execution.step("plan").run(|| {
            op::run("terraform", "plan", [], || {
                tracing::info!("planning");
                println!("ready");
                loop {
                    thread::park();
                }
            })
        })
    });
}

/// Guarantees: SIGTERM and SIGINT deliver what was logged; the job, its step and its op end as
/// cancelled, with the signal's name, before the report is written; and the process ends by the signal.
#[test]
fn a_signal_delivers_and_cancels_what_was_running() {
    let child = isolated(|_| {
        let directory = env::var("SPANLOG_TEST_DIRECTORY").unwrap();
        let guard = spanlog::builder().with_json_lines(&directory).install().unwrap();
        let report = format!("{directory}/report");
        let write = move |name: &str| fs::write(report, name).unwrap();
        guard.on_signals_with(Duration::from_secs(10), write).unwrap();
        work_for_ever();
    });
    let Some(child) = child else { return };
    for (name, number) in [("TERM", 15), ("INT", 2)] {
        let directory = directory("signals");
        let variables = [("SPANLOG_TEST_DIRECTORY", directory.to_str().unwrap())];
        let mut stopped = Stopped::start(&child, &variables);
        stopped.signal(name);
        assert_eq!(stopped.wait().signal(), Some(number));
        assert_eq!(fs::read_to_string(directory.join("report")).unwrap(), format!("SIG{name}"));
        let records = items(&directory.join("logs.jsonl"), ["resourceLogs", "scopeLogs", "logRecords"]);
        assert_eq!(records[0]["body"]["stringValue"], "planning");
        let spans = items(&directory.join("traces.jsonl"), ["resourceSpans", "scopeSpans", "spans"]);
        let names: Vec<&Value> = spans.iter().map(|span| &span["name"]).collect();
        assert_eq!(names, ["terraform.plan", "step.plan", "job.deploy"]);
        for span in &spans {
            assert_eq!(attribute(span, "op.outcome"), "cancelled");
            assert_eq!(attribute(span, "op.signal"), format!("SIG{name}"));
        }
        fs::remove_dir_all(directory).unwrap();
    }
}

/// Guarantees: a second signal ends the process while the first still waits for a receiver.
#[test]
fn a_second_signal_ends_the_process_at_once() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        guard.on_signals_with(Duration::from_secs(600), |_| {}).unwrap();
        work_for_ever();
    });
    let Some(child) = child else { return };
    let receiver = Receiver::acting(|_| Act::Silence);
    let mut stopped = Stopped::start(&child, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url())]);
    stopped.signal("TERM");
    thread::sleep(Duration::from_millis(500));
    assert!(stopped.child.try_wait().unwrap().is_none());
    stopped.signal("TERM");
    assert_eq!(stopped.wait().signal(), Some(15));
}

/// Guarantees: the same in a tokio program that handles the signal itself, as the README shows it: what
/// was running is dropped.
#[test]
fn a_tokio_program_ends_what_was_running_as_cancelled() {
    let child = isolated(|_| {
        let directory = env::var("SPANLOG_TEST_DIRECTORY").unwrap();
        let guard = spanlog::builder().with_json_lines(&directory).install().unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let execution = job::execution(JobMetadata::new("job-1", "execution-1"), "deploy");
            let work = async {
                let op = op::start("terraform", "plan", []);
                op.instrument(async {
                    println!("ready");
                    std::future::pending::<Result<(), String>>().await
                })
                .await
            };
            let mut terminate = signal(SignalKind::terminate()).unwrap();
            tokio::select! {
                biased;
                _ = terminate.recv() => execution.cancel("SIGTERM"),
                result = execution.in_scope_async(work) => execution.end(&result),
            }
        });
        assert!(guard.shutdown(Duration::from_secs(10)).is_complete());
    });
    let Some(child) = child else { return };
    let directory = directory("signals-tokio");
    let mut stopped = Stopped::start(&child, &[("SPANLOG_TEST_DIRECTORY", directory.to_str().unwrap())]);
    stopped.signal("TERM");
    assert!(stopped.wait().success());
    let spans = items(&directory.join("traces.jsonl"), ["resourceSpans", "scopeSpans", "spans"]);
    let found: Vec<_> = spans
        .iter()
        .map(|span| {
            (span["name"].as_str().unwrap(), attribute(span, "op.outcome"), attribute(span, "op.signal"))
        })
        .collect();
    let cancelled = |name, signal: &str| (name, "cancelled".to_owned(), signal.to_owned());
    assert_eq!(found, [cancelled("terraform.plan", ""), cancelled("job.deploy", "SIGTERM")]);
    fs::remove_dir_all(directory).unwrap();
}

/// Guarantees: a function that panics before the delivery does not prevent it; and a guard that is dropped
/// meanwhile waits for it.
#[test]
fn neither_a_panic_nor_the_end_of_main_stops_the_delivery_of_a_signal() {
    let child = isolated(|part| {
        let guard = spanlog::builder().install().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let before = move |_: &str| {
            sender.send(()).unwrap();
            panic!("before the delivery");
        };
        guard.on_signals_with(Duration::from_secs(10), before).unwrap();
        tracing::info!("the last");
        println!("ready");
        receiver.recv().unwrap();
        if part == "returns" {
            thread::sleep(Duration::from_millis(50));
            drop(guard);
        } else {
            loop {
                thread::park();
            }
        }
    });
    let Some(child) = child else { return };
    for part in ["stays", "returns"] {
        let receiver = Receiver::acting(|_| Act::Later(Duration::from_millis(400), Box::new(ok())));
        let variables =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url()), ("OTEL_TRACES_EXPORTER", "none".to_owned())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let mut stopped = Stopped::start(&child.part(part), &variables);
        stopped.signal("TERM");
        stopped.wait();
        let bodies: Vec<_> = receiver.records().iter().map(|(_, record)| body(record).to_owned()).collect();
        assert!(bodies.contains(&"the last".to_owned()), "{part}: {bodies:?}");
    }
}
