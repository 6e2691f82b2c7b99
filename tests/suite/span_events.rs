//! Contract §2b: events are copied into spans on request, and only that: no status changes, and no
//! span grows without bound.

use std::cell::Cell;
use std::fmt;

use opentelemetry::trace::{Status, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SpanData;
use spanlog::trace::{self, TracingTracer};
use spanlog::{op, task, SpanLayer};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::trace::events;
use crate::fixture::spans::{kept_spans, remote_context, REMOTE_TRACE};
use crate::fixture::{self, attributes, within, Arrangement, Fixture, Hooks, USUAL};

const COPYING: Arrangement = Arrangement { span_events: LevelFilter::TRACE, ..USUAL };

fn copying(arrangements: Vec<Arrangement>) -> Vec<Arrangement> {
    let all = arrangements.into_iter();
    all.map(|arrangement| Arrangement { span_events: LevelFilter::TRACE, ..arrangement }).collect()
}

/// Runs `test` in each arrangement with our span layer, sampled, in which all events are copied.
fn each(test: impl FnMut(&Fixture)) {
    fixture::each(copying(Arrangement::with_sampled_span_layer()), test);
}

/// The names of a span's events.
fn names(span: &SpanData) -> Vec<&str> {
    span.events.iter().map(|event| &*event.name).collect()
}

#[test]
fn an_event_is_copied_into_the_span_that_it_belongs_to_in_order() {
    each(|fixture| {
        let never = tracing::info_span!("never entered");
        let outer = tracing::info_span!("outer");
        outer.in_scope(|| {
            tracing::info!("first");
            tracing::info!(parent: &never, "to a parent");
            tracing::info!(parent: None, "to nothing");
            let inner = tracing::info_span!("inner");
            inner.in_scope(|| {
                tracing::debug!("of inner");
                tracing::info!(parent: &outer, "second");
            });
            let child = tracing::info_span!(parent: &inner, "child");
            child.in_scope(|| tracing::warn!("of child"));
            task::thread(|| tracing::trace!("from a thread")).join().unwrap();
            tracing::info!(parent: &never, "once more");
            tracing::error!("last");
        });
        tracing::info!("outside");
        drop((outer, never));
        for (span, expected) in [
            ("never entered", &["to a parent", "once more"][..]),
            ("outer", &["first", "second", "from a thread", "last"]),
            ("inner", &["of inner"]),
            ("child", &["of child"]),
        ] {
            let span = fixture.span(span);
            assert_eq!(names(&span), expected, "{}", span.name);
            let times: Vec<_> = span.events.iter().map(|event| event.timestamp).collect();
            assert!(times.is_sorted() && span.start_time <= times[0], "{span:?}");
            assert!(times.iter().all(|time| *time <= span.end_time), "{span:?}");
        }
    });
}

#[test]
fn a_copied_event_has_level_target_and_the_events_own_fields_with_their_types() {
    each(|fixture| {
        let error = std::io::Error::other("disk full");
        tracing::info_span!("span", inherited = 1).in_scope(|| {
            tracing::info!(
                target: "a::target",
                { count = 7_u64, huge = u64::MAX, ratio = 0.5, yes = true, text = "grüß", bytes = &[0_u8, 255][..],
                  debug = ?Some(1), none = Empty, otel.severity_number = 10 },
                "message {}", 1
            );
            tracing::error!(error = &error as &(dyn std::error::Error + 'static), "failed");
            tracing::warn!(level = "own", target = 1, "unique");
            tracing::warn!(err = "no message");
            tracing::warn!(name: "a name", user = "ann");
            tracing::warn!(user = "neither");
        });
        let span = fixture.span("span");
        let own = |index: usize, level: &'static str, fields: &[KeyValue]| {
            let event = &span.events[index];
            let (level, target) = (KeyValue::new("level", level), KeyValue::new("target", module_path!()));
            assert_eq!(event.attributes, [&[level, target], fields].concat(), "{event:?}");
        };
        let event = &span.events[0];
        assert_eq!(event.name, "message 1");
        let expected = [
            KeyValue::new("level", "INFO"),
            KeyValue::new("target", "a::target"),
            KeyValue::new("count", 7),
            KeyValue::new("huge", "18446744073709551615"),
            KeyValue::new("ratio", 0.5),
            KeyValue::new("yes", true),
            KeyValue::new("text", "grüß"),
            KeyValue::new("bytes", "[00 ff]"),
            KeyValue::new("debug", "Some(1)"),
        ];
        assert_eq!(event.attributes, expected);
        assert_eq!(span.events[1].name, "failed");
        own(1, "ERROR", &[KeyValue::new("exception.message", "disk full")]);
        let unique = [KeyValue::new("level", "own"), KeyValue::new("target", 1)];
        assert_eq!(span.events[2].attributes, unique);
        own(3, "WARN", &[KeyValue::new("err", "no message")]);
        own(4, "WARN", &[KeyValue::new("user", "ann")]);
        assert_eq!(names(&span)[3..5], ["no message", "a name"]);
        assert!(names(&span)[5].starts_with("event "), "{:?}", names(&span));
    });
}

#[test]
fn records_of_the_log_crate_are_copied_with_their_own_target_and_key_values() {
    fixture::install_log_tracer();
    let fixture = COPYING.build();
    fixture.run(|| {
        let _span = tracing::info_span!("span").entered();
        log::warn!(target: "some::dependency", user = "ann", n = 3, "otel.name" = "x"; "from log {}", 7);
    });
    // Whoever comes first leaves the key-values to the other.
    assert_eq!(fixture.record("from log 7").text("user"), Some("ann"));
    let span = fixture.span("span");
    assert_eq!(names(&span), ["from log 7"]);
    let expected = [
        KeyValue::new("level", "WARN"),
        KeyValue::new("target", "some::dependency"),
        KeyValue::new("user", "ann"),
        KeyValue::new("n", 3),
    ];
    assert_eq!(span.events[0].attributes, expected);
}

#[test]
fn only_events_up_to_the_level_are_copied_and_none_by_default() {
    let log = || {
        tracing::info_span!("span").in_scope(|| {
            tracing::error!("error");
            tracing::warn!("warn");
            tracing::info!("info");
            tracing::debug!("debug");
        });
    };
    for (level, expected) in [
        (LevelFilter::OFF, &[][..]),
        (LevelFilter::ERROR, &["error"]),
        (LevelFilter::WARN, &["error", "warn"]),
        (LevelFilter::DEBUG, &["error", "warn", "info", "debug"]),
    ] {
        // The log layer's own level is another matter.
        for own in [LevelFilter::OFF, LevelFilter::TRACE] {
            let fixture = Arrangement { span_events: level, level: own, ..USUAL }.build();
            fixture.run(log);
            assert_eq!(names(&fixture.span("span")), expected, "{level}");
        }
    }
    let (provider, spans) = kept_spans();
    let layer = SpanLayer::new(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
    assert_eq!(names(&spans.get_finished_spans().unwrap()[0]), [""; 0]);
}

#[test]
fn a_copied_error_line_changes_neither_the_status_nor_the_attributes_of_its_span() {
    each(|fixture| {
        let error = std::io::Error::other("disk");
        let log = || {
            tracing::error!("attempt 1 failed");
            tracing::error!(error = &error as &(dyn std::error::Error + 'static), "attempt 2 failed");
            tracing::error!(error = "attempt 3");
        };
        tracing::info_span!("plain").in_scope(log);
        let op = op::start("t", "o", []);
        op.in_scope(log);
        op.end(&Ok::<(), String>(()));
        for name in ["plain", "t.o"] {
            let span = fixture.span(name);
            assert_eq!((span.status.clone(), span.events.len()), (Status::Unset, 3), "{name}");
            assert!(!attributes(&span).keys().any(|key| key.starts_with("e")), "{span:?}");
        }
    });
}

struct Counts<'a>(&'a Cell<usize>);

impl fmt::Debug for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.set(self.0.get() + 1);
        f.write_str("counted")
    }
}

/// Guarantees: for a span that does not record, nothing is formatted once more.
#[test]
fn an_event_in_a_span_that_is_not_sampled_or_has_ended_is_only_a_record() {
    let sampled = |sampled| Arrangement { sampled, ..COPYING };
    for (arrangement, expected) in [(sampled(true), 2), (sampled(false), 1)] {
        let fixture = arrangement.build();
        fixture.run(|| {
            let (span, times) = (tracing::info_span!("span"), Cell::new(0));
            span.in_scope(|| tracing::info!(value = ?Counts(&times), "said"));
            assert_eq!(times.get(), expected);
            fixture.assert_in_span("said", &span);
        });
    }
    each(|fixture| {
        let op = op::start("t", "o", []);
        let (span, times) = (op.span().clone(), Cell::new(0));
        op.end(&Ok::<(), String>(()));
        span.in_scope(|| tracing::error!(value = ?Counts(&times), "late"));
        assert!(times.get() <= 1, "formatted for the record only");
        let closed = tracing::info_span!("closed");
        let id = closed.id();
        drop(closed);
        tracing::error!(parent: id, "to a closed one");
        for name in ["t.o", "closed"] {
            assert_eq!(names(&fixture.span(name)), [""; 0]);
        }
    });
}

#[test]
fn a_span_that_was_never_entered_keeps_only_as_many_events_as_the_sdk_allows() {
    for activation in [true, false] {
        let fixture = Arrangement { activation, level: LevelFilter::OFF, ..COPYING }.build();
        fixture.run(|| {
            let connection = tracing::info_span!("connection");
            for _ in 0..200 {
                tracing::info!(parent: &connection, "request");
            }
        });
        let span = fixture.span("connection");
        assert_eq!((span.events.len(), span.events.dropped_count), (128, 72));
    }
}

/// Guarantees: as long as no event is copied into a span, its parent can be set.
#[test]
fn set_parent_works_until_the_first_copied_event() {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let level = LevelFilter::OFF;
    let fixture = Arrangement { activation: false, level, span_events: LevelFilter::WARN, ..USUAL }.build();
    fixture.run(|| {
        let span = tracing::info_span!("request");
        span.in_scope(|| {
            tracing::info!("is not copied");
            span.set_parent(remote_context()).unwrap();
            tracing::warn!("first");
            assert!(span.set_parent(remote_context()).is_err());
        });
    });
    let span = fixture.span("request");
    assert_eq!((names(&span), span.span_context.trace_id()), (vec!["first"], REMOTE_TRACE));
}

#[test]
fn what_a_span_has_as_an_exception_is_not_copied_as_well() {
    #[tracing::instrument(err)]
    fn fails() -> Result<(), String> {
        tracing::warn!("about to fail");
        Err("on purpose".to_owned())
    }
    each(|fixture| {
        let _ = fails();
        let _ = op::run("t", "o", [], || {
            tracing::warn!("about to fail");
            Err::<(), _>("on purpose")
        });
        for name in ["fails", "t.o"] {
            let span = fixture.span(name);
            assert_eq!(names(&span), ["about to fail", "exception"], "{name}");
            assert_eq!(span.status, Status::error("on purpose"));
        }
    });
    // Not an exception, so an event like others.
    let (provider, spans) = kept_spans();
    let layer = SpanLayer::new(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
    let layer = layer.with_instrument_err(false).with_span_events(LevelFilter::ERROR);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || fails().unwrap_err());
    let span = &spans.get_finished_spans().unwrap()[0];
    assert_eq!((names(span), &span.status), (vec!["on purpose"], &Status::Unset));
}

#[test]
fn an_entry_of_trace_is_on_its_span_once() {
    each(|fixture| {
        let cx = trace::with_tracer(&Context::current(), TracingTracer::new());
        let (cx, span) = trace::start_span(&cx, "of trace");
        trace::logger(&cx).with_field("pod", "web-0").info("creating");
        span.end();
        tracing::info_span!("around").in_scope(|| {
            trace::logger(&Context::current()).with_field("pod", "web-1").info("creating another");
        });
        let op = op::start("t", "o", []);
        trace::logger(&op.context()).info("of the op");
        op.end(&Ok::<(), String>(()));
        let field = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let own = vec![field("level", "info"), field("pod", "web-0")];
        assert_eq!(events(fixture, "of trace"), [("creating".to_owned(), own)]);
        let own = vec![field("level", "INFO"), field("target", "spanlog::trace"), field("pod", "web-1")];
        assert_eq!(events(fixture, "around"), [("creating another".to_owned(), own)]);
        assert_eq!(names(&fixture.span("t.o")), ["of the op"]);
        // Their records are as ever.
        assert_eq!(
            fixture.records().len(),
            if fixture.arrangement.level < LevelFilter::INFO { 0 } else { 3 }
        );
    });
}

#[test]
fn what_is_logged_while_telemetry_is_suppressed_is_not_copied() {
    each(|fixture| {
        tracing::info_span!("span").in_scope(|| {
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            tracing::error!("of an exporter");
        });
        assert_eq!(names(&fixture.span("span")), [""; 0]);
    });
}

/// Scenario: a processor logs while spans start and end, and the span that ends is current then.
///
/// Guarantees: nothing hangs, and such lines are in no span.
#[test]
fn a_processor_that_logs_while_a_span_starts_or_ends_does_not_hang() {
    for activation in [true, false] {
        within(20, "a processor that logs", move || {
            let hooks = || Hooks {
                start: || tracing::warn!("starts"),
                end: || tracing::warn!("ends"),
                shutdown: || (),
            };
            let arrangement = Arrangement { activation, ..COPYING };
            let fixture = arrangement.build_traced(|provider| provider.with_span_processor(hooks()));
            fixture.run(|| {
                tracing::info_span!("outer").in_scope(|| {
                    tracing::info!("in outer");
                    let op = op::start("t", "o", []);
                    op.span().clone().in_scope(|| op.end(&Ok::<(), String>(())));
                    tracing::info_span!("inner").in_scope(|| ());
                    let cx = trace::with_tracer(&Context::current(), TracingTracer::new());
                    trace::start_span(&cx, "of trace").1.end();
                });
            });
            assert_eq!(names(&fixture.span("outer")), ["in outer"]);
            for name in ["t.o", "inner", "of trace"] {
                assert_eq!(names(&fixture.span(name)), [""; 0], "{name}");
            }
            assert!(fixture.bodies().iter().any(|body| body == "ends"));
        });
    }
}
