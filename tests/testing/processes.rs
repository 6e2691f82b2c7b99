//! What needs a process of its own: unattributed records, environment variables, the subscriber.

use std::time::Duration;

use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::{global, Context};
use spanlog::testing::{capture, set_keys};
use spanlog::{assert_no_loss, job, JobMetadata, Keys};

use crate::lineage::Pool;
use crate::process::isolated;
use crate::{failure, messages};

/// Scenario: a pool from before the captures logs and starts spans, outside any span of a test.
///
/// Guarantees: no capture gets that, not even the only one; all count it, and the check names it.
#[test]
fn what_is_of_no_test_is_counted_and_given_to_none() {
    let child = isolated(|_| {
        let pool = Pool::new();
        pool.run(|| tracing::info!("before"));
        let only = capture();
        tracing::info!("own");
        assert_no_loss!(only);
        pool.run(|| tracing::info!("of the pool"));
        assert_eq!((messages(&only), only.unattributed()), (vec!["own".to_owned()], 1));
        crate::document::assert_shows(&failure(|| assert_no_loss!(only)));

        let second = std::thread::scope(|scope| scope.spawn(capture).join().unwrap());
        pool.run(|| {
            let span = tracing::info_span!("span of the pool");
            span.in_scope(|| tracing::info!("in it"));
        });
        assert_eq!((only.unattributed(), second.unattributed()), (3, 2), "a span and a record each");
        assert!(second.records().is_empty() && second.spans().is_empty() && only.spans().is_empty());
        let said = failure(|| assert_no_loss!(second));
        assert!(said.contains("  the span \"span of the pool\" on thread without a name\n"), "{said}");
        assert!(said.contains("  the record \"in it\" on thread without a name\n"), "{said}");
        drop((only, second));
        let third = capture();
        assert_eq!(third.unattributed(), 0);
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Scenario: tests without a capture log: on their own thread, and in their runtime.
///
/// Guarantees: that fails no other test, but a failure shows it.
#[test]
fn what_other_tests_log_is_not_counted_but_shown() {
    let child = isolated(|_| {
        // The harness starts its tests from a thread that does not capture, either.
        let (harness, shared) = (Pool::new(), std::sync::Arc::new(Pool::new()));
        let capture = capture();
        tracing::info!("own");
        let named = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let name = name.to_owned();
            harness.run(move || std::thread::Builder::new().name(name).spawn(work).unwrap().join().unwrap());
        };
        named("tests::other", Box::new(|| tracing::info!("of a test")));
        let in_runtime = || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            runtime.block_on(async { tokio::spawn(async { tracing::info!("of a task") }).await.unwrap() });
        };
        named("tests::with_tokio", Box::new(in_runtime));
        assert_eq!((messages(&capture), capture.unattributed()), (vec!["own".to_owned()], 0));
        assert_no_loss!(capture);
        let said = failure(|| drop(capture.record("of a task")));
        assert!(said.contains("2 without a capture, of other tests or of what tests share:\n"), "{said}");
        assert!(said.contains("  the record \"of a test\" on thread tests::other\n"), "{said}");
        // What they start is theirs, and so are their spans.
        let on_thread = || {
            tracing::info!("first");
            std::thread::spawn(|| tracing::info!("of its thread")).join().unwrap();
        };
        if cfg!(target_os = "linux") {
            named("tests::with_thread", Box::new(on_thread));
        }
        let in_spans = move || {
            let created = tracing::info_span!("created");
            let of_api = Context::current_with_span(global::tracer("test").start("of the API"));
            shared.run(move || {
                created.in_scope(|| tracing::info!("in a span of a test"));
                let _attached = of_api.attach();
                tracing::info!("in another span of a test");
            });
        };
        named("tests::with_spans", Box::new(in_spans));
        assert_eq!((messages(&capture), capture.unattributed()), (vec!["own".to_owned()], 0));
        assert!(capture.spans().is_empty());
        named("pool-1", Box::new(|| tracing::info!("of a pool")));
        assert_eq!(capture.unattributed(), 1, "that is no name of a test");
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Scenario: a runtime that two tests share, each on a thread of its own.
#[test]
fn a_runtime_that_tests_share_belongs_to_neither_while_both_capture() {
    let child = isolated(|_| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let log = |message: &'static str| async move {
            tokio::spawn(async move { tracing::info!("{message}") }).await.unwrap();
        };
        runtime.block_on(async {
            let one = capture();
            log("alone").await;
            let other = std::thread::scope(|scope| {
                scope.spawn(|| runtime.block_on(async { capture() })).join().unwrap()
            });
            log("together").await;
            assert_eq!((messages(&one), messages(&other)), (vec!["alone".to_owned()], vec![]));
            assert_eq!((one.unattributed(), other.unattributed()), (1, 1));
            drop(one);
            log("the other alone").await;
            assert_eq!(messages(&other), ["the other alone"]);
        });
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Scenario: two tasks of one runtime capture, so that each may run on either's thread.
#[test]
fn captures_of_two_tasks_get_what_is_in_their_spans() {
    let child = isolated(|_| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(2));
        let test = |name: &'static str| {
            let barrier = barrier.clone();
            runtime.spawn(async move {
                let capture = capture();
                barrier.wait().await;
                tracing::info!("outside");
                tracing::info_span!("inside").in_scope(|| tracing::info!("{name}"));
                barrier.wait().await;
                assert!(
                    capture.records().is_empty() && capture.spans().is_empty(),
                    "spans have no other owner"
                );
                assert_eq!(capture.unattributed(), 6);
                capture.in_scope(|| tracing::info_span!("inside").in_scope(|| tracing::info!("{name}")));
                assert_eq!(messages(&capture), [name]);
                barrier.wait().await;
            })
        };
        let tests = ["one", "two"].map(test);
        for test in tests {
            runtime.block_on(test).unwrap();
        }
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Guarantees: a failure has the line of the test, not one of the kit.
#[test]
fn failures_have_the_place_of_the_assertion() {
    use std::sync::{Arc, Mutex};
    let child = isolated(|_| {
        let capture = capture();
        tracing::info!("twice");
        tracing::info!("twice");
        let place = Arc::new(Mutex::new(None));
        let of_hook = place.clone();
        std::panic::set_hook(Box::new(move |info| {
            *of_hook.lock().unwrap() = info.location().map(|at| (at.file().to_owned(), at.line()));
        }));
        let checks: [(&dyn Fn(), u32); 6] = [
            (&|| drop(spanlog::assert_record!(capture, "none")), line!()),
            (&|| spanlog::assert_correlated!(capture), line!()),
            (&|| drop(capture.record("none")), line!()),
            (&|| drop(capture.record("twice")), line!()),
            (&|| drop(capture.span("none")), line!()),
            (&|| assert_no_loss!(spanlog::testing::capture()), line!()),
        ];
        for (check, line) in checks {
            failure(check);
            assert_eq!(place.lock().unwrap().take(), Some((file!().to_owned(), line)));
        }
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Guarantees: `RUST_LOG` and the sampler's variable change nothing.
#[test]
fn the_environment_filters_nothing() {
    let child = isolated(|_| {
        let capture = capture();
        tracing::debug_span!("span").in_scope(|| tracing::trace!("trace"));
        assert_eq!(messages(&capture), ["trace"]);
        spanlog::assert_correlated!(capture);
        assert_no_loss!(capture);
    });
    let Some(child) = child else { return };
    child.run(&[]);
    child.run(&[("RUST_LOG", "error"), ("OTEL_TRACES_SAMPLER", "always_off")]);
    child.run(&[("RUST_LOG", "off"), ("OTEL_SDK_DISABLED", "true")]);
}

/// Guarantees: a failure names the record whose attributes or values the limits have cut.
#[test]
fn what_the_limits_of_records_take_is_told() {
    let child = isolated(|_| {
        let capture = capture();
        tracing::info!(short = "abc", "whole");
        assert_no_loss!(capture);
        job::scope(JobMetadata::new("a long job id", "exec-1"), || {
            tracing::info!(text = "abcdefgh", more = "x", "cut");
        });
        let record = capture.record("cut");
        assert_eq!((record.truncated_values, record.dropped_attributes), (1, 1));
        assert_eq!((record.text("text"), record.job_id()), (Some("abcde"), Some("a long job id")));
        let said = failure(|| assert_no_loss!(capture));
        assert!(said.contains("  ✗ the record \"cut\": 1 attributes dropped by the count limit\n"), "{said}");
        assert!(said.contains("  ✗ the record \"cut\": 1 values truncated to the length limit\n"), "{said}");
        assert!(!said.contains("✗ the record \"whole\""), "{said}");
    });
    let Some(child) = child else { return };
    child.run(&[
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5"),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "3"),
    ]);
}

#[test]
fn another_global_subscriber_is_a_clear_panic() {
    let child = isolated(|part| {
        match part {
            "install" => std::mem::forget(spanlog::builder().with_console(false).build().unwrap()),
            _ => tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap(),
        }
        if part == "install" {
            let capture = capture();
            assert!(spanlog::builder().install().unwrap_err().is_already_set());
            tracing::info!("captured");
            capture.record("captured");
            return;
        }
        for _ in 0..2 {
            let said = std::panic::catch_unwind(|| drop(capture())).expect_err("there is another one");
            let said = said.downcast_ref::<&str>().unwrap();
            assert!(said.starts_with("this process has a global subscriber already"), "{said}");
        }
    });
    let Some(child) = child else { return };
    child.part("other").run(&[]);
    child.part("install").run(&[("OTEL_LOGS_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", "none")]);
}

#[test]
fn keys_of_ones_own_name_the_job() {
    let child = isolated(|_| {
        set_keys(Keys::cicd());
        let capture = capture();
        set_keys(Keys::cicd());
        job::scope(JobMetadata::new("job-1", "exec-1"), || {
            tracing::info_span!("span").in_scope(|| tracing::info!("inside"));
        });
        spanlog::assert_record!(capture, "inside", in_job("job-1"), cicd.pipeline.run.id = "job-1");
        assert_eq!(capture.span("span").job_id(), Some("job-1"));
        let said = std::panic::catch_unwind(|| set_keys(Keys::nuon())).expect_err("there are others");
        assert!(said.downcast_ref::<&str>().unwrap().contains("captures with other keys"));
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Scenario: a scoped subscriber inside a test.
#[test]
fn a_scoped_subscriber_takes_what_is_logged_under_it() {
    let capture = capture();
    let (pipeline, requests) = spanlog::testing::pipeline();
    let scoped = {
        use tracing_subscriber::layer::SubscriberExt;
        tracing_subscriber::registry().with(spanlog::LogLayer::direct(pipeline.clone()))
    };
    tracing::subscriber::with_default(scoped, || tracing::info!("under it"));
    tracing::info!("outside");
    pipeline.flush(Duration::from_secs(20)).unwrap();
    assert_eq!((messages(&capture), requests.bytes().len()), (vec!["outside".to_owned()], 1));
}
