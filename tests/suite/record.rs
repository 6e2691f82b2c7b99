//! Contract §1: the log record.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, Severity};
use spanlog::{Limits, SpanFields};
use tracing::field::Empty;

use crate::fixture::capture::Capture;
use crate::fixture::{each, Arrangement, Fixture, Kind, LogSettings, Seen, USUAL};

fn fixture() -> Fixture {
    USUAL.build()
}

fn limited(limits: Limits) -> Fixture {
    USUAL.build_with(LogSettings { limits: Some(limits), ..LogSettings::default() })
}

/// The only record of `script`.
fn record(script: impl FnOnce()) -> Seen {
    let fixture = fixture();
    fixture.run(script);
    let records = fixture.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    records.into_iter().next().unwrap()
}

fn int(value: i64) -> Option<AnyValue> {
    Some(AnyValue::Int(value))
}

fn text(value: &str) -> Option<AnyValue> {
    Some(AnyValue::String(value.to_owned().into()))
}

#[test]
fn time_is_the_wall_clock_at_the_call_and_observed_time_the_same_reading() {
    let before = SystemTime::now();
    let record = record(|| tracing::info!("now"));
    let after = SystemTime::now();
    let nanos = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let time = record.unix_nanos.unwrap();
    assert!((nanos(before)..=nanos(after)).contains(&time));
    assert_eq!(record.observed_unix_nanos, Some(time));
}

#[test]
fn time_is_read_before_user_code_formats_anything() {
    struct Dated(std::cell::Cell<u128>);
    impl fmt::Display for Dated {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos());
            f.write_str("dated")
        }
    }
    let dated = Dated(std::cell::Cell::new(0));
    let record = record(|| tracing::info!(value = %dated, "x"));
    assert!(record.unix_nanos.unwrap() <= dated.0.get());
}

#[test]
fn severity_is_the_first_of_the_levels_four_and_its_name() {
    let fixture = fixture();
    fixture.run(|| {
        tracing::trace!("TRACE");
        tracing::debug!("DEBUG");
        tracing::info!("INFO");
        tracing::warn!("WARN");
        tracing::error!("ERROR");
    });
    let numbers = [Severity::Trace, Severity::Debug, Severity::Info, Severity::Warn, Severity::Error];
    assert_eq!(numbers.map(|severity| severity as u8), [1, 5, 9, 13, 17]);
    for (record, number) in fixture.records().iter().zip(numbers) {
        assert_eq!(record.severity_number, number as i32);
        assert_eq!(record.severity_text.as_deref(), Some(record.body_text()));
    }
}

#[test]
fn severity_number_overrides_both_and_is_no_attribute() {
    let record = record(|| tracing::error!(otel.severity_number = 21, "dying"));
    assert_eq!(record.severity_number, Severity::Fatal as i32);
    assert_eq!(record.severity_text.as_deref(), Some("FATAL"));
    assert!(record.attributes.is_empty());
}

#[test]
fn a_severity_number_out_of_range_is_ignored_and_counted() {
    let fixture = fixture();
    fixture.run(|| {
        tracing::info!(otel.severity_number = 0, "zero");
        tracing::info!(otel.severity_number = 25_u64, "over");
        tracing::info!(otel.severity_number = "21", "text");
        tracing::info!(otel.severity_number = 24_u8, "most");
    });
    for body in ["zero", "over", "text"] {
        assert_eq!(fixture.record(body).severity_number, Severity::Info as i32);
    }
    assert_eq!(fixture.record("most").severity_number, Severity::Fatal4 as i32);
    assert_eq!(fixture.counters.snapshot().invalid_severities, 3);
}

#[test]
fn the_body_is_the_message_and_a_message_that_is_no_string_keeps_its_type() {
    assert_eq!(record(|| tracing::info!("plain")).body, text("plain"));
    assert_eq!(record(|| tracing::info!("{} and {}", 1, 2)).body, text("1 and 2"));
    assert_eq!(record(|| tracing::info!("")).body, text(""));
    assert_eq!(record(|| tracing::info!(message = 7)).body, int(7));
    assert_eq!(record(|| tracing::info!(message = true)).body, Some(AnyValue::Boolean(true)));
    assert_eq!(record(|| tracing::info!(message = 0.5)).body, Some(AnyValue::Double(0.5)));
}

#[test]
fn without_a_message_the_body_is_the_error_else_the_name_else_absent() {
    assert_eq!(record(|| tracing::info!(error = %"broken")).body, text("broken"));
    assert_eq!(record(|| tracing::info!(err = "broken")).body, text("broken"));
    let error = std::io::Error::other("disk");
    let error = &error as &(dyn std::error::Error + 'static);
    assert_eq!(record(|| tracing::info!(error)).body, text("disk"));
    assert_eq!(record(|| tracing::info!(name: "started", n = 1)).body, text("started"));
    assert_eq!(record(|| tracing::info!(name: "started", err = "broken")).body, text("broken"));
    assert_eq!(record(|| tracing::info!(n = 1)).body, None);
}

#[test]
fn the_event_name_is_only_one_that_the_user_gave() {
    let record = |script: fn()| self::record(script).event_name;
    assert_eq!(record(|| tracing::info!("no name")), None);
    assert_eq!(record(|| tracing::info!(name: "job.started", "named")).as_deref(), Some("job.started"));
    // A name that only looks generated is the user's.
    assert_eq!(record(|| tracing::info!(name: "event x:1", "named")).as_deref(), Some("event x:1"));
    crate::fixture::install_log_tracer();
    assert_eq!(record(|| log::info!("from log")), None);
}

#[test]
fn a_name_made_at_run_time_is_the_event_name_and_never_an_attribute() {
    let fixture = USUAL.build();
    fixture.run(|| {
        for kind in ["created", "deleted"] {
            let name = format!("pod.{kind}");
            tracing::info!(name: "pod", { otel.event_name = name, kind }, "as a string");
            tracing::info!(otel.event_name = %name, "displayed");
            tracing::info!(otel.event_name = name);
            let logger = spanlog::trace::logger(&opentelemetry::Context::new());
            logger.with_field("otel.event_name", name).info("an entry");
        }
        tracing::info!(name: "static", { otel.event_name = "" }, "empty");
        tracing::info!(otel.event_name = 7, "a number");
    });
    let records = fixture.records();
    for kind in ["pod.created", "pod.deleted"] {
        let named: Vec<_> =
            records.iter().filter(|record| record.event_name.as_deref() == Some(kind)).collect();
        assert!(named.iter().all(|record| record.keys().iter().all(|key| *key == "kind")), "{named:?}");
        let mut bodies: Vec<_> = named.iter().map(|record| record.body_text()).collect();
        bodies.sort_unstable();
        // The name is the body of an event without a message.
        assert_eq!(bodies, ["an entry", "as a string", "displayed", kind]);
    }
    assert_eq!(fixture.record("empty").event_name.as_deref(), Some("static"));
    assert_eq!(fixture.record("a number").event_name, None);
    assert_eq!(fixture.counters.snapshot().ignored_event_names, 2);
}

/// Guarantees: names made at run time are not kept without a bound where each has to be.
#[test]
fn only_so_many_different_run_time_names_are_kept_and_the_rest_is_counted() {
    let fixture = USUAL.build();
    fixture.run(|| {
        for number in 0..600 {
            tracing::info!(otel.event_name = format!("name {number}"), "said");
        }
        tracing::info!(otel.event_name = "name 0", "said again");
    });
    let named = fixture.records().iter().filter(|record| record.event_name.is_some()).count();
    let ignored = fixture.counters.snapshot().ignored_event_names;
    assert_eq!(named as u64 + ignored, 601);
    match crate::KIND {
        // Other tests of this process have taken a few.
        Kind::Sdk => assert!((490..=513).contains(&named), "{named}"),
        Kind::Direct => assert_eq!(ignored, 0),
    }
    assert_eq!(fixture.record("said again").event_name.as_deref(), Some("name 0"));
}

#[test]
fn values_keep_their_types_and_wide_integers_are_exact() {
    let record = record(|| {
        tracing::info!(
            boolean = true,
            integer = i64::MIN,
            fits = i64::MAX as u64,
            over = i64::MAX as u64 + 1,
            wide = i128::MAX,
            narrow = 5_i128,
            unsigned = u128::MAX,
            float = -0.0,
            nan = f64::NAN,
            infinite = f64::NEG_INFINITY,
            string = "text",
            empty = "",
            bytes = &b"\x00\xff"[..],
            debug = ?Some(1),
            display = %'c',
            absent = None::<i64>,
            nothing = Empty,
        );
    });
    assert_eq!(record.get("boolean"), Some(&AnyValue::Boolean(true)));
    assert_eq!(record.get("integer"), int(i64::MIN).as_ref());
    assert_eq!(record.get("fits"), int(i64::MAX).as_ref());
    assert_eq!(record.text("over"), Some("9223372036854775808"));
    assert_eq!(record.text("wide"), Some("170141183460469231731687303715884105727"));
    assert_eq!(record.get("narrow"), int(5).as_ref());
    assert_eq!(record.text("unsigned"), Some("340282366920938463463374607431768211455"));
    assert!(matches!(record.get("float"), Some(AnyValue::Double(zero)) if zero.is_sign_negative()));
    assert!(matches!(record.get("nan"), Some(AnyValue::Double(nan)) if nan.is_nan()));
    assert_eq!(record.get("infinite"), Some(&AnyValue::Double(f64::NEG_INFINITY)));
    assert_eq!(record.text("string"), Some("text"));
    assert_eq!(record.text("empty"), Some(""));
    assert_eq!(record.get("bytes"), Some(&AnyValue::Bytes(Box::new(vec![0, 0xff]))));
    assert_eq!(record.text("debug"), Some("Some(1)"));
    assert_eq!(record.text("display"), Some("c"));
    assert_eq!(record.get("absent"), None);
    assert_eq!(record.get("nothing"), None);
}

#[test]
fn attributes_are_ordered_stamps_then_inherited_from_the_root_then_own_then_location_and_thread() {
    let fixture = USUAL.build_with(LogSettings { location: true, threads: true, ..LogSettings::default() });
    fixture.run(|| {
        spanlog::job::scope(spanlog::JobMetadata::new("j", "e"), || {
            let root = tracing::info_span!("root", r1 = 1, r2 = 2).entered();
            spanlog::op::start("git", "clone", []).in_scope(|| {
                tracing::info_span!("leaf", l = 3).in_scope(|| tracing::info!(own = 4, "x"));
            });
            drop(root);
        });
    });
    assert_eq!(
        fixture.record("x").keys(),
        [
            "runner_job.id",
            "runner_job_execution.id",
            "nuon.tool",
            "nuon.op",
            "r1",
            "r2",
            "l",
            "own",
            "code.file.path",
            "code.line.number",
            "code.module.name",
            "thread.id",
            "thread.name",
        ]
    );
}

#[test]
fn an_overridden_key_is_there_once_with_the_last_value() {
    let fixture = fixture();
    fixture.run(|| {
        let _outer = tracing::info_span!("outer", key = "outer", other = 1).entered();
        let _inner = tracing::info_span!("inner", key = "inner").entered();
        tracing::info!("inherited");
        tracing::info!(key = "own", "own");
        tracing::info!(key = "first", key = "second", "twice");
        tracing::info!(key = None::<&str>, "not given");
        spanlog::job::scope(spanlog::JobMetadata::new("j", "e"), || {
            tracing::info!(runner_job.id = "mine", "stamp");
        });
    });
    assert_eq!(fixture.record("inherited").text("key"), Some("inner"));
    assert_eq!(fixture.record("own").text("key"), Some("own"));
    assert_eq!(fixture.record("own").keys(), ["other", "key"]);
    assert_eq!(fixture.record("twice").text("key"), Some("second"));
    assert_eq!(fixture.record("not given").text("key"), Some("inner"));
    assert_eq!(fixture.record("stamp").text("runner_job.id"), Some("mine"));
}

#[test]
fn a_key_that_an_event_has_twice_is_there_once_also_where_nothing_is_inherited() {
    let record = record(|| tracing::info!(key = "first", other = 1, key = "second", "twice"));
    assert_eq!(record.text("key"), Some("second"));
    assert_eq!(record.keys(), ["other", "key"]);
}

#[test]
fn control_fields_are_never_attributes() {
    let fixture = fixture();
    fixture.run(|| {
        tracing::info_span!("span", otel.name = "renamed", otel.kind = "server", kept = 1)
            .in_scope(|| tracing::info!(otel.status_code = "ok", own = 2, "x"));
    });
    assert_eq!(fixture.record("x").keys(), ["kept", "own"]);
}

#[test]
fn the_count_limit_takes_the_root_most_inherited_fields_first_then_the_events_last() {
    let script = || {
        spanlog::job::scope(spanlog::JobMetadata::new("j", "e"), || {
            let _root = tracing::info_span!("root", r = 1).entered();
            let _leaf = tracing::info_span!("leaf", l = 2).entered();
            tracing::info!(a = 1, b = 2, "x");
        });
    };
    let kept = |count: usize| {
        let fixture = limited(Limits::default().with_attribute_count(count));
        fixture.run(script);
        let dropped = fixture.counters.snapshot().dropped_attributes;
        let keys: Vec<String> = fixture.record("x").keys().iter().map(ToString::to_string).collect();
        (keys.join(" "), dropped)
    };
    let stamps = "runner_job.id runner_job_execution.id";
    assert_eq!(kept(6), (format!("{stamps} r l a b"), 0));
    assert_eq!(kept(5), (format!("{stamps} l a b"), 1));
    assert_eq!(kept(4), (format!("{stamps} a b"), 2));
    assert_eq!(kept(3), (format!("{stamps} a"), 3));
    assert_eq!(kept(0), (stamps.to_owned(), 4));
}

#[test]
fn the_default_count_limit_is_128() {
    let fixture = fixture();
    fixture.run(|| {
        let fields: Vec<_> = (0..130).map(|n| opentelemetry::KeyValue::new(format!("k{n}"), n)).collect();
        spanlog::op::start("t", "o", fields).in_scope(|| tracing::info!("x"));
    });
    assert_eq!(fixture.record("x").attributes.len(), 128);
    assert_eq!(fixture.counters.snapshot().dropped_attributes, 4);
}

#[test]
fn the_value_limit_cuts_on_a_character_boundary_and_leaves_the_body_alone() {
    let fixture = limited(Limits::default().with_value_length(5));
    fixture.run(|| {
        tracing::info_span!("span", inherited = "ääää").in_scope(|| {
            tracing::info!(own = "ääää", debug = ?"abcdefgh", "a body that is longer");
        });
    });
    let record = fixture.record("a body that is longer");
    assert_eq!(record.text("inherited"), Some("ää"));
    assert_eq!(record.text("own"), Some("ää"));
    assert_eq!(record.text("debug"), Some("\"abcd"));
    assert_eq!(fixture.counters.snapshot().truncated_values, 3);
}

#[test]
fn inherited_fields_follow_span_record_for_later_events_only() {
    each(Arrangement::all(), |fixture| {
        let root = tracing::info_span!("root", state = "new", later = Empty);
        let child = tracing::info_span!(parent: &root, "child");
        root.in_scope(|| tracing::warn!("before in root"));
        child.in_scope(|| tracing::warn!("before in child"));
        root.record("state", "old");
        root.record("later", 1);
        root.in_scope(|| tracing::warn!("after in root"));
        child.in_scope(|| tracing::warn!("after in child"));
        tracing::warn!(parent: &child, "after explicitly");
        for place in ["in root", "in child"] {
            let before = fixture.record(&format!("before {place}"));
            assert_eq!((before.text("state"), before.get("later")), (Some("new"), None));
        }
        for place in ["in root", "in child", "explicitly"] {
            let after = fixture.record(&format!("after {place}"));
            // A layer that was reloaded in sees spans from then on, as these are.
            assert_eq!(after.text("state"), Some("old"), "{place}");
            assert_eq!(after.get("later"), int(1).as_ref(), "{place}");
        }
    });
}

#[test]
fn inherited_fields_can_be_included_and_excluded_by_globs() {
    let keys = |fields: SpanFields| {
        let fixture = USUAL.build_with(LogSettings { span_fields: Some(fields), ..LogSettings::default() });
        fixture.run(|| {
            tracing::info_span!("span", http.route = "/", http.secret = "s", user = "ann")
                .in_scope(|| tracing::info!(own = 1, "x"));
        });
        fixture.record("x").keys().join(" ")
    };
    assert_eq!(keys(SpanFields::all()), "http.route http.secret user own");
    assert_eq!(keys(SpanFields::all().exclude("*.secret")), "http.route user own");
    assert_eq!(keys(SpanFields::all().include("http.*")), "http.route http.secret own");
    assert_eq!(keys(SpanFields::none().include("http.*").exclude("http.s*")), "http.route own");
    assert_eq!(keys(SpanFields::none()), "own");
}

#[test]
fn the_scope_is_the_target() {
    assert_eq!(record(|| tracing::info!(target: "my::target", "x")).scope, "my::target");
    assert_eq!(record(|| tracing::info!("x")).scope, module_path!());
}

#[derive(Debug)]
struct ParseError {
    #[expect(dead_code, reason = "shown by Debug, of which only the type may be read")]
    secret: &'static str,
    source: std::num::ParseIntError,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot parse")
    }
}

impl std::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

fn parse_error() -> ParseError {
    ParseError { secret: "hidden", source: "x".parse::<i32>().unwrap_err() }
}

#[test]
fn the_first_error_becomes_the_exception_and_further_ones_keep_their_keys() {
    let (first, second) = (parse_error(), std::io::Error::other("disk"));
    let record = record(|| {
        tracing::error!(
            error = &first as &(dyn std::error::Error + 'static),
            cleanup = &second as &(dyn std::error::Error + 'static),
            "failed"
        );
    });
    assert_eq!(record.text("exception.message"), Some("cannot parse"));
    assert_eq!(record.text("exception.type"), Some("ParseError"));
    assert_eq!(record.text("exception.stacktrace"), Some("Caused by: invalid digit found in string"));
    assert_eq!(record.text("cleanup"), Some("disk"));
    assert_eq!(record.get("error"), None);
    assert_eq!(record.attributes.len(), 4);
}

#[test]
fn an_error_without_type_or_source_has_neither_and_a_displayed_error_keeps_its_key() {
    let error: Box<dyn std::error::Error> = "just text".into();
    let record_of_box = record(|| tracing::error!(error = &*error, "failed"));
    assert_eq!(record_of_box.keys(), ["exception.message"]);
    let record = record(|| tracing::error!(error = %error, "failed"));
    assert_eq!(record.text("error"), Some("just text"));
}

#[test]
fn exception_keys_of_the_user_and_of_an_error_meet_once() {
    let fixture = fixture();
    let error = parse_error();
    fixture.run(|| {
        let _span = tracing::info_span!("span", exception.message = "inherited").entered();
        let error = &error as &(dyn std::error::Error + 'static);
        tracing::error!(error, "inherited");
        tracing::error!(exception.type = "Mine", error, "own");
    });
    assert_eq!(fixture.record("inherited").text("exception.message"), Some("cannot parse"));
    assert_eq!(fixture.record("own").text("exception.type"), Some("ParseError"));
}

#[test]
fn log_records_have_their_real_target_and_no_metadata_as_attributes() {
    crate::fixture::install_log_tracer();
    let fixture = USUAL.build_with(LogSettings { location: true, ..LogSettings::default() });
    fixture.run(|| {
        let _span = tracing::info_span!("span", inherited = 1).entered();
        log::warn!(target: "some::dependency", user = "ann", n = 3, debug:? = Some(1); "from log {}", 7);
        tracing::info!("not from log");
    });
    let record = fixture.record("from log 7");
    assert_eq!(record.scope, "some::dependency");
    assert_eq!(record.severity_number, Severity::Warn as i32);
    assert_eq!(record.text("user"), Some("ann"));
    assert_eq!(record.get("n"), int(3).as_ref());
    assert_eq!(record.text("debug"), Some("Some(1)"));
    assert_eq!(record.get("inherited"), int(1).as_ref());
    assert!(record.keys().iter().all(|key| !key.starts_with("log.")), "{record:?}");
    assert_eq!(record.text("code.file.path"), Some(file!()));
    assert_eq!(fixture.record("not from log").get("user"), None);
    fixture.run(|| tracing::info!(log.target = "kept", "a field of the user's"));
    assert_eq!(fixture.record("a field of the user's").text("log.target"), Some("kept"));
}

#[test]
fn log_records_through_tracing_logs_own_tracer_are_treated_alike() {
    use log::Log;
    let fixture = fixture();
    fixture.run(|| {
        let tracer = tracing_log::LogTracer::new();
        let record = log::Record::builder()
            .level(log::Level::Info)
            .target("some::dependency")
            .module_path(Some("some::module"))
            .file(Some("some.rs"))
            .line(Some(7))
            .args(format_args!("theirs"))
            .build();
        tracer.log(&record);
    });
    let record = fixture.record("theirs");
    assert_eq!((record.scope.as_str(), record.attributes.len()), ("some::dependency", 0));
}

#[test]
fn level_and_targets_are_filtered_inside_the_layer_by_the_real_target() {
    crate::fixture::install_log_tracer();
    let targets = tracing_subscriber::filter::Targets::new()
        .with_target("loud", tracing::Level::TRACE)
        .with_target("quiet", tracing::Level::ERROR);
    let level = tracing::level_filters::LevelFilter::DEBUG;
    let settings = LogSettings { level: Some(level), targets: Some(targets), ..LogSettings::default() };
    let fixture = USUAL.build_with(settings);
    fixture.run(|| {
        tracing::debug!(target: "loud::inner", "1");
        tracing::trace!(target: "loud", "2");
        tracing::info!(target: "quiet", "3");
        tracing::error!(target: "quiet", "4");
        tracing::error!(target: "other", "5");
        log::info!(target: "loud", "6");
        log::info!(target: "quiet", "7");
    });
    assert_eq!(fixture.bodies(), ["1", "4", "6"]);
    let stats = fixture.counters.snapshot();
    assert_eq!((stats.emitted, stats.delivered), (3, 3));
}

#[test]
fn two_log_layers_keep_their_own_settings() {
    use tracing_subscriber::layer::SubscriberExt;

    let records = [Capture::default(), Capture::default()];
    let [one, two] = records.each_ref().map(|records| spanlog::LogLayer::new(&records.provider()));
    let subscriber = tracing_subscriber::registry().with(one.with_span_fields(SpanFields::none())).with(two);
    tracing::subscriber::with_default(subscriber, || {
        tracing::info_span!("span", field = 1).in_scope(|| tracing::info!("x"));
    });
    let counts = records.map(|records| records.map(|record| record.attributes_iter().count()));
    assert_eq!(counts, [[0], [1]]);
}

#[test]
fn the_value_limit_leaves_an_error_that_is_the_body_alone() {
    let fixture = limited(Limits::default().with_value_length(5));
    let error = std::io::Error::other("third long text");
    fixture.run(|| {
        tracing::error!(error = %"first long text");
        tracing::error!(err = ?["second long text"]);
        tracing::error!(error = &error as &(dyn std::error::Error + 'static));
        tracing::error!(
            cause = &error as &(dyn std::error::Error + 'static),
            error = &std::fmt::Error as &(dyn std::error::Error + 'static)
        );
    });
    assert_eq!(fixture.record("first long text").text("error"), Some("first"));
    assert_eq!(fixture.record("[\"second long text\"]").text("err"), Some("[\"sec"));
    assert_eq!(fixture.record("third long text").text("exception.message"), Some("third"));
    let whole = "an error occurred when formatting an argument";
    assert_eq!(fixture.record(whole).text("error"), Some("an er"));
}

#[test]
fn control_fields_with_names_made_at_run_time_are_never_attributes_either() {
    use opentelemetry::KeyValue;
    crate::fixture::install_log_tracer();
    let fixture = fixture();
    fixture.run(|| {
        log::info!("otel.severity_number" = 21, "otel.other" = 1, kept = 2; "from log");
        spanlog::job::scope(spanlog::JobMetadata::new("j", ""), || {
            spanlog::job::set("otel.job", 1);
            let op = spanlog::op::start("t", "o", [KeyValue::new("otel.op", 1)]);
            op.set("otel.later", 1);
            op.in_scope(|| tracing::info!("in op"));
        });
    });
    assert_eq!(fixture.record("from log").severity_number, Severity::Fatal as i32);
    assert_eq!(fixture.record("from log").keys(), ["kept"]);
    assert_eq!(fixture.record("in op").keys(), ["runner_job.id", "nuon.tool", "nuon.op"]);
}

/// Guarantees: the ids of two jobs stay two, however short values must be.
#[test]
fn stamps_are_never_truncated() {
    let fixture = limited(Limits::default().with_value_length(4));
    fixture.run(|| {
        for id in ["job-1", "job-2"] {
            spanlog::job::scope(spanlog::JobMetadata::new(id, "execution"), || {
                spanlog::job::set("build", "long enough");
                let op = spanlog::op::start("terraform", "apply", []);
                op.in_scope(|| tracing::info!("{id}"));
            });
        }
    });
    for id in ["job-1", "job-2"] {
        let record = fixture.record(id);
        for (key, value) in [
            ("runner_job.id", id),
            ("runner_job_execution.id", "execution"),
            ("build", "long enough"),
            ("nuon.tool", "terraform"),
            ("nuon.op", "apply"),
        ] {
            assert_eq!(record.text(key), Some(value), "{key}");
        }
    }
    assert_eq!(fixture.counters.snapshot().truncated_values, 0);
}

/// Guarantees: a value that is truncated is counted for each record that has it, wherever it comes
/// from.
#[test]
fn truncated_values_are_counted_wherever_they_come_from() {
    crate::fixture::install_log_tracer();
    let fixture = limited(Limits::default().with_value_length(4));
    let counted = || fixture.counters.snapshot().truncated_values;
    fixture.run(|| {
        tracing::info!(own = "12345", short = "1234", "own");
        assert_eq!(counted(), 1);
        tracing::info_span!("span", inherited = "12345", fits = "1234").in_scope(|| {
            tracing::info!("first in span");
            assert_eq!(counted(), 2);
            tracing::info!(own = %"12345", "second in span");
            assert_eq!(counted(), 4);
        });
        log::info!(value = "12345", fits = "1234"; "from log");
        assert_eq!(counted(), 5);
        spanlog::trace::logger(&opentelemetry::Context::new()).with_field("field", "12345").info("entry");
        assert_eq!(counted(), 6);
    });
    assert_eq!(fixture.record("second in span").text("inherited"), Some("1234"));
    assert_eq!(fixture.record("from log").text("value"), Some("1234"));
}
