//! `assert_correlated!` and `assert_no_loss!`: when they pass, and what they say if not.

use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry::Context;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::testing::capture;
use spanlog::{assert_correlated, assert_no_loss};

use crate::failure;

#[test]
fn records_in_their_spans_are_correlated_however_they_are_logged() {
    let capture = capture();
    let span = tracing::info_span!("span");
    tracing::info!(parent: &span, "explicit parent");
    span.in_scope(|| {
        tracing::info!("inside");
        tracing::info!(parent: None, "explicitly outside");
        let tracer = opentelemetry::global::tracer("test");
        let api = tracer.start("of the API");
        let _attached = Context::current_with_span(api).attach();
        tracing::info!("in a span of the API");
    });
    tracing::info!("outside");
    assert_correlated!(capture);
    spanlog::assert_record!(capture, "in a span of the API", in_span("of the API"));
    spanlog::assert_record!(capture, "explicit parent", in_span("span"));
}

#[test]
fn nothing_to_check_is_a_failure() {
    let capture = capture();
    let said = failure(|| assert_correlated!(capture));
    assert!(
        said.starts_with("no record was logged in a span, so there is nothing to check\n\nno records\n"),
        "{said}"
    );
    let said = failure(|| assert_no_loss!(capture));
    assert_eq!(said, "nothing was captured, so there is nothing to check\n");
    tracing::info!("outside");
    assert_no_loss!(capture);
    let said = failure(|| assert_correlated!(capture));
    assert!(said.contains("1 record:\n  INFO  \"outside\"  outside any span\n"), "{said}");
}

/// Scenario: the code under test starts a span with a tracer provider of its own.
#[test]
fn records_of_unknown_spans_are_named() {
    let capture = capture();
    tracing::info_span!("known").in_scope(|| tracing::info!("right"));
    let other = SdkTracerProvider::builder().build();
    let tracer = other.tracer("other");
    {
        let _attached = Context::current_with_span(tracer.start("foreign")).attach();
        tracing::error!("wrong");
    }
    let said = failure(|| assert_correlated!(capture));
    let id = capture.record("wrong").span_id.unwrap().to_string();
    crate::document::assert_shows(&said.replace(&id, "77b2e8f4a0c1d935"));
}

/// Scenario: a span was started while telemetry was suppressed, so it has no ids.
#[test]
fn a_record_without_the_ids_of_its_span_is_named() {
    let capture = capture();
    let span = {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        let span = tracing::info_span!("never started");
        span.in_scope(|| ());
        span
    };
    tracing::info!(parent: &span, "without ids");
    assert_eq!(capture.record("without ids").span_id, None);
    let said = failure(|| assert_correlated!(capture));
    let expected = "  ✗ INFO \"without ids\": logged in the span \"never started\", but without ids\n";
    assert!(said.contains(expected), "{said}");
}

/// Guarantees: what the SDK drops from a span by its limits is a loss.
#[test]
fn what_limits_take_from_records_and_spans_is_told() {
    let capture = capture();
    let span = tracing::info_span!("crowded");
    span.in_scope(|| tracing::info!("kept"));
    for number in 0..200 {
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        span.set_attribute(format!("key {number}"), number);
    }
    drop(span);
    let said = failure(|| assert_no_loss!(capture));
    assert!(said.starts_with("telemetry was lost:\n  ✗ the span \"crowded\": "), "{said}");
    assert!(said.contains(" attributes, events and links dropped\n"), "{said}");
    let one = capture.span("crowded");
    assert!(one.dropped > 0 && one.attributes.len() < 200, "{}", one.dropped);
}

/// Scenario: a line is logged when the thread's locals are destroyed, as in `Drop` of one of them.
#[cfg(target_os = "linux")]
#[test]
fn an_event_without_a_record_is_told() {
    struct Logs;
    impl Drop for Logs {
        fn drop(&mut self) {
            tracing::info!("too late");
        }
    }
    thread_local! {
        static LOGS: Logs = const { Logs };
    }
    let capture = capture();
    let work = || {
        // Used first, destroyed last.
        LOGS.with(|_| ());
        tracing::info!("in time");
    };
    std::thread::spawn(work).join().unwrap();
    assert_eq!(crate::messages(&capture), ["in time"]);
    let said = failure(|| assert_no_loss!(capture));
    assert!(said.starts_with("telemetry was lost:\n  ✗ the event at tests/testing/checks.rs:"), "{said}");
    assert!(said.contains(" made no record\n"), "{said}");
}
