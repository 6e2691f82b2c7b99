//! Contract §5: limits, layers, filters, jobs, and enclosing spans.

use std::sync::{Arc, Mutex};

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::{Context, KeyValue};
use spanlog::trace::{self, TracingLogger, TracingTracer, Value};
use spanlog::{job, op, JobMetadata, Limits};

use super::trace::{at_all_levels, each, each_of, ids, Back};
use crate::fixture::capture::Capture;
use crate::fixture::{attributes, Arrangement, LogSettings, Spans, USUAL};

#[test]
fn run_time_names_are_attributes_once_each_within_the_limits() {
    for arrangement in [USUAL, Arrangement { spans: Spans::None, ..USUAL }] {
        let limits = Limits::default().with_attribute_count(4).with_value_length(5);
        let fixture = arrangement.build_with(LogSettings { limits: Some(limits), ..LogSettings::default() });
        fixture.run(|| {
            let (cx, span) = trace::start_span(&Back::Otel.context(&fixture), "span");
            let names: Vec<String> = (0..6).map(|number| format!("key {number}")).collect();
            let cx = span.with_fields(&cx, names.into_iter().map(|name| (name, "grüße")));
            trace::logger(&cx).info("a body that is longer than the limit");
        });
        let record = fixture.record("a body that is longer than the limit");
        assert_eq!(record.keys(), ["key 0", "key 1", "key 2", "key 3"]);
        assert!(record.attributes.iter().all(|(key, _)| record.text(key) == Some("grü")), "{record:?}");
        let stats = fixture.counters.snapshot();
        assert_eq!(stats.dropped_attributes, 2);
    }
}

#[test]
fn fields_win_over_what_is_inherited_and_control_fields_are_no_attributes() {
    each(|fixture, back| {
        tracing::info_span!("around", pod = "outer", zone = "a").in_scope(|| {
            let (cx, span) = trace::start_span(&back.context(fixture), "span");
            let cx =
                span.with_fields(&cx, [("pod", Value::from("inner")), ("otel.severity_number", 10.into())]);
            trace::logger(&cx).with_field("message", "a field").info("said");
            span.end();
        });
        let record = fixture.record("said");
        assert_eq!(record.keys(), ["zone", "pod", "message"]);
        assert_eq!((record.text("pod"), record.severity_number), (Some("inner"), Severity::Info2 as i32));
        let own = attributes(&fixture.span("span"));
        assert!(!own.keys().any(|key| key.starts_with("otel.")), "{own:?}");
    });
}

#[test]
fn the_target_of_the_logger_is_the_scope_and_what_filters_go_by() {
    each(|fixture, back| {
        let logger = TracingLogger::new().with_target(format!("kube{}", "let"));
        let (cx, span) = trace::start_span(&trace::with_logger(&back.context(fixture), logger), "span");
        trace::logger(&cx).info("said");
        span.end();
        assert_eq!(fixture.record("said").scope, "kubelet");
    });
}

/// Guarantees: the job that the context has, else the one that the code runs in, is on the span and
/// on its entries, from wherever they are made; and ids and stamps are never of two jobs.
#[test]
fn the_job_is_on_spans_and_entries_wherever_they_are_made() {
    let meta = |id: &'static str| JobMetadata::new(id, "execution");
    each_of(at_all_levels(Arrangement::with_sampled_span_layer()), |fixture, back| {
        let (top, cx, span, bare) = job::scope(meta("a"), || {
            let (cx, span) = trace::start_span(&back.context(fixture), "of a");
            job::set("build.id", 7);
            // Its context names no job, but the code runs in one.
            let (_, bare) = trace::start_span(&back.with_tracer(&Context::new(), fixture), "bare");
            (back.context(fixture), cx, span, bare)
        });
        trace::logger(&cx).info("outside");
        job::scope(meta("b"), || {
            trace::logger(&cx).info("in b");
            // The context of a: it is that job's, whatever job the code runs in.
            let (_, child) = trace::start_span(&cx, "child");
            child.logger().info("of the child");
            child.end();
            let (_, late) = trace::start_span(&top, "late");
            late.logger().info("of a context without a span");
            late.end();
            let (_, other) = trace::start_span(&back.context(fixture), "of b");
            other.logger().info("of b");
            other.end();
            // One of a's spans, in a context of b.
            let _attached = cx.clone().attach();
            job::scope(meta("c"), || {
                let (cx, mixed) = trace::start_span(&Context::current(), "of c");
                trace::logger(&cx).info("of c");
                mixed.end();
            });
        });
        bare.end();
        span.end();
        for (body, job) in [
            ("outside", "a"),
            ("in b", "a"),
            ("of the child", "a"),
            ("of a context without a span", "a"),
            ("of b", "b"),
            ("of c", "c"),
        ] {
            let record = fixture.record(body);
            assert_eq!(record.text("runner_job.id"), Some(job), "{body}");
            assert_eq!(record.get("build.id").is_some(), job == "a", "{body}");
        }
        for (name, job) in
            [("of a", "a"), ("bare", "a"), ("child", "a"), ("late", "a"), ("of b", "b"), ("of c", "c")]
        {
            let own = attributes(&fixture.span(name));
            assert_eq!(own["runner_job.id"], job, "{name}");
        }
        let (a, c) = (fixture.span("of a"), fixture.span("of c"));
        assert_eq!(c.parent_span_id, a.span_context.span_id());
    });
}

/// Guarantees: fields of the enclosing tracing spans, above all an op's tool and operation, are on
/// the entries of spans that were started in them, also on other threads, and of their children.
#[test]
fn entries_inherit_from_where_their_span_was_started() {
    each_of(at_all_levels(Arrangement::with_sampled_span_layer()), |fixture, back| {
        let op = op::start("helm", "upgrade", [KeyValue::new("release", "web")]);
        let (cx, span) = op.in_scope(|| trace::start_span(&back.context(fixture), "span"));
        let later = |name: &'static str| {
            let (cx, _span) = (cx.clone(), &span);
            tracing::info_span!("unrelated", secret = 1).in_scope(|| {
                let (inner, child) = trace::start_span(&cx, name);
                trace::logger(&inner).info(name);
                child.end();
            });
        };
        later("here");
        std::thread::scope(|threads| {
            threads.spawn(|| fixture.run(|| later("there")));
        });
        span.end();
        op.end(&Ok::<(), String>(()));
        for body in ["here", "there"] {
            let record = fixture.record(body);
            assert_eq!(record.keys(), ["nuon.tool", "nuon.op", "release"], "{body}");
            assert_eq!(record.text("nuon.tool"), Some("helm"), "{body}");
        }
    });
}

#[test]
fn a_line_of_tracing_in_an_attached_span_has_its_ids() {
    each(|fixture, back| {
        let (cx, span) = trace::start_span(&back.context(fixture), "span");
        {
            let _attached = cx.clone().attach();
            tracing::info!("said");
        }
        span.end();
        assert_eq!(fixture.record("said").ids, ids(&cx));
    });
}

/// Guarantees: an entry of no span is a contextual event, with the ids of the innermost active
/// span.
#[test]
fn an_entry_of_no_span_belongs_where_it_is_made() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let around = tracing::info_span!("around");
        around.in_scope(|| trace::logger(&Context::new()).with_field("k", 1).info("said"));
        fixture.assert_in_span("said", &around);
        assert_eq!(fixture.record("said").keys(), ["k"]);
    });
}

/// Scenario: two log layers, and a console between them. Guarantees: each layer makes its record of
/// an entry, and the console shows the fields after the message.
#[test]
fn every_layer_sees_entries_and_the_console_shows_their_fields() {
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let console =
        tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false).without_time();
    let kept = [Capture::default(), Capture::default()];
    let subscriber = tracing_subscriber::registry()
        .with(spanlog::LogLayer::new(&kept[0].provider()))
        .with(console)
        .with(spanlog::LogLayer::new(&kept[1].provider()));
    tracing::subscriber::with_default(subscriber, || {
        let cx = trace::with_tracer(&Context::new(), TracingTracer::new());
        let (cx, span) = trace::start_span(&cx, "create_pod");
        let cx = span.with_field(&cx, "pod", "web \"0\"\u{1b}[31m\n");
        trace::logger(&cx).with_field("attempt", 2).warn("not yet");
        trace::logger(&cx).fatal("giving up");
        trace::logger(&Context::new()).info("plain");
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(
        text,
        " WARN create_pod: spanlog::trace: not yet pod=\"web \\\"0\\\"\\u{1b}[31m\\n\" attempt=2\n\
         ERROR create_pod: spanlog::trace: giving up level=fatal pod=\"web \\\"0\\\"\\u{1b}[31m\\n\"\n \
         INFO spanlog::trace: plain\n"
    );
    for records in kept {
        let seen = records.map(|record| (record.body().cloned(), record.attributes_iter().count()));
        let expected = [("not yet", 2), ("giving up", 1), ("plain", 0)]
            .map(|(body, count)| (Some(AnyValue::String(body.into())), count));
        assert_eq!(seen, expected);
    }
}

/// Guarantees: filters for other targets do not affect spans, and entries are filtered by their own
/// target.
#[test]
fn filters_act_on_entries_by_target_and_leave_spans_alone() {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{EnvFilter, Layer};
    let fixture = USUAL.build();
    let seen = Arc::new(Mutex::new(Vec::new()));
    struct Keep(Arc<Mutex<Vec<String>>>);
    impl<S: tracing::Subscriber> Layer<S> for Keep {
        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            self.0.lock().unwrap().push(event.metadata().target().to_owned());
        }
    }
    let subscriber = tracing_subscriber::registry()
        .with(EnvFilter::new("kubelet=info"))
        .with(spanlog::SpanLayer::new(tracing_opentelemetry::layer().with_tracer(fixture.tracer.clone())))
        .with(Keep(seen.clone()));
    tracing::subscriber::with_default(subscriber, || {
        let logger = TracingLogger::new().with_target("kubelet");
        for cx in [Context::new(), trace::with_logger(&Context::new(), logger)] {
            let (cx, span) = trace::start_span(&trace::with_tracer(&cx, TracingTracer::new()), "span");
            trace::logger(&cx).info("info");
            trace::logger(&cx).debug("debug");
            span.end();
        }
    });
    assert_eq!(*seen.lock().unwrap(), ["kubelet"]);
    let spans = fixture.spans();
    assert_eq!(spans.len(), 2);
    // Entries are on the span, whatever is filtered elsewhere.
    assert!(spans.iter().all(|span| span.events.len() == 2));
}
