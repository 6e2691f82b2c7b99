//! Contract §5, where threads have subscribers of their own, or none.

use opentelemetry::trace::TraceContextExt;
use spanlog::trace;

use crate::support::{World, USUAL};
use crate::trace::{ids, Back};

fn bodies(world: &World) -> Vec<String> {
    world.records().iter().map(|record| record.body_text().to_owned()).collect()
}

/// Guarantees: a span that was started too early is none, and what is said in its context is said all the same.
#[test]
fn a_span_from_before_there_was_a_subscriber_silences_nothing() {
    for back in [Back::Otel, Back::Tracing] {
        let world = USUAL.build();
        let (cx, early) = trace::start_span(&back.context(&world), "early");
        let cx = early.with_field(&cx, "k", 1);
        world.run(|| {
            trace::logger(&cx).info("said");
            let (inner, child) = trace::start_span(&cx, "child");
            trace::logger(&inner).info("said in a child");
            child.end();
            early.end();
            assert_eq!(world.record("said").ids, ids(&cx), "{back:?}");
            assert_eq!(world.record("said").keys(), ["k"], "{back:?}");
            assert_eq!(world.record("said in a child").ids, ids(&inner), "{back:?}");
            assert!(inner.has_active_span() && world.span("child").events.len() == 1);
        });
    }
}

/// Scenario: a span of one subscriber is used, and given up, on threads that have another one, or none.
///
/// Guarantees: a tracing span stays with its own. Its children and entries are there, and closing it touches no
/// span of the other subscriber, which may have the same id.
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
    assert_eq!(bodies(&home), ["under another subscriber", "under no subscriber"]);
    assert_eq!(bodies(&abroad), ["theirs is there"]);
    let children: Vec<_> = home.spans().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(children, ["child", "child", "span"]);
    let parent = home.span("span").span_context.span_id();
    assert!(home.spans().iter().filter(|own| own.name == "child").all(|own| own.parent_span_id == parent));
    // `theirs` is its subscriber's only, and was closed by nobody else.
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
