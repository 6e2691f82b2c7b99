//! How a child can end, and how its op reports it.

use std::time::Duration;

use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use spanlog::op::Command;

use crate::fixture::{attributes, USUAL};
use crate::support::{gone, kill, sh};

/// The one `exception` event's message.
fn exception(span: &SpanData) -> String {
    let events: Vec<_> = span.events.iter().filter(|event| event.name == "exception").collect();
    assert_eq!(events.len(), 1, "{span:#?}");
    let mut attributes = events[0].attributes.iter();
    attributes.find(|attribute| attribute.key.as_str() == "exception.message").unwrap().value.to_string()
}

#[track_caller]
fn assert_red(span: &SpanData, message: &str) {
    assert_eq!(span.status, Status::error(message.to_owned()));
    assert_eq!(exception(span), message);
    assert_eq!(attributes(span)["error.type"], "spanlog::error::Error");
    assert!(!attributes(span).contains_key("op.outcome"));
}

#[test]
fn success_leaves_the_status_unset() {
    let fixture = USUAL.build();
    let output = fixture.block_on(|| sh("exit 0").run()).unwrap();
    assert!(output.success() && output.status().success());
    assert_eq!((output.exit_code(), output.signal()), (Some(0), None));
    let span = fixture.only_span();
    assert_eq!(span.status, Status::Unset);
    assert!(span.events.is_empty());
    let attributes = attributes(&span);
    assert_eq!(attributes["process.exit.code"], "0");
    for key in ["error.type", "op.outcome", "process.exit.signal"] {
        assert!(!attributes.contains_key(key), "{key}");
    }
}

#[test]
fn an_exit_code_is_an_error_and_red() {
    let fixture = USUAL.build();
    let error = fixture.block_on(|| sh("echo before; exit 3").run()).unwrap_err();
    assert_eq!(error.to_string(), "sh exited with code 3");
    assert!(error.is_program() && !error.is_timeout());
    assert_eq!((error.exit_code(), error.signal()), (Some(3), None));
    assert_red(&fixture.only_span(), "sh exited with code 3");
    assert_eq!(fixture.attributes()["process.exit.code"], "3");
    assert_eq!(fixture.bodies(), ["before"]);
}

#[test]
fn a_signal_is_an_error_and_red() {
    let fixture = USUAL.build();
    let error = fixture.block_on(|| sh("kill -9 $$").run()).unwrap_err();
    assert_eq!(error.to_string(), "sh was killed by signal 9");
    assert!(error.is_program());
    assert_eq!((error.exit_code(), error.signal()), (None, Some(9)));
    assert_red(&fixture.only_span(), "sh was killed by signal 9");
    let attributes = fixture.attributes();
    assert_eq!(attributes["process.exit.signal"], "9");
    assert!(!attributes.contains_key("process.exit.code"));
}

#[test]
fn output_leaves_a_failed_child_to_its_caller_but_red() {
    let fixture = USUAL.build();
    let output = fixture.block_on(|| sh("echo x; exit 3").output()).unwrap();
    assert_eq!((output.success(), output.exit_code(), output.stdout_lines()), (false, Some(3), 1));
    assert_red(&fixture.only_span(), "sh exited with code 3");
    let error = output.into_result().unwrap_err();
    assert_eq!(error.to_string(), "sh exited with code 3");

    let fixture = USUAL.build();
    let output = fixture.block_on(|| sh("kill -15 $$").output()).unwrap();
    assert_eq!((output.exit_code(), output.signal()), (None, Some(15)));
    assert_red(&fixture.only_span(), "sh was killed by signal 15");
}

#[test]
fn a_missing_program_is_an_error_with_its_name_and_red() {
    for is_run in [true, false] {
        let fixture = USUAL.build();
        let command = Command::new("no-such-tool").arg("plan");
        let error = match is_run {
            true => fixture.block_on(|| command.run()).unwrap_err(),
            false => fixture.block_on(|| command.output()).unwrap_err(),
        };
        let text = "no-such-tool could not be started: No such file or directory (os error 2)";
        assert_eq!(error.to_string(), text);
        assert!(error.is_program() && !error.is_timeout());
        assert_eq!((error.exit_code(), error.signal()), (None, None));
        let span = fixture.only_span();
        assert_eq!(span.name, "no-such-tool.plan");
        assert_red(&span, text);
        assert!(!attributes(&span).contains_key("process.pid"));
    }
}

#[test]
fn a_missing_directory_is_named() {
    let fixture = USUAL.build();
    let error = fixture.block_on(|| sh("true").current_dir("no/such/place").run()).unwrap_err();
    let text = "sh could not be started in no/such/place: No such file or directory (os error 2)";
    assert_eq!(error.to_string(), text);
    assert_red(&fixture.only_span(), text);
}

#[test]
fn an_argument_that_no_program_can_have_is_an_error() {
    let fixture = USUAL.build();
    let error = fixture.block_on(|| Command::new("echo").arg("a\0b").run()).unwrap_err();
    assert!(error.to_string().starts_with("echo could not be started: "), "{error}");
    assert_eq!(fixture.only_span().name, "echo.run");
}

#[test]
fn beyond_its_time_limit_a_child_is_killed_and_the_op_timed_out() {
    for is_run in [true, false] {
        let fixture = USUAL.build();
        let error = fixture.block_on(|| async {
            let command = sh(r"printf 'started\nunfinished'; exec sleep 1000");
            let command = command.time_limit(Duration::from_millis(200));
            let error = match is_run {
                true => command.run().await.unwrap_err(),
                false => command.output().await.unwrap_err(),
            };
            // Killed and reaped, so that not even a zombie is left.
            let pid = fixture.attributes()["process.pid"].clone();
            assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
            error
        });
        assert_eq!(error.to_string(), "sh took longer than its limit of 200ms");
        assert!(error.is_program() && error.is_timeout());
        assert_eq!((error.exit_code(), error.signal()), (None, None));
        let span = fixture.only_span();
        assert_eq!(span.status, Status::error("sh took longer than its limit of 200ms"));
        assert_eq!(exception(&span), "sh took longer than its limit of 200ms");
        let attributes = attributes(&span);
        assert_eq!(attributes["op.outcome"], "timed_out");
        assert_eq!(attributes["error.type"], "timeout");
        assert_eq!(attributes["process.exit.signal"], "9");
        assert_eq!(fixture.bodies(), ["started", "unfinished"]);
    }
}

#[test]
fn a_time_limit_ends_the_run_even_if_a_grandchild_lives_on() {
    let fixture = USUAL.build();
    let script = "sleep 1000 & echo $!; wait";
    let error = fixture.block_on(|| sh(script).time_limit(Duration::from_millis(200)).run()).unwrap_err();
    kill(&fixture.bodies()[0]);
    assert!(error.is_timeout());
    assert_eq!(fixture.attributes()["op.command.left_open"], "true");
}

#[test]
fn a_time_limit_that_is_not_reached_changes_nothing() {
    let fixture = USUAL.build();
    for limit in [Duration::from_secs(100), Duration::MAX] {
        let output = fixture.block_on(|| sh("echo done").time_limit(limit).run()).unwrap();
        assert_eq!(output.stdout_lines(), 1);
    }
}

#[test]
fn dropped_it_is_cancelled_and_the_child_killed() {
    let fixture = USUAL.build();
    fixture.block_on(|| async {
        fixture.drop_when_logged(sh("echo started; exec sleep 1000").run(), "started").await;
        gone(&fixture.attributes()["process.pid"]).await;
    });
    let span = fixture.only_span();
    assert_eq!(span.status, Status::Unset);
    assert_eq!(attributes(&span)["op.outcome"], "cancelled");
    assert!(span.events.is_empty());
}

#[test]
fn dropped_before_it_was_polled_it_is_cancelled_and_never_started() {
    let fixture = USUAL.build();
    fixture.block_on(|| async { drop(sh("echo started").run()) });
    let attributes = fixture.attributes();
    assert_eq!(attributes["op.outcome"], "cancelled");
    assert!(!attributes.contains_key("process.pid"));
    assert!(fixture.records().is_empty());
}

#[test]
fn a_panic_on_the_way_is_the_ops_outcome_and_kills_the_child() {
    let fixture = USUAL.build();
    fixture.block_on(|| async {
        let run = sh("echo started; exec sleep 1000").run();
        // The op is in the fixture's subscriber, its lines go to this one. tokio catches the panic.
        let default = tracing::dispatcher::set_default(&tracing::Dispatch::new(Panicking));
        let error = tokio::spawn(run).await.unwrap_err();
        drop(default);
        assert!(error.is_panic());
        gone(&fixture.attributes()["process.pid"]).await;
    });
    assert_eq!(fixture.attributes()["op.outcome"], "panicked");
    assert_eq!(fixture.only_span().status, Status::error("a subscriber's"));
}

/// A subscriber that panics on events.
struct Panicking;

impl tracing::Subscriber for Panicking {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        panic!("a subscriber's");
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
