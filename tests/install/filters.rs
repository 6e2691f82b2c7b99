//! The global filter: which spans and events `RUST_LOG` leaves.

use crate::process::isolated;

/// `RUST_LOG`, and what it leaves of these spans and events, by target, level and kind.
const CASES: [(&str, &[&str]); 11] = [
    (
        "warn",
        &[
            "app INFO span",
            "app WARN event",
            "hyper INFO span",
            "hyper WARN event",
            "hyper::client INFO span",
        ],
    ),
    ("app=warn", &["app INFO span", "app WARN event", "hyper INFO span", "hyper::client INFO span"]),
    ("app=debug,hyper=off", &["app INFO span", "app DEBUG span", "app WARN event", "app INFO event"]),
    ("warn,hyper=off,hyper::client=info", &["app INFO span", "app WARN event", "hyper::client INFO span"]),
    ("off", &[]),
    ("warn,hyper=off,app{n}=warn", &["app INFO span", "app WARN event"]),
    ("off,app=error", &["app INFO span"]),
    ("[request]=off", &["hyper INFO span", "hyper::client INFO span"]),
    (
        "warn,hyper[other]=off",
        &["app INFO span", "app WARN event", "hyper WARN event", "hyper::client INFO span"],
    ),
    ("error,app[request]=0", &["hyper INFO span", "hyper::client INFO span"]),
    ("hyper=error,[request]=off", &["hyper INFO span", "hyper::client INFO span"]),
];

/// Guarantees: directives choose the events; spans up to INFO stay, unless a directive turns their
/// target or name `off`.
#[test]
fn directives_choose_the_events_and_spans_stay_unless_they_are_off() {
    let child = isolated(|_| {
        let _guard = spanlog::builder().install().unwrap();
        let mut left = Vec::new();
        let mut note = |is_left: bool, what: &'static str| left.extend(is_left.then_some(what));
        note(!tracing::info_span!(target: "app", "request").is_disabled(), "app INFO span");
        note(!tracing::debug_span!(target: "app", "request").is_disabled(), "app DEBUG span");
        note(tracing::event_enabled!(target: "app", tracing::Level::WARN), "app WARN event");
        note(tracing::event_enabled!(target: "app", tracing::Level::INFO), "app INFO event");
        note(!tracing::info_span!(target: "hyper", "other").is_disabled(), "hyper INFO span");
        note(tracing::event_enabled!(target: "hyper", tracing::Level::WARN), "hyper WARN event");
        let client = tracing::info_span!(target: "hyper::client", "call");
        note(!client.is_disabled(), "hyper::client INFO span");
        println!("left={}", left.join(", "));
    });
    let Some(child) = child else { return };
    for (directives, expected) in CASES {
        let (_, written) = child.run_with_receiver(&[("RUST_LOG", directives)]);
        let left = written.stdout.lines().find_map(|line| line.split_once("left=")).unwrap().1;
        assert_eq!(
            left.split(", ").filter(|it| !it.is_empty()).collect::<Vec<_>>(),
            expected,
            "{directives}"
        );
    }
}

/// Guarantees: a warning inside a span has the span's ids with `RUST_LOG=warn`; a directive about a
/// span still chooses events by it; `with_span_level` moves the level.
#[test]
fn a_warning_keeps_the_ids_of_its_span_whatever_the_directives() {
    let child = isolated(|part| {
        let builder = spanlog::builder();
        let builder = match part {
            "debug" => builder.with_span_level(tracing::Level::DEBUG),
            "warn" => builder.with_span_level(tracing::Level::WARN),
            _ => builder,
        };
        let guard = builder.install().unwrap();
        tracing::info_span!(target: "app", "request").in_scope(|| {
            tracing::warn!(target: "app", "in INFO");
            tracing::debug!(target: "app", "chosen by its span");
        });
        tracing::debug_span!(target: "app", "detail").in_scope(|| tracing::warn!(target: "app", "in DEBUG"));
        tracing::debug!(target: "app", "chosen by nothing");
        crate::finish(&guard);
    });
    let Some(child) = child else { return };
    let cases = [
        ("", "warn", vec![("in INFO", true), ("in DEBUG", false)]),
        ("debug", "warn", vec![("in INFO", true), ("in DEBUG", true)]),
        ("warn", "warn", vec![("in INFO", false), ("in DEBUG", false)]),
        (
            "",
            "warn,app[request]=debug",
            vec![("in INFO", true), ("chosen by its span", true), ("in DEBUG", false)],
        ),
    ];
    for (part, directives, expected) in cases {
        let (receiver, _) = child.part(part).run_with_receiver(&[("RUST_LOG", directives)]);
        let records = receiver.records();
        let seen: Vec<_> = records
            .iter()
            .map(|(_, record)| (crate::otlp::body(record), record.trace_id.len() == 16))
            .collect();
        assert_eq!(seen, expected, "{part} {directives}");
    }
}
