//! What belongs to a capture by its span and by its runtime.

use std::thread;

use opentelemetry::trace::{Span as _, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{global, Context};
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::testing::capture;
use spanlog::{assert_correlated, assert_no_loss, assert_record, job, op, task, JobMetadata};
use tracing::Instrument;

use crate::messages;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_tasks_and_nested_ones_belong_to_their_runtimes_test() {
    let capture = capture();
    let outer = tokio::spawn(async {
        tracing::info!("task");
        tokio::task::yield_now().await;
        let inner = tokio::spawn(async {
            tracing::info!("nested");
            tokio::task::spawn_blocking(|| tracing::info!("blocking in nested")).await
        });
        inner.await.unwrap().unwrap();
        tokio::task::block_in_place(|| tracing::info!("in place"));
    });
    outer.await.unwrap();
    tokio::task::spawn_blocking(|| tracing::info!("blocking")).await.unwrap();
    assert_eq!(messages(&capture), ["task", "nested", "blocking in nested", "in place", "blocking"]);
    assert!(capture.records().iter().all(|record| record.span_id.is_none()), "outside any span");
    assert_no_loss!(capture);
}

#[tokio::test]
async fn tasks_of_a_current_thread_runtime_belong_to_its_test() {
    let capture = capture();
    tokio::spawn(async { tracing::info!("task") }).await.unwrap();
    assert_eq!(messages(&capture), ["task"]);
}

/// Guarantees: a capture that a task makes goes with the task, whatever thread it is on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_can_be_made_in_a_task() {
    let task = tokio::spawn(async {
        let capture = capture();
        for number in 0..50 {
            tracing::info!(number, "step");
            tokio::task::yield_now().await;
        }
        tokio::spawn(async { tracing::info!("nested") }).await.unwrap();
        assert_eq!(capture.records().len(), 51);
        assert_no_loss!(capture);
    });
    task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_ops_and_spawned_work_are_correlated() {
    let capture = capture();
    let execution = job::execution(JobMetadata::new("job-1", "exec-1"), "deploy");
    let work = async {
        tracing::info!("started");
        let on_task = job::spawn(async { tracing::info!("on a task") });
        on_task.await.unwrap();
        let blocking = task::spawn_blocking(|| {
            op::run("git", "clone", [], || {
                tracing::info!("cloned");
                Ok::<_, std::io::Error>(())
            })
        });
        blocking.await.unwrap().unwrap();
        let child =
            tokio::spawn(async { tracing::info!("instrumented") }.instrument(tracing::info_span!("child")));
        child.await.unwrap();
        task::thread(|| tracing::info!("on a thread")).join().unwrap();
    };
    execution.in_scope_async(work).await;
    execution.end(&Ok::<_, std::io::Error>(()));
    for (message, span) in [
        ("started", "job.deploy"),
        ("on a task", "job.deploy"),
        ("cloned", "git.clone"),
        ("instrumented", "child"),
        ("on a thread", "job.deploy"),
    ] {
        let record = assert_record!(capture, message, in_span(span));
        assert_eq!(record.job_id().is_some(), message != "instrumented" || record.job_id() == Some("job-1"));
    }
    assert_correlated!(capture);
    assert_no_loss!(capture);
}

/// Scenario: a thread from before the capture, of which nothing but the span is known.
#[test]
fn a_span_takes_its_work_along_to_any_thread() {
    let pool = Pool::new();
    let capture = capture();
    // Entered for the first time on the other thread.
    let span = tracing::info_span!("carried");
    pool.run(move || {
        span.in_scope(|| {
            tracing::info!("in the span");
            tracing::info_span!("child").in_scope(|| tracing::info!("in its child"));
        });
    });
    assert_record!(capture, "in the span", in_span("carried"));
    assert_record!(capture, "in its child", in_span("child"));
    assert_correlated!(capture);
    assert_no_loss!(capture);
}

/// Guarantees: a server in the same process that continues a trace belongs to its client's test.
#[test]
fn a_context_that_is_propagated_within_the_process_is_of_the_same_test() {
    let pool = Pool::new();
    let capture = capture();
    let mut headers = std::collections::HashMap::<String, String>::new();
    let client = tracing::info_span!("client");
    client.in_scope(|| {
        global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&Context::current(), &mut headers)
        });
    });
    assert!(headers.contains_key("traceparent"), "{headers:?}");
    pool.run(move || {
        let parent = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
        let server = global::tracer("server").start_with_context("server", &parent);
        let _attached = parent.with_span(server).attach();
        tracing::info!("served");
    });
    assert_record!(capture, "served", in_span("server"));
    assert_eq!(capture.span("server").parent_span_id, Some(capture.span("client").span_id));
    assert_correlated!(capture);
    assert_no_loss!(capture);
}

/// Scenario: two tests have the same remote parent, as a constant in a request.
#[test]
fn tests_with_one_remote_trace_stay_apart() {
    let both = ["one", "two"].map(|name| {
        thread::spawn(move || {
            let capture = capture();
            let headers = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
            let headers = headers.map(|(key, value)| (key.to_owned(), value.to_owned()));
            let headers = std::collections::HashMap::from(headers);
            let parent = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
            {
                let _attached = parent.clone().attach();
                tracing::info!("before any span");
                let span = tracing::info_span!("request");
                span.in_scope(|| tracing::info!("{name}"));
            }
            assert_eq!(messages(&capture), ["before any span", name]);
            assert_eq!(capture.span("request").trace_id, parent.span().span_context().trace_id());
            assert_correlated!(capture);
        })
    });
    for test in both {
        test.join().unwrap();
    }
}

/// Guarantees: spans of another provider are no part of the capture, and their records are
/// uncorrelated.
#[test]
fn spans_of_another_provider_are_not_captured() {
    let capture = capture();
    let other = SdkTracerProvider::builder().build();
    let span = other.tracer("other").start("foreign");
    let id = span.span_context().span_id();
    {
        let _attached = Context::current_with_span(span).attach();
        tracing::info!("in a foreign span");
    }
    assert_eq!(capture.record("in a foreign span").span_id, Some(id));
    assert!(capture.spans().is_empty());
    let said = crate::failure(|| assert_correlated!(capture));
    assert!(said.contains(&format!("its span {id} is unknown")), "{said}");
}

/// A thread that does the work of others. Made before a capture, it is of none.
pub(crate) struct Pool(std::sync::mpsc::Sender<Box<dyn FnOnce() + Send>>);

impl Pool {
    pub(crate) fn new() -> Self {
        let (sender, work) = std::sync::mpsc::channel::<Box<dyn FnOnce() + Send>>();
        thread::spawn(move || work.into_iter().for_each(|work| work()));
        Self(sender)
    }

    /// Runs work on the thread, and waits for it.
    pub(crate) fn run(&self, work: impl FnOnce() + Send + 'static) {
        let (done, is_done) = std::sync::mpsc::channel();
        let work = move || {
            work();
            done.send(()).unwrap();
        };
        self.0.send(Box::new(work)).unwrap();
        is_done.recv().unwrap();
    }
}
