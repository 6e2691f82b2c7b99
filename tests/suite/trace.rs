//! Contract §5: spans, their contexts, fields and status. Each row on every back end, and on both
//! kinds of record. `trace_entries.rs` is about what entries become, `trace_loggers.rs` where they
//! go, `trace_layers.rs` other layers and jobs, `trace_elsewhere.rs` spans used away from where
//! they were started, `trace_values.rs` values.

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use spanlog::trace::{self, NopTracer, OtelTracer, TracingTracer};
use tracing::level_filters::LevelFilter;

use crate::fixture::spans::{ids_of, remote_span, REMOTE_SPAN, REMOTE_TRACE};
use crate::fixture::{attributes, Arrangement, Fixture, Spans, USUAL};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    Otel,
    Tracing,
}

impl Back {
    pub fn context(self, fixture: &Fixture) -> Context {
        self.with_tracer(&Context::current(), fixture)
    }

    pub fn with_tracer(self, cx: &Context, fixture: &Fixture) -> Context {
        match self {
            Self::Otel => trace::with_tracer(cx, OtelTracer::new(fixture.tracer.clone())),
            Self::Tracing => trace::with_tracer(cx, TracingTracer::new()),
        }
    }
}

/// A plain span layer copies tracing's events into spans, so with it `TracingTracer` promises less.
fn holds(back: Back, arrangement: &Arrangement) -> bool {
    back == Back::Otel || arrangement.spans == Spans::Ours
}

/// Every back end in every arrangement that shows entries of all levels.
pub fn each(test: impl FnMut(&Fixture, Back)) {
    let sampled = Arrangement::all().into_iter().filter(|it| it.sampled);
    each_of(at_all_levels(sampled), test);
}

pub fn at_all_levels(arrangements: impl IntoIterator<Item = Arrangement>) -> Vec<Arrangement> {
    let all = arrangements.into_iter();
    all.map(|arrangement| Arrangement { level: LevelFilter::TRACE, ..arrangement }).collect()
}

pub fn each_of(arrangements: Vec<Arrangement>, mut test: impl FnMut(&Fixture, Back)) {
    assert!(!arrangements.is_empty());
    for arrangement in arrangements {
        for back in [Back::Otel, Back::Tracing].into_iter().filter(|back| holds(*back, &arrangement)) {
            let _named = NamedOnFailure(back);
            let fixture = arrangement.build();
            fixture.run(|| test(&fixture, back));
        }
    }
}

/// Prints the back end if the test fails.
struct NamedOnFailure(Back);

impl Drop for NamedOnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed on {:?}", self.0);
        }
    }
}

pub fn ids(cx: &Context) -> Option<(TraceId, SpanId)> {
    let span = cx.span().span_context().clone();
    span.is_valid().then(|| (span.trace_id(), span.span_id()))
}

/// Name and attributes of a span's events.
pub fn events(fixture: &Fixture, span: &str) -> Vec<(String, Vec<(String, String)>)> {
    let texts = |attributes: &[KeyValue]| {
        attributes.iter().map(|own| (own.key.to_string(), own.value.to_string())).collect()
    };
    let span = fixture.span(span);
    span.events.iter().map(|event| (event.name.to_string(), texts(&event.attributes))).collect()
}

#[test]
fn a_started_span_lives_in_the_returned_context_and_is_a_child_of_the_one_given() {
    each(|fixture, back| {
        let top = back.context(fixture);
        let (cx, parent) = trace::start_span(&top, "parent");
        assert_ne!(ids(&cx), ids(&top));
        assert_eq!(ids(&top), None, "the given context is as it was");
        let (inner, child) = trace::start_span(&cx, "child");
        let (_, orphan) = trace::start_span(&top, "orphan");
        for span in [&child, &parent, &orphan] {
            span.end();
        }
        let own = |name| ids_of(&fixture.span(name));
        assert_eq!((ids(&cx), ids(&inner)), (Some(own("parent")), Some(own("child"))));
        assert_eq!(fixture.span("child").parent_span_id, own("parent").1);
        assert_eq!(own("child").0, own("parent").0);
        assert_eq!(fixture.span("orphan").parent_span_id, SpanId::INVALID);
        assert_ne!(own("orphan").0, own("parent").0);
    });
}

#[test]
fn whatever_else_a_context_carries_it_still_carries_with_the_span() {
    #[derive(Debug, PartialEq)]
    struct Own(u8);
    each(|fixture, back| {
        let cx = back.context(fixture).with_baggage([KeyValue::new("tenant", "t1")]).with_value(Own(7));
        let (cx, span) = trace::start_span(&cx, "span");
        let cx = span.with_field(&cx, "k", 1);
        assert_eq!(cx.get::<Own>(), Some(&Own(7)));
        assert_eq!(cx.baggage().get("tenant").map(|value| value.as_str()), Some("t1"));
    });
}

/// Guarantees: the OpenTelemetry API reaches the span through its context.
#[test]
fn the_span_in_the_context_is_the_started_one() {
    each(|fixture, back| {
        let (cx, span) = trace::start_span(&back.context(fixture), "span");
        assert!(cx.span().is_recording());
        cx.span().update_name("renamed");
        cx.span().set_attribute(KeyValue::new("k", 1));
        cx.span().add_event("happened", Vec::new());
        cx.span().add_link(SpanContext::NONE, vec![KeyValue::new("linked", true)]);
        cx.span().set_status(Status::error("no room"));
        cx.span().end();
        let own = fixture.span("renamed");
        assert_eq!(attributes(&own)["k"], "1");
        assert_eq!((own.events.len(), own.links.len()), (1, 1));
        assert_eq!(own.status, Status::error("no room"));
        span.end();
        assert_eq!(fixture.spans().len(), 1);
    });
}

#[test]
fn a_span_is_a_child_of_the_remote_or_current_span_that_its_context_names() {
    each(|fixture, back| {
        let elsewhere = tracing::info_span!("elsewhere");
        elsewhere.in_scope(|| {
            let (_, span) =
                trace::start_span(&back.context(fixture).with_remote_span_context(remote_span()), "remote");
            span.end();
        });
        let span = fixture.span("remote");
        assert_eq!((span.span_context.trace_id(), span.parent_span_id), (REMOTE_TRACE, REMOTE_SPAN));

        if fixture.arrangement.activation && fixture.arrangement.spans != Spans::None {
            let outer = tracing::info_span!("outer");
            outer.in_scope(|| trace::start_span(&back.context(fixture), "inside").1.end());
            let inside = fixture.span("inside");
            let own = (inside.span_context.trace_id(), inside.parent_span_id);
            assert_eq!(fixture.ids_of(&outer), Some(own));
        }
    });
}

/// Guarantees: without activation the `Context` does not name the current tracing span, and the
/// tracing back end still finds it.
#[test]
fn a_tracing_span_is_a_child_of_the_current_one_without_context_activation() {
    let fixture = Arrangement { activation: false, ..USUAL }.build();
    fixture.run(|| {
        let outer = tracing::info_span!("outer");
        outer.in_scope(|| trace::start_span(&Back::Tracing.context(&fixture), "inside").1.end());
        let inside = fixture.span("inside");
        assert_eq!(fixture.ids_of(&outer), Some((inside.span_context.trace_id(), inside.parent_span_id)));
    });
}

#[test]
fn with_tracer_is_used_for_that_context_and_its_children() {
    each(|fixture, back| {
        let (cx, parent) = trace::start_span(&back.context(fixture), "parent");
        let cx = parent.with_field(&cx, "k", 1);
        let (_, child) = trace::start_span(&cx, "child");
        let silent = trace::with_tracer(&cx, NopTracer::new());
        let (_, nothing) = trace::start_span(&silent, "nothing");
        nothing.end();
        child.end();
        parent.end();
        let names: Vec<_> = fixture.spans().into_iter().map(|span| span.name.into_owned()).collect();
        assert_eq!(names, ["child", "parent"]);
    });
}

#[test]
fn a_field_is_on_the_span_and_on_later_entries_of_that_contexts_logger_and_nowhere_else() {
    each(|fixture, back| {
        let top = back.context(fixture);
        let (cx, span) = trace::start_span(&top, "span");
        let (_, sibling) = trace::start_span(&top, "sibling");
        let with = span.with_fields(&cx, [("pod", "web-0"), ("zone", "a")]);
        trace::logger(&with).info("of the returned context");
        let (below, child) = trace::start_span(&with, "child");
        trace::logger(&below).info("of a child");
        trace::logger(&cx).info("of the context before");
        span.logger().info("of the span itself");
        sibling.logger().info("of a sibling");
        trace::logger(&top).info("of the context around");
        tracing::info!("of nobody");
        for span in [child, sibling, span] {
            span.end();
        }
        for (body, has) in [
            ("of the returned context", true),
            ("of a child", true),
            ("of the context before", false),
            ("of the span itself", false),
            ("of a sibling", false),
            ("of the context around", false),
            ("of nobody", false),
        ] {
            let record = fixture.record(body);
            let own = (record.text("pod"), record.text("zone"));
            let expected = if has { (Some("web-0"), Some("a")) } else { (None, None) };
            assert_eq!(own, expected, "{body}");
        }
        let own = attributes(&fixture.span("span"));
        assert_eq!((own["pod"].as_str(), own["zone"].as_str()), ("web-0", "a"));
        for name in ["sibling", "child"] {
            assert!(!attributes(&fixture.span(name)).contains_key("pod"), "{name}");
        }
    });
}

#[test]
fn the_last_value_of_a_key_wins_on_the_span_and_on_entries() {
    each(|fixture, back| {
        let (cx, span) = trace::start_span(&back.context(fixture), "span");
        let first = span.with_fields(&cx, [("phase", "pending"), ("pod", "web-0")]);
        let second = span.with_field(&first, "phase", "running");
        trace::logger(&first).info("first");
        trace::logger(&second).info("second");
        trace::logger(&second).with_field("phase", "of the entry").info("third");
        let third = span.with_field(&second, "pod", None::<&str>);
        trace::logger(&third).info("fourth");
        span.end();
        for (body, phase, pod) in [
            ("first", "pending", Some("web-0")),
            ("second", "running", Some("web-0")),
            ("third", "of the entry", Some("web-0")),
            ("fourth", "running", None),
        ] {
            let record = fixture.record(body);
            assert_eq!((record.text("phase"), record.text("pod")), (Some(phase), pod), "{body}");
        }
        // `attributes` fails on a duplicate key.
        let own = attributes(&fixture.span("span"));
        assert_eq!(own["phase"], "running");
        assert!(!own.contains_key("pod"));
    });
}

#[test]
fn the_status_is_ok_or_error_with_text_and_never_goes_back() {
    let error = |text| Some(std::io::Error::other(text));
    each(|fixture, back| {
        let cases = [
            ("unset", vec![], Status::Unset),
            ("ok", vec![None], Status::Ok),
            ("error", vec![error("no room")], Status::error("no room")),
            ("last error", vec![error("b"), error("a")], Status::error("a")),
            ("error, ok", vec![error("no room"), None], Status::Ok),
            ("ok, error", vec![None, error("too late")], Status::Ok),
        ];
        for (name, statuses, expected) in cases {
            let (_, span) = trace::start_span(&back.context(fixture), name);
            for status in &statuses {
                span.set_status(status.as_ref().map(|error| error as &dyn std::error::Error));
            }
            // An error entry does not set the status.
            span.logger().error("a line");
            span.end();
            assert_eq!(fixture.span(name).status, expected, "{name}");
        }
    });
}

#[test]
fn after_the_end_nothing_has_an_effect_and_entries_still_arrive_with_the_ids() {
    each(|fixture, back| {
        let (cx, span) = trace::start_span(&back.context(fixture), "span");
        let cx = span.with_field(&cx, "before", 1);
        span.end();
        span.end();
        span.set_status(Some(&std::io::Error::other("late")));
        let cx = span.with_field(&cx, "after", 2);
        trace::logger(&cx).info("late");
        let record = fixture.record("late");
        assert_eq!(record.ids, ids(&cx));
        assert_eq!(record.keys(), ["before", "after"]);
        let own = fixture.span("span");
        assert_eq!((own.status.clone(), own.events.len()), (Status::Unset, 0));
        assert!(attributes(&own).contains_key("before") && !attributes(&own).contains_key("after"));
    });
}

#[test]
fn a_span_that_nobody_ends_ends_when_nothing_refers_to_it() {
    each(|fixture, back| {
        let (mut cx, span) = trace::start_span(&back.context(fixture), "span");
        cx = span.with_field(&cx, "k", 1);
        let logger = trace::logger(&cx);
        drop(span);
        drop(cx);
        assert!(fixture.spans().is_empty());
        logger.info("still in it");
        drop(logger);
        assert_eq!(attributes(&fixture.span("span"))["k"], "1");
        assert_eq!(fixture.span("span").events.len(), 1);
    });
}
