//! A whole installation, in a process that ends without its guard.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{self, Command};
use std::time::Duration;

use spanlog::{job, op, JobMetadata};

use crate::http::Receiver;
use crate::otlp::{attributes, body};
use crate::port::Reserved;
use crate::process::{directory, isolated, part, Isolated};

fn install(url: &str, spool: &str) -> spanlog::Guard {
    spanlog::builder().with_endpoint(url).with_spool(spool).with_service_name("runner").install().unwrap()
}

fn work() {
    let execution = job::execution(JobMetadata::new("job-1", "execution-1"), "deploy");
    let done: Result<(), String> = execution.in_scope(|| {
        op::run("terraform", "plan", [], || {
            tracing::info!("planning");
            Ok(())
        })
    });
    execution.end(&done);
}

fn end(how: &str) {
    let (url, spool) = (env::var("URL").unwrap(), env::var("SPOOL").unwrap());
    let guard = install(&url, &spool);
    if how == "inside" {
        let execution = job::execution(JobMetadata::new("job-1", "execution-1"), "deploy");
        execution.in_scope(|| {
            let step = execution.step("plan");
            step.in_scope(|| {
                let ended: Result<(), String> = op::run("terraform", "init", [], || Ok(()));
                ended.unwrap();
                let _op = op::start("terraform", "plan", []);
                process::abort();
            });
        });
    }
    work();
    if how == "next" {
        let report = guard.shutdown(Duration::from_secs(30));
        assert!(report.to_string().contains("otlp got 2 of 2 logs"), "{report}");
        return;
    }
    std::mem::forget(guard);
    match how {
        "exit" => process::exit(0),
        "abort" => process::abort(),
        signal => {
            let own = process::id().to_string();
            Command::new("kill").args(["-s", signal, &own]).status().unwrap();
            // A signal may take a moment.
            loop {
                std::thread::park();
            }
        }
    }
}

/// Runs a part of the test in a process of its own. Returns whether it succeeded.
fn run(test: &Isolated, part: &str, url: &str, spool: &Path) -> bool {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test.test.as_str(), "--exact", "--nocapture"]).env("SPANLOG_TEST_PART", part);
    command.env("URL", url).env("SPOOL", spool).output().unwrap().status.success()
}

/// Guarantees: however the process ends, the next one sends its records and spans, with the ids that connect
/// them.
#[test]
fn whatever_ends_the_process_the_next_one_sends_it() {
    let Some(test) = isolated(|how: &str| {
        end(how);
    }) else {
        return;
    };
    assert!(part().is_none());
    for how in ["exit", "abort", "TERM", "KILL"] {
        let spool = directory("installed");
        let away = Reserved::new();
        assert_eq!(run(&test, how, &format!("http://{}", away.address), &spool), how == "exit", "{how}");
        let receiver = Receiver::start();
        assert!(run(&test, "next", &receiver.url(), &spool), "{how}");
        let records = receiver.records();
        let spans = receiver.spans();
        let planning: Vec<_> = records.iter().filter(|(_, record)| body(record) == "planning").collect();
        let ops: Vec<_> = spans.iter().filter(|(_, span)| span.name == "terraform.plan").collect();
        assert_eq!((planning.len(), ops.len(), spans.len()), (2, 2, 4), "{how}: of both processes");
        let ids: BTreeSet<_> = ops.iter().map(|(_, span)| &span.span_id).collect();
        for (_, record) in planning {
            assert!(ids.contains(&record.span_id), "{how}");
            assert!(attributes(&record.attributes).values().any(|value| value == "execution-1"), "{how}");
        }
        let _ = fs::remove_dir_all(spool.parent().unwrap());
    }
}

/// Scenario: the process ends inside an op of a step of an execution.
///
/// Guarantees: the next process closes all three as interrupted, not before they had started, with the parents
/// that they had; what had ended is not touched. The graph shows it as an outcome of its own.
#[test]
fn what_was_running_is_closed_as_interrupted() {
    let Some(test) = isolated(|how: &str| {
        end(how);
    }) else {
        return;
    };
    let spool = directory("interrupted");
    let away = Reserved::new();
    let begun = crate::killed::nanos();
    assert!(!run(&test, "inside", &format!("http://{}", away.address), &spool));
    let ended = crate::killed::nanos();
    let receiver = Receiver::start();
    run(&test, "next", &receiver.url(), &spool);
    let mut spans = receiver.spans();
    spans.retain(|(_, span)| span.start_time_unix_nano <= ended);
    let find = |name: &str| {
        let found: Vec<_> = spans.iter().filter(|(_, span)| span.name == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        &found[0].1
    };
    let (job, step, plan) = (find("job.deploy"), find("step.plan"), find("terraform.plan"));
    assert_eq!((&step.parent_span_id, &plan.parent_span_id), (&job.span_id, &step.span_id));
    for span in [job, step, plan] {
        assert_eq!(attributes(&span.attributes)["op.outcome"], "interrupted");
        assert_eq!(span.status.as_ref().unwrap().code, 2);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano >= begun);
        assert!(span.end_time_unix_nano <= ended, "{}", span.name);
    }
    assert!(!attributes(&find("terraform.init").attributes).contains_key("op.outcome"));
    assert_eq!(fs::read_dir(spool.join("otlp")).unwrap().count(), 0, "nothing stays behind");
    #[cfg(feature = "graph")]
    {
        let mut reader = spanlog::graph::Reader::new();
        for request in receiver.requests().iter().filter(|request| request.path() == "/v1/traces") {
            reader.read("request", &*request.body).unwrap();
        }
        let text = reader.graph().to_text();
        assert!(
            text.lines().any(|line| line.contains("terraform plan") && line.contains("interrupted")),
            "{text}"
        );
    }
    let _ = fs::remove_dir_all(spool.parent().unwrap());
}
