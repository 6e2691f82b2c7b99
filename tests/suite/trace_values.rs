//! Contract §5: values, and code that misbehaves.

use std::sync::{Arc, Mutex};

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::Status;
use opentelemetry::Context;
use spanlog::trace::{self, Fields, Level, NopLogger, Value};

use super::trace::{each, ids, Back};
use super::trace_loggers::Own;
use crate::fixture::{attributes, within, Hooks, USUAL};

/// A `Display` that panics halfway.
struct Hostile;

impl std::fmt::Display for Hostile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("so far")?;
        panic!("hostile");
    }
}

impl std::fmt::Debug for Hostile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Hostile {}

#[test]
fn a_value_that_panics_is_kept_as_far_as_it_got() {
    each(|fixture, back| {
        let (cx, span) = trace::start_span(&back.context(fixture), "span");
        let cx = span.with_fields(&cx, [("one", Value::display(&Hostile)), ("two", Value::debug(&Hostile))]);
        span.set_status(Some(&Hostile));
        trace::logger(&cx).with_error(&Hostile).info_fmt(format_args!("it was {Hostile}"));
        span.end();
        let record = fixture.record("it was so far");
        assert_eq!(record.keys(), ["one", "two", "err"]);
        assert!(record.attributes.iter().all(|(key, _)| record.text(key) == Some("so far")));
        assert_eq!(fixture.span("span").status, Status::error("so far"));
    });
}

/// Guarantees: a message is formatted once for any number of readers, and not at all without one.
#[test]
fn a_message_is_formatted_once_or_not_at_all() {
    struct Counts(std::cell::Cell<u32>);
    impl std::fmt::Display for Counts {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str("counted")
        }
    }
    each(|fixture, back| {
        let counts = Counts(Default::default());
        let own = trace::with_logger(&back.context(fixture), Own::default());
        trace::start_span(&own, "span").1.logger().info_fmt(format_args!("{counts}"));
        assert_eq!(counts.0.get(), 1);
        let silent = trace::with_logger(&Context::new(), NopLogger::new());
        trace::logger(&silent).info_fmt(format_args!("{counts}"));
        trace::start_span(&silent, "nothing").1.logger().info_fmt(format_args!("{counts}"));
        assert_eq!(counts.0.get(), 1);
    });
}

/// Scenario: a processor that logs, through the very span that ends, and sets its status.
/// Guarantees: it does not wait for itself.
#[test]
fn a_processor_may_use_the_span_that_it_is_told_of() {
    type Slot = Arc<Mutex<Option<Arc<dyn trace::Span>>>>;
    within(20, "ending a span", || {
        for back in [Back::Otel, Back::Tracing] {
            let slot = Slot::default();
            let own = slot.clone();
            let end = move || {
                let span = own.lock().unwrap().clone();
                if let Some(span) = span {
                    span.logger().info("ending");
                    span.set_status(None);
                    let _ = span.with_field(&Context::new(), "late", 1);
                    span.end();
                }
            };
            let fixture = USUAL.build_traced(|provider| {
                provider.with_span_processor(Hooks { start: || (), end, shutdown: || () })
            });
            fixture.run(|| {
                let (cx, span) = trace::start_span(&back.context(&fixture), "span");
                *slot.lock().unwrap() = Some(span.clone());
                span.end();
                *slot.lock().unwrap() = None;
                assert_eq!(fixture.record("ending").ids, ids(&cx));
                assert_eq!(fixture.span("span").status, Status::Unset);
            });
        }
    });
}

#[test]
fn a_level_is_known_by_its_name() {
    assert_eq!(Level::ALL.map(Level::as_str), ["debug", "info", "warn", "error", "fatal"]);
    assert!(Level::Fatal > Level::Error && Level::Debug < Level::Info);
    assert_eq!(format!("{:>7}", Level::Info), "   info");
}

/// Guarantees: neither keys nor values can start a new console line or move the cursor.
#[test]
fn fields_stay_on_one_line() {
    let lines = vec!["a\nb".into()];
    let fields = Fields::from([
        ("key\nof two \u{1b}[31mlines", Value::from("va\nlue")),
        ("list", opentelemetry::Value::Array(opentelemetry::Array::String(lines)).into()),
        ("plain", "grüß".into()),
    ]);
    assert_eq!(
        fields.to_string(),
        "key\\nof two \\u{1b}[31mlines=\"va\\nlue\" list=[\"a\\nb\"] plain=\"grüß\""
    );
}

/// Every kind of value, as listed in `docs/mapping.md`.
fn values() -> Fields {
    let error: &dyn std::error::Error = &std::io::Error::other("no room");
    let mut fields = Fields::from([
        ("ready", Value::from(true)),
        ("below", (-1_i8).into()),
        ("small", 7_u16.into()),
        ("fits", 7_u64.into()),
        ("huge", u64::MAX.into()),
        ("wide", i128::MIN.into()),
        ("half", 0.5_f32.into()),
        ("nan", f64::NAN.into()),
        ("down", f64::NEG_INFINITY.into()),
        ("name", "web-0".into()),
        ("text", String::from("grüß").into()),
        ("empty", "".into()),
        ("letter", 'ß'.into()),
        ("address", Value::display(&std::net::Ipv4Addr::LOCALHOST)),
        ("share", format_args!("{} %", 50).into()),
        ("cause", error.into()),
        ("some", Some(1).into()),
        ("none", None::<i64>.into()),
        ("list", Value::debug(&[1, 2])),
    ]);
    fields.set("taken", 1);
    fields.set("taken", None::<bool>);
    fields
}

#[test]
fn values_are_on_records_and_spans_as_the_table_says() {
    let document = include_str!("../../docs/mapping.md");
    let (_, section) = document.split_once("\n## Values of `trace`\n").unwrap();
    let rows = section.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| `"));
    let examples = rows.flat_map(|row| {
        let last = row.trim_matches('|').rsplit('|').next().unwrap();
        last.split('`').skip(1).step_by(2)
    });
    let mut expected: Vec<String> = examples.map(str::to_owned).collect();
    expected.sort();
    each(|fixture, back| {
        let (cx, span) = trace::start_span(&back.context(fixture), "span");
        let cx = span.with_fields(&cx, values());
        trace::logger(&cx).with_error(&std::io::Error::other("no room")).info("said");
        span.end();
        let piece = |(key, value): &(String, AnyValue)| match value {
            AnyValue::String(text) => format!("{key}={:?}", text.as_str()),
            AnyValue::Int(number) => format!("{key}={number}"),
            AnyValue::Double(number) => format!("{key}={number:?}"),
            AnyValue::Boolean(value) => format!("{key}={value}"),
            other => panic!("{key}={other:?}"),
        };
        let mut seen: Vec<String> = fixture.record("said").attributes.iter().map(piece).collect();
        seen.sort();
        assert_eq!(seen, expected);

        let own = attributes(&fixture.span("span"));
        for (key, value) in values().iter() {
            assert_eq!(own[key.as_str()], value.to_string(), "{key}");
        }
        assert!(!own.contains_key("none") && !own.contains_key("taken"));
    });
}

/// Guarantees: a result ends the span, with an error's text whatever its type, or Ok.
#[test]
fn a_result_gives_the_status_and_ends_the_span() {
    each(|fixture, back| {
        let start = |name| trace::start_span(&back.context(fixture), name).1;
        start("ok").end_with(&Ok::<_, std::io::Error>(7));
        start("error").end_with(&Err::<(), _>(std::io::Error::other("no room")));
        start("boxed").end_with(&Err::<(), Box<dyn std::error::Error>>("no room".into()));
        start("anyhow").end_with(&Err::<(), _>(anyhow::anyhow!("no room")));
        start("text").end_with(&Err::<(), _>("no room"));
        assert_eq!(fixture.span("ok").status, Status::Ok);
        for name in ["error", "boxed", "anyhow", "text"] {
            assert_eq!(fixture.span(name).status, Status::error("no room"), "{name}");
        }
    });
}
