//! Contract §5: what an entry becomes, on records and on its span.

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::trace::TraceFlags;
use opentelemetry::Context;
use spanlog::trace::{self, OtelTracer, TracingTracer};

use super::trace::{each, each_of, events, ids, Back};
use crate::fixture::{attributes, Arrangement};

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

#[test]
fn an_entry_is_one_record_with_the_spans_ids_and_one_event_with_its_fields_and_level() {
    each(|fixture, back| {
        let (cx, span) = trace::start_span(&back.context(fixture), "span");
        let logger = span.logger().with_field("attempt", 2);
        logger.warn("here");
        tracing::info_span!("another").in_scope(|| logger.warn("inside another"));
        let (other, inner) = trace::start_span(&cx, "inner");
        {
            let _attached = other.attach();
            logger.warn("inside a child");
        }
        std::thread::scope(|threads| {
            // A tracing span knows its subscriber, also if it is not the thread's.
            threads.spawn(|| match back {
                Back::Otel => fixture.run(|| logger.warn("on another thread")),
                Back::Tracing => logger.warn("on another thread"),
            });
        });
        inner.end();
        span.end();
        let bodies = ["here", "inside another", "inside a child", "on another thread"];
        for body in bodies {
            let record = fixture.record(body);
            assert_eq!(record.ids, ids(&cx), "{body}");
            assert_eq!(record.get("attempt"), Some(&AnyValue::Int(2)), "{body}");
            assert_eq!(record.severity_number, Severity::Warn as i32);
            assert_eq!(record.event_name, None);
            assert_eq!(record.scope, "spanlog::trace");
            assert_eq!(record.keys(), ["attempt"], "{body}");
        }
        let expected = bodies.map(|body| (body.to_owned(), pairs([("level", "warn"), ("attempt", "2")])));
        assert_eq!(events(fixture, "span"), expected);
        assert_eq!(fixture.records().len(), bodies.len());
        assert!(fixture.span("inner").events.is_empty());
    });
}

#[test]
fn span_events_can_be_switched_off() {
    each(|fixture, back| {
        let top = Context::current();
        let tracer = fixture.tracer.clone();
        let top = match back {
            Back::Otel => trace::with_tracer(&top, OtelTracer::new(tracer).with_span_events(false)),
            Back::Tracing => trace::with_tracer(&top, TracingTracer::new().with_span_events(false)),
        };
        let (cx, span) = trace::start_span(&top, "span");
        span.logger().info("said");
        span.end();
        assert_eq!(fixture.record("said").ids, ids(&cx));
        assert!(fixture.span("span").events.is_empty());
    });
}

/// Scenario: more fields than the SDK lets an event have. Guarantees: the level is not dropped.
#[test]
fn an_event_has_its_level_however_many_fields_there_are() {
    each(|fixture, back| {
        let (_, span) = trace::start_span(&back.context(fixture), "span");
        let fields = (0..200).map(|number| (format!("key {number}"), number));
        span.logger().with_fields(fields).with_field("level", "a field").error("said");
        span.end();
        let (_, attributes) = events(fixture, "span").remove(0);
        assert!(attributes.len() < 200);
        let levels: Vec<_> = attributes.into_iter().filter(|(key, _)| key == "level").collect();
        assert_eq!(levels, pairs([("level", "error")]));
    });
}

#[test]
fn fields_of_a_spans_logger_touch_single_entries_only() {
    each(|fixture, back| {
        let (cx, span) = trace::start_span(&back.context(fixture), "span");
        let one = span.logger().with_field("mine", 1);
        let two = one.with_fields([("mine", 2), ("more", 3)]);
        two.with_error(&std::io::Error::other("no room")).info("two");
        one.info("one");
        span.logger().info("none");
        trace::logger(&cx).info("context");
        span.end();
        let numbers = |body| {
            let record = fixture.record(body);
            ["mine", "more"].map(|key| match record.get(key) {
                Some(AnyValue::Int(number)) => *number,
                _ => 0,
            })
        };
        assert_eq!(
            [numbers("two"), numbers("one"), numbers("none"), numbers("context")],
            [[2, 3], [1, 0], [0, 0], [0, 0]]
        );
        assert_eq!(fixture.record("two").text("err"), Some("no room"));
        let own = attributes(&fixture.span("span"));
        assert!(["mine", "more", "err"].iter().all(|key| !own.contains_key(*key)), "{own:?}");
    });
}

#[test]
fn all_levels_have_both_forms_and_fatal_does_not_exit() {
    each(|fixture, back| {
        let (cx, span) = trace::start_span(&back.context(fixture), "span");
        let logger = trace::logger(&cx);
        logger.debug("debug");
        logger.debug_fmt(format_args!("debug {}", 1));
        logger.info("info");
        logger.info_fmt(format_args!("info {}", 1));
        logger.warn("warn");
        logger.warn_fmt(format_args!("warn {}", 1));
        logger.error("error");
        logger.error_fmt(format_args!("error {}", 1));
        logger.fatal("fatal");
        logger.fatal_fmt(format_args!("fatal {}", 1));
        span.end();
        let severities = [
            ("debug", Severity::Debug, "DEBUG"),
            ("info", Severity::Info, "INFO"),
            ("warn", Severity::Warn, "WARN"),
            ("error", Severity::Error, "ERROR"),
            ("fatal", Severity::Fatal, "FATAL"),
        ];
        let mut said = Vec::new();
        for (level, severity, text) in severities {
            for body in [level.to_owned(), format!("{level} 1")] {
                let record = fixture.record(&body);
                assert_eq!(record.severity_number, severity as i32, "{body}");
                assert_eq!(record.severity_text.as_deref(), Some(text));
                assert!(record.attributes.is_empty(), "{record:?}");
                said.push((body, pairs([("level", level)])));
            }
        }
        assert_eq!(events(fixture, "span"), said);
    });
}

/// Scenario: spans that are sampled out. Guarantees: their entries are records with their ids and
/// the flag, and no span's events.
#[test]
fn entries_of_a_span_that_does_not_record_still_reach_the_logger() {
    let unsampled = Arrangement::with_spans().into_iter().filter(|it| !it.sampled).collect();
    each_of(unsampled, |fixture, back| {
        let (cx, span) = trace::start_span(&back.context(fixture), "span");
        let cx = span.with_field(&cx, "k", 1);
        trace::logger(&cx).error("said");
        span.end();
        let record = fixture.record("said");
        assert_eq!(record.ids, ids(&cx));
        assert_eq!(record.flags, Some(TraceFlags::NOT_SAMPLED));
        assert_eq!(record.keys(), ["k"]);
        assert!(fixture.spans().is_empty());
    });
}
