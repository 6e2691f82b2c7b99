//! Contract §5, away from where a span was started: under another subscriber or none, from another
//! context, in a span of another back end.

use opentelemetry::trace::TraceContextExt;
use opentelemetry::Context;
use spanlog::op;
use spanlog::trace;

use super::trace::{each, ids, Back};
use crate::fixture::spans::{remote_span, REMOTE_SPAN};
use crate::fixture::USUAL;

/// Guarantees: a span that was started too early is a no-op, and entries in its context are still
/// records.
#[test]
fn a_span_from_before_there_was_a_subscriber_silences_nothing() {
    for back in [Back::Otel, Back::Tracing] {
        let fixture = USUAL.build();
        let (cx, early) = trace::start_span(&back.context(&fixture), "early");
        let cx = early.with_field(&cx, "k", 1);
        fixture.run(|| {
            trace::logger(&cx).info("said");
            let (inner, child) = trace::start_span(&cx, "child");
            trace::logger(&inner).info("said in a child");
            child.end();
            let around = tracing::info_span!("around");
            around.in_scope(|| trace::start_span(&cx, "inside").1.end());
            early.end();
            let parent = if back == Back::Tracing { fixture.ids_of(&around) } else { ids(&cx) };
            assert_eq!(
                Some(fixture.span("inside").parent_span_id),
                parent.map(|(_, span_id)| span_id),
                "{back:?}"
            );
            assert_eq!(fixture.record("said").ids, ids(&cx), "{back:?}");
            assert_eq!(fixture.record("said").keys(), ["k"], "{back:?}");
            assert_eq!(fixture.record("said in a child").ids, ids(&inner), "{back:?}");
            assert!(inner.has_active_span() && fixture.span("child").events.len() == 1);
        });
    }
}

/// Scenario: a span of one subscriber is used, and given up, on threads that have another one, or
/// none.
///
/// Guarantees: a tracing span stays with its own. Its children and entries are there, and closing
/// it touches no span of the other subscriber, which may have the same id.
#[test]
fn a_tracing_span_lives_and_is_closed_in_its_own_subscriber() {
    let (home, abroad) = (USUAL.build(), USUAL.build());
    let (cx, span) = home.run(|| trace::start_span(&Back::Tracing.context(&home), "span"));
    let use_it = |body: &str| {
        let (inner, child) = trace::start_span(&cx, "child");
        trace::logger(&inner).info(body);
        assert_eq!(home.record(body).ids, ids(&inner));
        child.end();
    };
    abroad.run(|| {
        let theirs = tracing::info_span!("theirs", own = 1);
        use_it("under another subscriber");
        tracing::info!(parent: &theirs, "theirs is there");
        assert_eq!(abroad.record("theirs is there").keys(), ["own"]);
    });
    std::thread::scope(|threads| {
        threads.spawn(|| use_it("under no subscriber"));
    });
    span.end();
    drop(span);
    abroad.run(|| drop(cx));
    assert_eq!(home.bodies(), ["under another subscriber", "under no subscriber"]);
    assert_eq!(abroad.bodies(), ["theirs is there"]);
    let children: Vec<_> = home.spans().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(children, ["child", "child", "span"]);
    let parent = home.span("span").span_context.span_id();
    assert!(home.spans().iter().filter(|own| own.name == "child").all(|own| own.parent_span_id == parent));
    // `theirs` belongs to its subscriber only, and nothing else closed it.
    assert_eq!(abroad.span("theirs").events.len(), 0);
}

/// Guarantees: an entry of an API span goes to the subscriber of the thread that it is made on.
#[test]
fn an_entry_of_an_api_span_goes_to_the_subscriber_of_its_thread() {
    let (one, two) = (USUAL.build(), USUAL.build());
    let (cx, span) = one.run(|| trace::start_span(&Back::Otel.context(&one), "span"));
    two.run(|| trace::logger(&cx).info("said"));
    span.end();
    assert!(one.records().is_empty());
    assert_eq!(two.record("said").ids, ids(&cx));
    assert_eq!(one.span("span").events.len(), 1);
}

/// Guarantees: a span whose context names a remote span inherits nothing from the current one.
#[test]
fn entries_of_a_span_from_elsewhere_inherit_nothing_of_the_current_one() {
    each(|fixture, back| {
        tracing::info_span!("unrelated", secret = 1).in_scope(|| {
            let top = back.context(fixture);
            let (inside, outer) = trace::start_span(&top, "outer");
            // Also where the context comes from a span that is here.
            for (cx, name) in [(top, "span"), (inside, "span of another context")] {
                let (cx, span) = trace::start_span(&cx.with_remote_span_context(remote_span()), name);
                trace::logger(&cx).info(name);
                span.end();
                let record = fixture.record(name);
                assert!(record.attributes.is_empty(), "{record:?}");
                assert_eq!(fixture.span(name).parent_span_id, REMOTE_SPAN);
            }
            outer.end();
        });
    });
}

/// Guarantees: spans of one back end inside those of the other are their children, and entries are
/// each of their own. Only what is around an API span is not inherited by a tracing span in it: to
/// `tracing` that is a root.
#[test]
fn back_ends_can_be_mixed() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let op = op::start("helm", "upgrade", []);
        let mut cx = op.in_scope(Context::current);
        let mut started = Vec::new();
        for (back, name, tool) in [
            (Back::Tracing, "1", Some("helm")),
            (Back::Otel, "2", Some("helm")),
            (Back::Tracing, "3", None),
            (Back::Otel, "4", Some("helm")),
        ] {
            let top = back.with_tracer(&cx, &fixture);
            let (inner, span) = op.in_scope(|| trace::start_span(&top, name));
            trace::logger(&inner).info(name);
            let record = fixture.record(name);
            assert_eq!((record.ids, record.text("nuon.tool")), (ids(&inner), tool), "{name}");
            started.push((name, span, ids(&cx)));
            cx = inner;
        }
        for (name, span, parent) in started {
            span.end();
            let own = fixture.span(name);
            assert_eq!(Some((own.span_context.trace_id(), own.parent_span_id)), parent, "{name}");
            assert_eq!(own.events.len(), 1, "{name}");
        }
    });
}
