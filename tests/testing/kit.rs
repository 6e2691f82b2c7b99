//! What a capture has: records and spans as data.

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::trace::{SpanKind, Status};
use spanlog::testing::capture;
use spanlog::{job, op, JobMetadata};
use tracing::Level;

use crate::{failure, messages};

#[test]
fn a_record_has_the_fields_of_its_event() {
    let before = std::time::SystemTime::now();
    let capture = capture();
    tracing::warn!(
        name: "disk.full", target: "disk",
        text = "a", number = -3, float = 0.5, flag = true, wide = u64::MAX, debug = ?[1, 2],
        "disk is full",
    );
    let record = capture.record("disk is full");
    assert_eq!(
        (record.severity, &*record.target, &*record.event_name),
        (Severity::Warn, "disk", "disk.full")
    );
    assert!(record.time >= before && record.time <= std::time::SystemTime::now());
    assert_eq!((record.trace_id, record.span_id, record.job_id()), (None, None, None));
    let keys: Vec<_> = record.attributes.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["text", "number", "float", "flag", "wide", "debug"]);
    assert_eq!((record.text("text"), record.integer("number")), (Some("a"), Some(-3)));
    assert_eq!((record.text("number"), record.integer("text"), record.text("none")), (None, None, None));
    assert_eq!(record.attribute("float"), Some(&AnyValue::Double(0.5)));
    assert_eq!(record.attribute("flag"), Some(&AnyValue::Boolean(true)));
    assert_eq!(record.text("wide"), Some("18446744073709551615"));
    assert_eq!(record.text("debug"), Some("[1, 2]"));
}

#[test]
fn a_span_has_ids_parent_status_attributes_and_events() {
    let capture = capture();
    let outer = tracing::info_span!("outer", host = "a");
    let result = outer.in_scope(|| {
        op::run("terraform", "plan", [], || Err::<(), _>(std::io::Error::other("no such workspace")))
    });
    assert!(result.is_err());
    let (parent, span) = (capture.span("outer"), capture.span("terraform.plan"));
    assert_eq!((parent.parent_span_id, span.parent_span_id), (None, Some(parent.span_id)));
    assert_eq!((span.trace_id, span.kind.clone()), (parent.trace_id, SpanKind::Internal));
    assert_eq!(span.status, Status::error("no such workspace"));
    assert_eq!((span.text("nuon.tool"), parent.text("host")), (Some("terraform"), Some("a")));
    let message = span.events[0].attribute("exception.message");
    assert_eq!(message, Some(&AnyValue::from("no such workspace")));
    assert!(span.end.unwrap() >= span.start);
    assert_eq!(parent.end, None, "its handle is still there");
    drop(outer);
    assert!(capture.span("outer").end.is_some());
    let names: Vec<_> = capture.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["outer", "terraform.plan"], "in the order of their starts");
}

#[test]
fn records_and_spans_have_their_job() {
    let capture = capture();
    let execution = job::execution(JobMetadata::new("job-1", "exec-1"), "deploy");
    execution.in_scope(|| tracing::info!("inside"));
    tracing::info!("outside");
    assert_eq!(capture.record("inside").job_id(), Some("job-1"));
    assert_eq!(capture.record("outside").job_id(), None);
    assert_eq!(capture.span("job.deploy").job_id(), Some("job-1"));
}

#[test]
fn a_level_limits_what_is_kept_and_by_default_all_is() {
    let all = capture();
    tracing::trace!("trace");
    log::debug!("of log");
    assert_eq!(messages(&all), ["trace", "of log"]);
    drop(all);
    let some = capture().with_level(Level::INFO);
    tracing::debug!("debug");
    tracing::info!("info");
    tracing::error!("error");
    assert_eq!(messages(&some), ["info", "error"]);
    spanlog::assert_no_loss!(some);
}

#[test]
fn one_record_or_span_means_one() {
    let capture = capture();
    for _ in 0..2 {
        tracing::info_span!("twice").in_scope(|| tracing::info!("twice"));
    }
    assert!(failure(|| drop(capture.record("none"))).starts_with("no record \"none\"\n"));
    assert!(failure(|| drop(capture.record("twice"))).starts_with("2 records \"twice\", and not one\n"));
    assert!(failure(|| drop(capture.span("none"))).starts_with("no span \"none\"\n"));
    assert!(failure(|| drop(capture.span("twice"))).starts_with("2 spans \"twice\", and not one\n"));
}

/// Guarantees: a panic is a record with the ids of its place, as `install` makes it.
#[test]
fn a_panic_is_a_record() {
    let capture = capture();
    let span = tracing::info_span!("risky");
    failure(|| span.in_scope(|| panic!("{}", "on purpose")));
    let record = capture.records().into_iter().find(|record| record.severity == Severity::Fatal).unwrap();
    assert_eq!(record.text("exception.message"), Some("on purpose"));
    assert_eq!(record.span_id, Some(capture.span("risky").span_id));
}
