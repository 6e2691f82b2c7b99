//! Tests that need their own process: a global subscriber, which sees an event inside another's
//! dispatch (a scoped one does not), and misbehaviour that could end the process.
//!
//! Each test runs itself again, once for each arrangement of layers.

use std::cell::Cell;
use std::fmt;

use opentelemetry::logs::AnyValue;
use opentelemetry::KeyValue;
use spanlog::{job, op, JobMetadata};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::fixture::capture::Capture;
use crate::fixture::spans::{ids_of, SamplerFn};
use crate::fixture::{self, Arrangement, Fixture, Hooks, Kind, Spans, Wrap};
use crate::process::{self, Isolated};

/// Runs `script` in a process for each of `arrangements`, which must succeed in time.
fn alone<F: Fn(&Fixture)>(arrangements: &[Arrangement], script: F) {
    alone_with(arrangements, Arrangement::build, script);
}

fn alone_with<F: Fn(&Fixture)>(
    arrangements: &[Arrangement],
    build: impl Fn(Arrangement) -> Fixture,
    script: F,
) {
    assert!(!arrangements.is_empty());
    if let Some(which) = process::part() {
        let arrangement = arrangements.iter().find(|arrangement| format!("{arrangement:?}") == which);
        let fixture = build(*arrangement.unwrap());
        tracing::dispatcher::set_global_default(fixture.dispatch.clone()).unwrap();
        script(&fixture);
        return;
    }
    for arrangement in arrangements {
        Isolated::of::<F>().part(&format!("{arrangement:?}")).run(&[]);
    }
}

fn with_spans() -> Vec<Arrangement> {
    Arrangement::with_spans().into_iter().filter(|it| it.sampled).collect()
}

struct Logs;

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::warn!(inner = 1, "from a Debug");
        f.write_str("logs")
    }
}

struct Records;

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::Span::current().record("later", "recorded by a Debug");
        f.write_str("records")
    }
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        // Not `panic!`: its message would clutter the output.
        std::panic::resume_unwind(Box::new("a Debug that panics"))
    }
}

struct Huge;

const HUGE: usize = 50 * 1024 * 1024;

impl fmt::Debug for Huge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = "x".repeat(1024);
        (0..HUGE / part.len()).try_for_each(|_| f.write_str(&part))
    }
}

struct Fails;

impl fmt::Debug for Fails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("begun")?;
        Err(fmt::Error)
    }
}

#[test]
fn a_debug_that_logs() {
    alone(&with_spans(), |fixture| {
        let span = tracing::info_span!("span", field = ?Logs, later = Empty);
        span.in_scope(|| {
            tracing::warn!(field = ?Logs, "{:?}", Logs);
            span.record("later", tracing::field::debug(Logs));
        });
        let record = fixture.record("logs");
        assert_eq!(record.text("field"), Some("logs"));
        fixture.assert_in_span("logs", &span);
        let inner: Vec<_> =
            fixture.records().into_iter().filter(|it| it.body_text() == "from a Debug").collect();
        assert!(inner.len() >= 3, "{inner:#?}");
        let ids = fixture.ids_of(&span);
        assert!(inner.iter().any(|record| record.ids == ids));
        assert!(inner.iter().all(|record| record.ids == ids || record.ids.is_none()));
    });
}

#[test]
fn a_debug_that_records_on_the_current_span() {
    alone(&with_spans(), |fixture| {
        let span = tracing::info_span!("span", field = ?Records, later = Empty);
        span.in_scope(|| {
            tracing::warn!(field = ?Records, "{:?}", Records);
            tracing::warn!("after");
            span.record("later", tracing::field::debug(Records));
            let _child = tracing::info_span!("child", field = ?Records).entered();
        });
        assert_eq!(fixture.record("records").text("field"), Some("records"));
        assert_eq!(fixture.record("after").text("later"), Some("recorded by a Debug"));
    });
}

#[test]
fn a_debug_that_panics() {
    // A plain `OpenTelemetryLayer` formats the value as well, and a panic in it is not ours to
    // catch.
    let arrangements: Vec<_> = with_spans()
        .into_iter()
        .chain(Arrangement::without_spans())
        .filter(|arrangement| arrangement.spans != Spans::Plain)
        .collect();
    alone(&arrangements, |fixture| {
        let span = tracing::info_span!("span", before = 1, field = ?Panics, after = 2, later = Empty);
        span.in_scope(|| {
            tracing::warn!(before = 3, field = ?Panics, after = 4, "one");
            span.record("later", tracing::field::debug(Panics));
            tracing::warn!("two {:?}", Panics);
            tracing::warn!("three");
        });
        let one = fixture.record("one");
        assert_eq!(one.text("field"), Some("half"));
        assert_eq!(one.get("after"), Some(&AnyValue::Int(4)));
        assert_eq!(fixture.record("two half").get("after"), Some(&AnyValue::Int(2)));
        assert_eq!(fixture.record("three").text("later"), Some("half"));
        if fixture.arrangement.spans == Spans::Ours {
            fixture.assert_in_span("one", &span);
            fixture.assert_in_span("three", &span);
            let child = tracing::info_span!(parent: &span, "child");
            child.in_scope(|| tracing::warn!("in the child"));
            drop((child, span));
            let attributes = fixture::attributes(&fixture.span("span"));
            assert_eq!(attributes["field"], "half");
            assert_eq!(attributes["after"], "2");
            assert_eq!(fixture.span("child").parent_span_id, fixture.span("span").span_context.span_id());
        }
        let stats = fixture.counters.snapshot();
        assert_eq!(stats.panicked_values, 2, "{stats:?}");
        assert_eq!(stats.emitted, stats.delivered);
    });
}

#[test]
fn a_debug_of_50_mib_and_one_that_fails() {
    let arrangements = Arrangement::with_sampled_span_layer();
    alone(&arrangements[..4], |fixture| {
        let span = tracing::info_span!("span", huge = ?Huge, fails = ?Fails);
        span.in_scope(|| {
            tracing::warn!(own = ?Huge, own_fails = ?Fails, "x");
            tracing::warn!("{:?}", Fails);
        });
        let record = fixture.record("x");
        assert_eq!(record.text("huge").map(str::len), Some(HUGE));
        assert_eq!(record.text("own").map(str::len), Some(HUGE));
        assert_eq!(record.text("fails"), Some("begun"));
        assert_eq!(record.text("own_fails"), Some("begun"));
        assert_eq!(fixture.record("begun").get("own"), None);
        assert_eq!(fixture.counters.snapshot().failed_values, 2);
    });
}

/// Guarantees: with a value limit, a huge value is neither built nor kept.
#[test]
fn a_limited_value_stops_being_formatted_at_the_limit() {
    struct Counts<'a>(&'a Cell<usize>);
    impl fmt::Debug for Counts<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                self.0.set(self.0.get() + 1);
                f.write_str("0123456789")?;
            }
        }
    }
    let limited = |arrangement: Arrangement| {
        let limits = spanlog::Limits::default().with_value_length(25);
        arrangement.build_with(fixture::LogSettings { limits: Some(limits), ..Default::default() })
    };
    alone_with(&[fixture::USUAL], limited, |fixture| {
        let count = Cell::new(0);
        tracing::warn!(endless = ?Counts(&count), "x");
        assert_eq!(fixture.record("x").text("endless"), Some("0123456789012345678901234"));
        assert_eq!(count.get(), 3);
        assert_eq!(fixture.counters.snapshot().truncated_values, 1);
    });
}

#[test]
fn each_value_is_formatted_once() {
    struct Counts<'a>(&'a Cell<usize>);
    impl fmt::Debug for Counts<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str("counted")
        }
    }
    let arrangements = Arrangement::with_sampled_span_layer();
    alone(&arrangements, |fixture| {
        let (of_span, of_event, of_body) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let span = tracing::info_span!("span", counted = ?Counts(&of_span));
        span.in_scope(|| tracing::warn!(own = ?Counts(&of_event), "body {:?}", Counts(&of_body)));
        tracing::warn!(parent: &span, "another");
        drop(span);
        assert_eq!((of_span.get(), of_event.get(), of_body.get()), (1, 1, 1));
        assert_eq!(fixture.record("another").text("counted"), Some("counted"));
        assert_eq!(fixture::attributes(&fixture.span("span"))["counted"], "counted");
    });
}

#[test]
fn events_from_drop_during_unwinding() {
    struct LogsOnDrop;
    impl Drop for LogsOnDrop {
        fn drop(&mut self) {
            let span = tracing::info_span!("clean-up");
            span.in_scope(|| tracing::warn!("while unwinding"));
        }
    }
    alone(&with_spans(), |fixture| {
        let span = tracing::info_span!("span");
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _entered = span.enter();
            let _logs = LogsOnDrop;
            std::panic::resume_unwind(Box::new("unwinds"));
        }));
        assert!(fixture.record("while unwinding").ids.is_some());
        tracing::warn!("after");
        assert_eq!(fixture.record("after").ids, None, "the span was left by unwinding");
    });
}

/// Guarantees: no abort and no hang, whenever the thread-local was created and whatever its
/// destructor does; what cannot be emitted is counted.
#[test]
fn events_from_thread_local_destructors() {
    struct LogsAtExit(Option<tracing::Span>);
    impl Drop for LogsAtExit {
        fn drop(&mut self) {
            tracing::warn!("contextual at exit");
            tracing::warn!(parent: None, "root at exit");
            if let Some(span) = &self.0 {
                tracing::warn!(parent: span, "explicit at exit");
                span.in_scope(|| tracing::warn!("entered at exit"));
            }
            spanlog::job::scope(spanlog::JobMetadata::new("j", "e"), || {
                // No `info_span!` here: tracing-subscriber's registry itself panics then.
                spanlog::job::set("k", 1);
                let op = spanlog::op::start("t", "at exit", []);
                op.in_scope(|| tracing::warn!("op at exit"));
                op.end(&Ok::<(), String>(()));
            });
        }
    }
    thread_local! {
        static EARLY: LogsAtExit = const { LogsAtExit(None) };
        static LATE: std::cell::RefCell<LogsAtExit> = const { std::cell::RefCell::new(LogsAtExit(None)) };
    }
    let arrangements = Arrangement::with_sampled_span_layer();
    alone(&arrangements, |fixture| {
        for early in [true, false] {
            for used in [true, false] {
                std::thread::spawn(move || {
                    if early {
                        EARLY.with(|_| ());
                    }
                    if used {
                        let span = tracing::info_span!("of the thread");
                        span.in_scope(|| tracing::warn!("alive"));
                        LATE.with(|late| late.borrow_mut().0 = Some(span));
                    } else {
                        LATE.with(|_| ());
                    }
                })
                .join()
                .unwrap();
            }
        }
        let stats = fixture.counters.snapshot();
        // Six thread-locals of three lines, two of them with two more, and two lines while alive.
        let lines = 6 * 3 + 2 * 2 + 2;
        assert_eq!(stats.emitted, lines, "{stats:?}");
        assert_eq!(stats.emitted, stats.delivered + stats.dropped(), "{stats:?}");
        assert!(stats.delivered >= 2);
    });
}

/// Scenario: between our events a dependency calls `log::log_enabled!`, which the per-layer filter
/// of another layer rejects. That layer loses the next event (tokio-rs/tracing#2519).
///
/// Guarantees: ours, which has no per-layer filter, gets every one.
#[test]
fn log_enabled_in_a_dependency_costs_the_layer_no_record() {
    let arrangements: Vec<_> = with_log_enabled(Arrangement::all());
    alone(&arrangements, |fixture| {
        log_around_a_dependency(fixture);
        assert_eq!(fixture.bodies(), ["before", "next", "after"]);
        assert_eq!(fixture.neighbours_events(), 2, "the neighbour is to lose one");
    });
}

/// Guarantees: the arrangement is one in which records can be lost. Our layer inside `with_filter`
/// loses one, which is why the documentation advises against it.
#[test]
fn a_per_layer_filter_on_the_layer_loses_a_record_to_log_enabled() {
    let arrangements: Vec<_> = with_log_enabled(Arrangement::all())
        .into_iter()
        .filter(|arrangement| arrangement.wrap == Wrap::Bare)
        .map(|arrangement| Arrangement { wrap: Wrap::Filtered, ..arrangement })
        .collect();
    alone(&arrangements, |fixture| {
        log_around_a_dependency(fixture);
        assert_eq!(fixture.bodies(), ["before", "after"]);
    });
}

fn with_log_enabled(arrangements: Vec<Arrangement>) -> Vec<Arrangement> {
    arrangements.into_iter().filter(|arrangement| arrangement.log_enabled).collect()
}

fn log_around_a_dependency(fixture: &Fixture) {
    tracing::warn!("before");
    fixture::ask_log(fixture.arrangement);
    tracing::warn!("next");
    tracing::warn!("after");
}

/// Guarantees: events before and during the shutdown of the tracer are records like any other.
/// After that of the logs, the SDK's processors still get records, ids included; the direct
/// pipeline accepts none, and each is counted.
#[test]
fn events_during_and_after_shutdown() {
    let logs_at_shutdown = |arrangement: Arrangement| {
        let hooks = Hooks { start: || (), end: || (), shutdown: || tracing::warn!("during") };
        arrangement.build_traced(|provider| provider.with_span_processor(hooks))
    };
    alone_with(&with_spans(), logs_at_shutdown, |fixture| {
        let span = tracing::info_span!("span").entered();
        tracing::warn!("before");
        fixture.tracer_provider.shutdown().unwrap();
        fixture.shut_down_logs();
        tracing::warn!("after");
        let ids = fixture.ids_of(&span);
        assert!(ids.is_some());
        drop(span);
        tracing::info_span!("late").in_scope(|| tracing::error!("late"));

        let all = [("before", ids), ("during", ids), ("after", ids), ("late", None)];
        let arrived = match crate::KIND {
            Kind::Sdk => &all[..],
            Kind::Direct => &all[..2],
        };
        let records = fixture.records();
        let seen: Vec<_> = records.iter().map(|record| (record.body_text(), record.ids)).collect();
        assert_eq!(seen, arrived);
        let stats = fixture.counters.snapshot();
        let lost = (all.len() - arrived.len()) as u64;
        assert_eq!((stats.emitted, stats.delivered), (4, 4 - lost), "{stats:?}");
        assert_eq!((stats.dropped(), stats.dropped_overflow), (lost, lost), "{stats:?}");
    });
}

/// Guarantees: the events of a log processor are not records, and each is counted.
#[test]
fn a_log_processor_that_logs_does_not_go_round_in_circles() {
    use tracing_subscriber::layer::SubscriberExt;

    let child = process::isolated(|_| {
        let chatty = Capture::observing(|_| tracing::warn!("from the processor"));
        let layer = spanlog::LogLayer::new(&chatty.provider());
        let counters = layer.counters();
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
        tracing::warn!("one");
        let stats = counters.snapshot();
        assert_eq!((stats.emitted, stats.delivered, stats.dropped_reentrant), (2, 1, 1));
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

#[test]
fn a_line_logged_while_telemetry_is_suppressed_is_an_exporters_and_is_counted() {
    alone(&[fixture::USUAL], |fixture| {
        let suppressed = opentelemetry::Context::enter_telemetry_suppressed_scope();
        tracing::warn!("exporter's");
        drop(suppressed);
        tracing::warn!("user's");
        assert_eq!(fixture.records().len(), 1);
        let stats = fixture.counters.snapshot();
        assert_eq!((stats.emitted, stats.delivered, stats.dropped_suppressed), (2, 1, 1));
    });
}

/// Guarantees: what an exporter's client logs on its own threads causes no next request, whatever the
/// exporter is.
#[test]
fn the_verbose_lines_of_an_exporters_client_make_no_records() {
    use spanlog::LogLayer;
    use tracing_subscriber::layer::SubscriberExt;

    let kept = |change: fn(LogLayer<spanlog::SdkRecords<opentelemetry_sdk::logs::SdkLogger>>) -> _| {
        let capture = crate::fixture::capture::Capture::default();
        let layer = change(LogLayer::new(&capture.provider()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::debug!(target: "h2::client", "of a client");
            tracing::info!(target: "hyper", "rare");
            tracing::debug!(target: "hyperion", "of the program");
        });
        capture.map(|record| record.target().unwrap().to_string())
    };
    assert_eq!(kept(|layer| layer), ["hyper", "hyperion"]);
    assert_eq!(kept(|layer| layer.with_exporter_targets(["hyperion"])), ["h2::client", "hyper"]);
}

/// Guarantees: with start records, each execution, step and op logs one when it starts, with the ids and the
/// attributes of its span; without, none does.
#[test]
fn an_op_can_say_that_it_starts() {
    let arrangements: Vec<_> = Arrangement::with_sampled_span_layer()
        .into_iter()
        .filter(|it| it.level == LevelFilter::TRACE && it.sampled)
        .collect();
    alone(&arrangements, |fixture| {
        let done = Ok::<(), String>(());
        op::start("helm", "lint", []).end(&done);
        assert_eq!(fixture.records().len(), 0);
        op::set_start_records(true);
        let execution = job::execution(JobMetadata::new("job-1", "execution-1"), "deploy");
        let step = execution.step("plan");
        step.in_scope(|| op::start("helm", "upgrade", []).end(&done));
        step.end(&done);
        execution.end(&done);
        let records = fixture.records();
        let started = ["job.deploy", "step.plan", "helm.upgrade"];
        assert_eq!(records.len(), started.len());
        for (record, name) in records.iter().zip(started) {
            assert_eq!(record.body, Some(AnyValue::from(format!("{name} started"))));
            assert_eq!(record.event_name.as_deref(), Some("span.start"));
            assert_eq!(record.ids, Some(ids_of(&fixture.span(name))));
            assert!(record.attributes.iter().any(|(_, value)| *value == AnyValue::from("execution-1")));
        }
    });
}

fn with_span_events() -> Vec<Arrangement> {
    let all = Arrangement::with_sampled_span_layer().into_iter().filter(|it| it.wrap == Wrap::Bare);
    all.map(|it| Arrangement { span_events: LevelFilter::TRACE, ..it }).collect()
}

/// The names of the events of the one finished span of this name.
fn events_of(fixture: &Fixture, span: &str) -> Vec<String> {
    fixture.span(span).events.iter().map(|event| event.name.to_string()).collect()
}

/// Scenario: values of copied events log, record on the span, or panic.
///
/// Guarantees: no deadlock and no panic, and the span has what could be formatted.
#[test]
fn hostile_values_of_copied_events() {
    alone(&with_span_events(), |fixture| {
        let span = tracing::info_span!("span", later = Empty);
        let never = tracing::info_span!("never entered", later = Empty);
        span.in_scope(|| {
            tracing::warn!(field = ?Logs, "{:?}", Logs);
            tracing::warn!(field = ?Records, "{:?}", Records);
            tracing::warn!(before = 1, field = ?Panics, after = 2, "{:?}", Panics);
            tracing::warn!(parent: &never, field = ?Logs, "explicit");
            span.record("later", tracing::field::debug(Logs));
        });
        drop((span, never));
        let events = events_of(fixture, "span");
        let own: Vec<_> = events.iter().filter(|name| *name != "from a Debug").collect();
        assert_eq!(own, ["logs", "records", "half"]);
        assert!(events.contains(&"from a Debug".to_owned()), "{events:?}");
        let event = fixture.span("span").events.iter().find(|event| event.name == "half").cloned().unwrap();
        let fields: Vec<_> = event.attributes[2..].iter().map(|own| own.value.to_string()).collect();
        assert_eq!(fields, ["1", "half", "2"]);
        assert_eq!(events_of(fixture, "never entered"), ["explicit"]);
    });
}

/// Scenario: a sampler logs while a span starts: because it is entered, because an event is copied
/// into it, and because the program asks for its context.
///
/// Guarantees: nothing hangs, and that line is in no span.
#[test]
fn a_sampler_that_logs_does_not_hang_where_events_are_copied() {
    let sampler = SamplerFn(|_, _: &str, _: &[KeyValue]| {
        tracing::warn!("asked to sample");
        true
    });
    let build = |arrangement: Arrangement| {
        arrangement.build_traced(|provider| provider.with_sampler(sampler.clone()))
    };
    alone_with(&with_span_events(), build, |fixture| {
        let entered = tracing::info_span!("entered");
        entered.in_scope(|| {
            let named = tracing::info_span!("named");
            tracing::warn!(parent: &named, "to a parent");
            let asked = tracing::info_span!("asked for");
            let _ = asked.context();
            asked.in_scope(|| tracing::warn!("inside"));
            let current = tracing::info_span!("current").entered();
            let _ = current.context();
        });
        drop(entered);
        for (span, expected) in
            [("entered", &[][..]), ("named", &["to a parent"]), ("asked for", &["inside"]), ("current", &[])]
        {
            assert_eq!(events_of(fixture, span), expected, "{span}");
        }
    });
}

/// Guarantees: a panic that ends an op is on its span once, as its `exception` event. In any other
/// span it is the hook's event.
#[test]
fn a_panic_is_on_the_span_of_an_op_once() {
    alone(&with_span_events()[..2], |fixture| {
        std::panic::set_hook(Box::new(|_| ()));
        spanlog::PanicHook::new().set();
        let fails = || op::run("t", "o", [], || -> Result<(), String> { panic!("on purpose") });
        let _ = std::panic::catch_unwind(|| drop(fails()));
        let _ = std::panic::catch_unwind(|| tracing::info_span!("span").in_scope(|| panic!("again")));
        assert_eq!(events_of(fixture, "t.o"), ["exception"]);
        assert_eq!(events_of(fixture, "span"), ["panicked: again"]);
    });
}
