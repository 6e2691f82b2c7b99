//! The names of spans, of which the process keeps the first.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

use opentelemetry::trace::TracerProvider;
use opentelemetry::Context;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use spanlog::trace::{self, TracingTracer};
use spanlog::SpanLayer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::Layer;

/// More than are kept.
const NAMES: usize = 600;

/// Notes what `tracing` calls the spans.
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

/// Guarantees: a span has its name also where a program makes up more names than are kept.
#[test]
fn however_many_names_there_are_every_span_has_its_own() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let spans = SpanLayer::new(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
    let called = Called::default();
    let subscriber = tracing_subscriber::registry().with(spans).with(called.clone());
    tracing::subscriber::with_default(subscriber, || {
        let top = trace::with_tracer(&Context::new(), TracingTracer::new());
        for number in (0..NAMES).chain([0]) {
            let (_cx, span) = trace::start_span(&top, &format!("pod {number}"));
            span.logger().info("said");
            span.end();
        }
    });
    let names = |count: usize| (0..count).map(|number| format!("pod {number}"));
    let own: Vec<_> = names(NAMES).chain(["pod 0".to_owned()]).collect();
    let finished = exporter.get_finished_spans().unwrap();
    assert_eq!(finished.iter().map(|span| span.name.to_string()).collect::<Vec<_>>(), own);
    assert!(finished.iter().all(|span| span.events.len() == 1));

    let called = called.0.lock().unwrap().clone();
    let others = std::iter::repeat_n("span".to_owned(), NAMES - 512);
    let expected: Vec<_> = names(512).chain(others).chain(["pod 0".to_owned()]).collect();
    assert_eq!(called, expected);
}
