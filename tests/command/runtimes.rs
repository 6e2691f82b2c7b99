//! Where a command can run.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tracing::instrument::WithSubscriber;

use crate::fixture::USUAL;
use crate::support::{ids, not_for_ever, sh};

#[test]
fn many_run_side_by_side_on_a_multi_thread_runtime() {
    let fixture = USUAL.build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let run = |number: usize| {
        let operation = format!("number-{number}");
        let script = format!("for i in 1 2 3; do echo {number}; sleep 0.01; done");
        tracing::dispatcher::with_default(&fixture.dispatch, || {
            let run = sh(&script).operation(operation).run();
            runtime.spawn(run.with_subscriber(fixture.dispatch.clone()))
        })
    };
    let runs: Vec<_> = (0..8).map(run).collect();
    for run in runs {
        assert_eq!(runtime.block_on(not_for_ever(run)).unwrap().unwrap().stdout_lines(), 3);
    }
    assert_eq!(fixture.records().len(), 24);
    for span in fixture.spans() {
        let number = span.name.strip_prefix("sh.number-").unwrap();
        let own: Vec<_> = fixture.records().into_iter().filter(|line| line.ids == ids(&span)).collect();
        assert_eq!(own.len(), 3, "{}", span.name);
        assert!(own.iter().all(|line| line.body_text() == number), "{own:?}");
    }
}

#[test]
fn the_future_can_go_anywhere() {
    fn assert_sendable<T: Send + 'static>(_: &T) {}
    let fixture = USUAL.build();
    fixture.block_on(|| async {
        let (run, output) = (sh("true").run(), sh("true").output());
        assert_sendable(&run);
        assert_sendable(&output);
    });
}

#[test]
fn outside_tokio_it_is_an_error() {
    let fixture = USUAL.build();
    let error = tracing::dispatcher::with_default(&fixture.dispatch, || {
        let run = pin!(sh("true").run());
        match run.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result.unwrap_err(),
            Poll::Pending => panic!("it waits for a runtime that is not there"),
        }
    });
    assert_eq!(error.to_string(), "sh could not be started: op::Command needs a tokio runtime");
    assert!(error.is_program());
    assert!(matches!(fixture.only_span().status, opentelemetry::trace::Status::Error { .. }));
}

#[test]
fn without_a_subscriber_it_runs_all_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let output = runtime.block_on(not_for_ever(sh("echo x").run())).unwrap();
    assert_eq!(output.stdout_lines(), 1);
}
