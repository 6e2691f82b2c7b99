//! Names of spans. The process keeps a limited number of them.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "support/spans.rs"]
mod spans;

use opentelemetry::Context;
use opentelemetry_sdk::trace::SpanData;
use spanlog::op;
use spanlog::trace::{self, TracingTracer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::Layer;

/// More names than are kept.
const NAMES: usize = 600;

/// Keeps the names of spans in `tracing`.
#[derive(Clone, Default)]
struct Called(std::sync::Arc<std::sync::Mutex<Vec<&'static str>>>);

impl<S: tracing::Subscriber> Layer<S> for Called {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        _: &tracing::span::Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        self.0.lock().unwrap().push(attributes.metadata().name());
    }
}

/// Runs `work`, and returns the finished spans and their names in `tracing`.
fn names_of(work: impl FnOnce()) -> (Vec<SpanData>, Vec<&'static str>) {
    let (provider, exporter) = spans::kept_spans();
    let called = Called::default();
    let subscriber = tracing_subscriber::registry().with(spans::span_layer(&provider)).with(called.clone());
    tracing::subscriber::with_default(subscriber, work);
    let called = called.0.lock().unwrap().clone();
    (exporter.get_finished_spans().unwrap(), called)
}

/// All of `NAMES` spans with a name of their own and one with the first's, each with its name;
/// `tracing` knows the first 512 names.
fn assert_named(finished: &[SpanData], called: &[&str], prefix: &str) {
    let names = |count: usize| (0..count).map(|number| format!("{prefix}{number}"));
    let first = format!("{prefix}0");
    let own: Vec<_> = names(NAMES).chain([first.clone()]).collect();
    assert_eq!(finished.iter().map(|span| span.name.to_string()).collect::<Vec<_>>(), own);
    let others = std::iter::repeat_n("span".to_owned(), NAMES - 512);
    let expected: Vec<_> = names(512).chain(others).chain([first]).collect();
    assert_eq!(called, expected);
}

/// Guarantees: a span has its own name even if a program uses more names than are kept.
#[test]
fn however_many_names_there_are_every_span_has_its_own() {
    let (finished, called) = names_of(|| {
        let top = trace::with_tracer(&Context::new(), TracingTracer::new());
        for number in (0..NAMES).chain([0]) {
            let (_cx, span) = trace::start_span(&top, &format!("pod {number}"));
            span.logger().info("said");
            span.end();
        }
    });
    assert!(finished.iter().all(|span| span.events.len() == 1));
    assert_named(&finished, &called, "pod ");
}

/// Guarantees: the same for ops; a layer that does not know them sees their names.
#[test]
fn every_layer_sees_ops_by_their_names_and_there_may_be_many() {
    let (finished, called) = names_of(|| {
        for number in (0..NAMES).chain([0]) {
            op::start("made", &number.to_string(), []).end(&Ok::<(), String>(()));
        }
    });
    assert_named(&finished, &called, "made.");
}
