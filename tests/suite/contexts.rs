//! Contract §4 and §5: an op's context is a value. Attached elsewhere, or given to `trace`, it brings
//! the op's ids, job and attributes.

use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use spanlog::op::Op;
use spanlog::{job, op, trace, JobMetadata};

use super::trace::{ids, Back};
use crate::fixture::seen::Seen;
use crate::fixture::spans::{remote_span, REMOTE_SPAN, REMOTE_TRACE};
use crate::fixture::{self, Arrangement, Fixture};

fn each(test: impl FnMut(&Fixture)) {
    fixture::each(Arrangement::with_spans(), test);
}

fn start(tool: &'static str, job_id: &'static str) -> Op {
    job::scope(JobMetadata::new(job_id, "e"), || op::start(tool, "plan", [KeyValue::new("workspace", tool)]))
}

/// Requires that the record has everything of the op that [`start`] made.
fn assert_is_of(record: &Seen, op: &Op, tool: &str, job_id: &str) {
    assert_eq!(record.ids, ids(&op.context()), "{record:?}");
    for (key, value) in
        [("nuon.tool", tool), ("nuon.op", "plan"), ("workspace", tool), ("runner_job.id", job_id)]
    {
        assert_eq!(record.text(key), Some(value), "{key} of {record:?}");
    }
}

/// Runs `say` where nothing is current, inside another op, and on another thread.
fn in_three_places(other: &Op, say: impl Fn(&str) + Sync) {
    say("outside");
    job::scope(JobMetadata::new("other", "e"), || other.in_scope(|| say("in another op")));
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    std::thread::scope(|threads| {
        threads.spawn(|| tracing::dispatcher::with_default(&dispatch, || say("on another thread")));
    });
}

const PLACES: [&str; 3] = ["outside", "in another op", "on another thread"];

#[test]
fn an_attached_context_of_an_op_gives_its_ids_job_and_attributes() {
    each(|fixture| {
        let (own, other) = (start("terraform", "j"), start("helm", "other"));
        let cx = own.context();
        in_three_places(&other, |place| {
            let attached = cx.clone().attach();
            tracing::warn!("{place}");
            tracing::warn!("{place}");
            own.set("later", 1);
            tracing::warn!("{place}, later");
            drop(attached);
            tracing::warn!("{place}, before and after");
        });
        for place in PLACES {
            let records = fixture.records();
            let said: Vec<_> = records.iter().filter(|record| record.body_text() == place).collect();
            assert_eq!(said.len(), 2);
            said.iter().for_each(|record| assert_is_of(record, &own, "terraform", "j"));
            let later = fixture.record(&format!("{place}, later"));
            assert_is_of(&later, &own, "terraform", "j");
            assert!(later.keys().contains(&"later"));
        }
        assert_is_of(&fixture.record("in another op, before and after"), &other, "helm", "other");
        for place in ["outside", "on another thread"] {
            let record = fixture.record(&format!("{place}, before and after"));
            assert_eq!((record.ids, record.keys()), (None, vec![]));
        }
    });
}

#[test]
fn a_job_scope_inside_an_attached_context_counts() {
    each(|fixture| {
        let own = start("terraform", "j");
        let _attached = own.context().attach();
        job::scope(JobMetadata::new("inner", "e"), || tracing::warn!("inside"));
        let record = fixture.record("inside");
        assert_eq!((record.ids, record.text("runner_job.id")), (ids(&own.context()), Some("inner")));
        assert_eq!(record.text("nuon.tool"), Some("terraform"));
    });
}

#[test]
fn a_logger_of_an_ops_context_logs_in_that_op_wherever_it_is_used() {
    each(|fixture| {
        let (own, other) = (start("terraform", "j"), start("helm", "other"));
        let logger = trace::logger(&own.context());
        in_three_places(&other, |place| {
            logger.with_field("k", 1).warn(place);
            trace::logger(&other.context()).warn(&format!("{place}: the other's"));
        });
        for place in PLACES {
            let record = fixture.record(place);
            assert_is_of(&record, &own, "terraform", "j");
            assert!(record.keys().contains(&"k"));
            assert_is_of(&fixture.record(&format!("{place}: the other's")), &other, "helm", "other");
        }
    });
}

#[test]
fn spans_started_from_an_ops_context_are_its_children_and_their_entries_have_its_attributes() {
    for back in [Back::Otel, Back::Tracing] {
        fixture::each(Arrangement::with_sampled_span_layer(), |fixture| {
            let (own, other) = (start("terraform", "j"), start("helm", "other"));
            in_three_places(&other, |place| {
                let cx = back.with_tracer(&own.context(), fixture);
                let (cx, span) = trace::start_span(&cx, place);
                trace::logger(&cx).warn(place);
                span.end();
            });
            for place in PLACES {
                let span = fixture.span(place);
                let parent = (span.span_context.trace_id(), span.parent_span_id);
                assert_eq!(Some(parent), ids(&own.context()), "{back:?}");
                let record = fixture.record(place);
                assert_eq!(record.ids, Some((parent.0, span.span_context.span_id())));
                for (key, value) in [("nuon.tool", "terraform"), ("runner_job.id", "j")] {
                    assert_eq!(record.text(key), Some(value), "{back:?} {place}");
                }
            }
        });
    }
}

/// Scenario: a context has a span that nothing of this crate started, and another is current.
#[test]
fn a_logger_belongs_to_the_span_of_its_context_and_never_to_the_current_one() {
    each(|fixture| {
        let current = tracing::info_span!("current", secret = 1);
        let remote = Context::new().with_remote_span_context(remote_span());
        let api = Context::new().with_span(fixture.tracer.start("api"));
        current.in_scope(|| {
            trace::logger(&remote).warn("remote");
            trace::logger(&api).warn("api");
        });
        let record = fixture.record("remote");
        assert_eq!((record.ids, record.keys()), (Some((REMOTE_TRACE, REMOTE_SPAN)), vec![]));
        assert_eq!(fixture.record("api").ids, ids(&api));
    });
}

/// Guarantees: the logger of a `trace` span does not take over an op that was started inside it.
#[test]
fn an_op_inside_a_trace_span_has_its_own_logger() {
    for back in [Back::Otel, Back::Tracing] {
        each(|fixture| {
            let (cx, span) = trace::start_span(&back.context(fixture), "outer");
            let cx = span.with_field(&cx, "pod", "web-0");
            let _attached = cx.attach();
            let own = start("terraform", "j");
            trace::logger(&own.context()).warn("said");
            assert_is_of(&fixture.record("said"), &own, "terraform", "j");
            span.end();
        });
    }
}
