//! Where a command can run. `tests/testing/commands.rs` runs many on a multi-thread runtime.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::fixture::USUAL;
use crate::support::{not_for_ever, sh};

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
