//! Limits of the path through the SDK, as `docs/mapping.md` states them.

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::{Limits, LogLayer};
use tracing::{info, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

use crate::capture::Capture;
use crate::spans::{kept_spans, span_layer, subscriber};

#[test]
fn what_limits_cut_is_counted_in_stats_alone() {
    let records = Capture::default();
    let layer = LogLayer::new(&records.provider()).with_limits(Limits::default().with_attribute_count(1));
    let counters = layer.counters();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || info!(kept = 1, cut = 2, cut_too = 3, "limited"));
    assert_eq!(records.map(|record| record.attributes_iter().count()), [1]);
    assert_eq!(counters.snapshot().dropped_attributes, 2);
}

#[test]
fn no_ids_inside_an_active_span_are_the_invalid_context() {
    let records = Capture::default();
    let dispatch = subscriber(&SdkTracerProvider::default(), LogLayer::new(&records.provider()));
    tracing::dispatcher::with_default(&dispatch, || {
        info_span!("active").in_scope(|| info!(parent: None, "inside"));
        info!(parent: None, "outside");
    });
    let ids = records.map(|record| record.trace_context().map(|ids| (ids.trace_id, ids.span_id)));
    assert_eq!(ids, [Some((TraceId::INVALID, SpanId::INVALID)), None]);
}

#[test]
fn the_sdk_appends_an_attribute_that_is_set_again() {
    let (provider, spans) = kept_spans();
    let subscriber = tracing_subscriber::registry().with(span_layer(&provider));
    tracing::subscriber::with_default(subscriber, || {
        info_span!("span").in_scope(|| {
            tracing::Span::current().set_attribute("state", "new");
            tracing::Span::current().set_attribute("state", "done");
        });
    });
    let span = spans.get_finished_spans().unwrap().remove(0);
    assert_eq!(span.attributes.iter().filter(|attribute| attribute.key.as_str() == "state").count(), 2);
}
