//! Contract §5: which logger an entry goes to, and how often.

use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::Context;
use spanlog::trace::{self, Entry, Fields, Level, Logger, NopLogger, NopTracer, TracingLogger};

use super::trace::{each, events, ids, Back};

/// A line, and its span.
type Said = (String, Option<SpanContext>);

/// A user's logger, which keeps its entries.
#[derive(Clone, Debug, Default)]
pub struct Own {
    fields: Fields,
    said: Arc<Mutex<Vec<Said>>>,
}

impl Logger for Own {
    fn log(&self, entry: &Entry<'_>) {
        let line = format!("{} {} {}", entry.level(), entry.message(), self.fields.merged(entry.fields()));
        self.said.lock().unwrap().push((line, entry.span_context()));
    }

    fn derive(&self, fields: Fields) -> Arc<dyn Logger> {
        Arc::new(Self { fields: self.fields.merged(&fields), said: self.said.clone() })
    }
}

#[test]
fn a_configured_logger_gets_each_entry_once_with_the_spans_ids() {
    each(|fixture, back| {
        let own = Own::default();
        let top = trace::with_logger(&back.context(fixture), own.clone());
        let top = trace::with_logger(&top, trace::logger(&top).with_field("node", "n1"));
        let (cx, span) = trace::start_span(&top, "span");
        let cx = span.with_field(&cx, "pod", "web-0");
        let (inner, child) = trace::start_span(&cx, "child");
        trace::logger(&cx).with_field("attempt", 1).info("one");
        trace::logger(&inner).info("two");
        child.end();
        span.end();
        let said = own.said.lock().unwrap().clone();
        let expected = [
            ("info one node=\"n1\" pod=\"web-0\" attempt=1".to_owned(), cx.span().span_context().clone()),
            ("info two node=\"n1\" pod=\"web-0\"".to_owned(), inner.span().span_context().clone()),
        ]
        .map(|(line, span)| (line, Some(span)));
        assert_eq!(said, expected);
        // `tracing` is where the tracing back end's spans live, so every layer sees entries in
        // them.
        let records = if back == Back::Tracing { 2 } else { 0 };
        assert_eq!(fixture.records().len(), records);
        assert_eq!((fixture.span("span").events.len(), fixture.span("child").events.len()), (1, 1));
    });
}

#[test]
fn a_no_op_span_passes_the_ambient_logger_through_and_silences_nothing() {
    each(|fixture, back| {
        // No span around it: the default logger.
        let nop = trace::with_tracer(&Context::current(), NopTracer::new());
        let (cx, span) = trace::start_span(&nop, "nothing");
        span.logger().info("of the default");
        trace::logger(&span.with_field(&cx, "k", 1)).info("with a field");
        span.set_status(None);
        span.end();
        assert_eq!(fixture.record("of the default").ids, None);
        assert_eq!(fixture.record("with a field").keys(), ["k"]);

        // A span around it: that one's.
        let (cx, outer) = trace::start_span(&back.context(fixture), "outer");
        let (nop, span) = trace::start_span(&trace::with_tracer(&cx, NopTracer::new()), "nothing");
        span.logger().info("of the outer span");
        span.end();
        outer.end();
        assert_eq!(fixture.record("of the outer span").ids, ids(&cx));
        assert_eq!(ids(&nop), ids(&cx));
        assert_eq!(fixture.span("outer").events.len(), 1);

        // A logger of the user's own.
        let own = Own::default();
        let (cx, span) = trace::start_span(&trace::with_logger(&nop, own.clone()), "nothing");
        span.logger().info("own");
        trace::logger(&span.with_field(&cx, "k", 1)).info("own");
        assert_eq!(own.said.lock().unwrap().len(), 2);

        // Only an explicit `NopLogger` is silent.
        let (cx, span) =
            trace::start_span(&trace::with_logger(&back.context(fixture), NopLogger::new()), "quiet");
        let cx = span.with_field(&cx, "k", 1);
        trace::logger(&cx).with_field("more", 2).fatal("unheard");
        span.end();
        let heard = fixture.records().iter().any(|record| record.body_text() == "unheard");
        assert_eq!(heard, back == Back::Tracing);
        assert_eq!(events(fixture, "quiet").len(), 1);
    });
}

/// Guarantees: what a context's logger knew before there was a span is on the record and on the
/// event, and later fields win.
#[test]
fn fields_of_the_logger_around_are_on_entries_of_the_span() {
    each(|fixture, back| {
        let top = back.context(fixture);
        let around = trace::logger(&top).with_fields([("node", "n1"), ("zone", "a"), ("phase", "x")]);
        let (cx, span) = trace::start_span(&trace::with_logger(&top, around), "span");
        let cx = span.with_field(&cx, "zone", "b");
        trace::logger(&cx).with_field("phase", "y").info("said");
        span.end();
        let record = fixture.record("said");
        let own = ["node", "zone", "phase"].map(|key| record.text(key).unwrap_or_default().to_owned());
        assert_eq!(own, ["n1", "b", "y"]);
        let event = [("level", "info"), ("node", "n1"), ("zone", "b"), ("phase", "y")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(events(fixture, "span"), [("said".to_owned(), event.to_vec())]);
        assert!(!crate::fixture::attributes(&fixture.span("span")).contains_key("node"));
    });
}

/// Passes entries on to `tracing` without secrets.
#[derive(Debug)]
struct Redacts(TracingLogger, Fields);

impl Logger for Redacts {
    fn log(&self, entry: &Entry<'_>) {
        let message = entry.message().to_string().replace("hunter2", "…");
        let fields = self.1.merged(entry.fields()).merged(&Fields::from([("password", None::<&str>)]));
        self.0.log(&entry.with_message(format_args!("{message}")).with_fields(&fields));
    }

    fn derive(&self, fields: Fields) -> Arc<dyn Logger> {
        Arc::new(Self(self.0.clone(), self.1.merged(&fields)))
    }
}

/// Guarantees: an entry that the configured logger passes on to `tracing` is one record, as that
/// logger wrote it, also with the back end that itself passes entries to `tracing`.
#[test]
fn a_logger_that_propagates_failure_to_tracing_makes_one_record_with_the_spans_ids() {
    each(|fixture, back| {
        let logger = Redacts(TracingLogger::new().with_target("kubelet"), Fields::new());
        let (cx, span) = trace::start_span(&trace::with_logger(&back.context(fixture), logger), "span");
        let fields = [("password", "hunter2"), ("user", "ann")];
        trace::logger(&cx).with_fields(fields).info("hunter2 is right");
        span.end();
        assert_eq!(fixture.records().len(), 1);
        let record = fixture.record("… is right");
        assert_eq!((record.ids, record.scope.as_str()), (ids(&cx), "kubelet"));
        assert_eq!(record.keys(), ["user"]);
    });
}

/// Guarantees: a logger does not get entries of levels that it disables, and the span still has
/// them.
#[test]
fn what_a_logger_does_not_want_it_does_not_get() {
    #[derive(Clone, Debug)]
    struct Warnings(Own);
    impl Logger for Warnings {
        fn log(&self, entry: &Entry<'_>) {
            self.0.log(entry);
        }
        fn derive(&self, fields: Fields) -> Arc<dyn Logger> {
            self.0.derive(fields)
        }
        fn is_enabled(&self, level: Level) -> bool {
            level >= Level::Warn
        }
    }
    each(|fixture, back| {
        let own = Own::default();
        let top = trace::with_logger(&back.context(fixture), Warnings(own.clone()));
        let (cx, span) = trace::start_span(&top, "span");
        for cx in [top, cx] {
            trace::logger(&cx).info("info");
            trace::logger(&cx).warn_fmt(format_args!("warn"));
        }
        span.end();
        let said: Vec<_> = own.said.lock().unwrap().iter().map(|(line, _)| line.clone()).collect();
        assert_eq!(said, ["warn warn ", "warn warn "]);
        assert_eq!(fixture.span("span").events.len(), 2);
    });
}
