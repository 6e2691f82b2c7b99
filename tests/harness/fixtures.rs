//! Assertions about records and spans.

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;

use crate::assert_fails;
use crate::fixture::{attributes, within, Arrangement, Seen, Spans, USUAL};
use crate::process::isolated;

#[test]
fn a_record_must_be_there_once() {
    let fixture = USUAL.build();
    fixture.run(|| tracing::info!("one"));
    fixture.record("one");
    assert_fails("no record \"two\"", || drop(fixture.record("two")));
    fixture.run(|| tracing::info!("one"));
    assert_fails("two records \"one\"", || drop(fixture.record("one")));
}

#[test]
fn a_span_must_be_there_once() {
    let fixture = USUAL.build();
    fixture.run(|| drop(tracing::info_span!("one").entered()));
    fixture.span("one");
    assert_fails("no span \"two\"", || drop(fixture.span("two")));
    fixture.run(|| drop(tracing::info_span!("one").entered()));
    assert_fails("two spans \"one\"", || drop(fixture.span("one")));
}

#[test]
fn a_record_must_be_in_its_span_and_no_other() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let (one, two) = (tracing::info_span!("one"), tracing::info_span!("two"));
        one.in_scope(|| tracing::info!("in one"));
        two.in_scope(|| tracing::info!("in two"));
        tracing::info!("in none");
        fixture.assert_in_span("in one", &one);
        fixture.assert_no_ids("in none");
        assert_fails("left: Some", || fixture.assert_in_span("in two", &one));
        assert_fails("left: None", || fixture.assert_in_span("in none", &one));
        assert_fails("left: Some", || fixture.assert_no_ids("in one"));
    });
}

/// Guarantees: a record without ids is not in a span without ids.
#[test]
fn nothing_is_not_equal_to_nothing() {
    let fixture = Arrangement { spans: Spans::None, ..USUAL }.build();
    fixture.run(|| {
        let span = tracing::info_span!("of no tracer");
        span.in_scope(|| tracing::info!("in it"));
        fixture.assert_no_ids("in it");
        assert_fails("the span has no ids", || fixture.assert_in_span("in it", &span));
    });
}

/// Guarantees: the sampled flag is compared, too.
#[test]
fn a_record_of_a_sampled_span_says_so() {
    let mut fixture = USUAL.build();
    let span = fixture.run(|| tracing::info_span!("span"));
    fixture.run(|| span.in_scope(|| tracing::info!("in it")));
    fixture.assert_in_span("in it", &span);
    fixture.arrangement.sampled = false;
    assert_fails("right: Some(false)", || fixture.assert_in_span("in it", &span));
}

#[test]
fn a_key_must_not_be_there_twice_and_a_text_must_be_one() {
    let fixture = USUAL.build();
    fixture.run(|| tracing::info!(number = 1, text = "one", "x"));
    let mut record = fixture.record("x");
    assert_eq!((record.text("text"), record.text("missing")), (Some("one"), None));
    assert_fails("number is no text", || drop(record.text("number").map(str::to_owned)));
    let first = record.attributes[0].clone();
    record.attributes.push(first);
    assert_fails("number is there twice", || drop(record.get("number").cloned()));
    record.body = Some(AnyValue::Int(1));
    assert_fails("no text in the body", || drop(record.body_text().to_owned()));

    fixture.run(|| drop(tracing::info_span!("span", key = 1)));
    let mut span = fixture.span("span");
    let first = span.attributes[0].clone();
    attributes(&span);
    span.attributes.push(first);
    assert_fails("is twice on span", || drop(attributes(&span)));
}

/// Guarantees: direct records with invalid ids do not pass for records without ids.
#[test]
fn ids_of_a_direct_record_must_be_whole_and_valid() {
    let seen = |trace_id: &[u8], span_id: &[u8]| {
        let (trace_id, span_id) = (trace_id.to_vec(), span_id.to_vec());
        let record = LogRecord { trace_id, span_id, ..LogRecord::default() };
        let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        Seen::of_request(&ExportLogsServiceRequest { resource_logs }.encode_to_vec()).remove(0).ids
    };
    let context = SpanContext::new(1.into(), 2.into(), TraceFlags::SAMPLED, false, TraceState::default());
    let ids = (context.trace_id(), context.span_id());
    assert_eq!(seen(&ids.0.to_bytes(), &ids.1.to_bytes()), Some(ids));
    assert_eq!(seen(&[], &[]), None);
    for (trace_id, span_id) in [(&[1; 15][..], &[1; 8][..]), (&[1; 16], &[1; 7]), (&[0; 16], &[0; 8])] {
        assert_fails("assertion", || assert_eq!(seen(trace_id, span_id), None));
    }
}

/// Guarantees: assertions need not name the arrangement.
#[test]
fn a_test_that_fails_prints_its_arrangement() {
    let child = isolated(|_| {
        let _fixture = USUAL.build();
        panic!("on purpose");
    });
    let Some(child) = child else { return };
    assert_fails("failed in [SpanFirst spans:Ours", || drop(child.run(&[])));
}

#[test]
fn what_hangs_and_what_panics_fails() {
    assert_eq!(within(20, "quick", || 7), 7);
    assert_fails("slow: hangs", || {
        within(0, "slow", || std::thread::sleep(std::time::Duration::from_secs(1)))
    });
    assert_fails("on its thread", || within(20, "panics", || panic!("on its thread")));
}
