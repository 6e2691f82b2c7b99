//! Spans against opentelemetry-proto, which encodes them for the SDK's exporters.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value as OtelValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks, SpanProcessor as _};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use crate::otlp::queue::truncate::truncate;
use crate::otlp::signal::Signal;
use crate::otlp::span::put_span;

fn value() -> impl Strategy<Value = OtelValue> {
    prop_oneof![
        any::<bool>().prop_map(OtelValue::Bool),
        any::<i64>().prop_map(OtelValue::I64),
        any::<f64>().prop_map(OtelValue::F64),
        ".{0,200}".prop_map(OtelValue::from),
        vec(any::<i64>(), 0..4).prop_map(|values| OtelValue::Array(Array::I64(values))),
        vec(".{0,9}", 0..4).prop_map(|values| {
            OtelValue::Array(Array::String(values.into_iter().map(Into::into).collect()))
        }),
    ]
}

pub(crate) fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((".{0,9}", value()), 0..5)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect())
}

fn span_context() -> impl Strategy<Value = SpanContext> {
    let state = prop_oneof![Just(""), Just("a=1"), Just("vendor=opaque,other=x")];
    (any::<u128>(), any::<u64>(), any::<bool>(), any::<bool>(), state).prop_map(
        |(trace, span, is_sampled, is_remote, state)| {
            let flags = if is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
            let state = state.parse::<TraceState>().unwrap_or_default();
            SpanContext::new(TraceId::from(trace), SpanId::from(span), flags, is_remote, state)
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    (".{0,20}", any::<u32>(), attributes(), 0_u32..3).prop_map(|(name, seconds, attributes, dropped)| {
        Event::new(name, UNIX_EPOCH + Duration::from_secs(seconds.into()), attributes, dropped)
    })
}

fn link() -> impl Strategy<Value = Link> {
    (span_context(), attributes(), 0_u32..3)
        .prop_map(|(span, attributes, dropped)| Link::new(span, attributes, dropped))
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Unset), Just(Status::Ok), ".{0,20}".prop_map(Status::error)]
}

fn kind() -> impl Strategy<Value = SpanKind> {
    use SpanKind::*;
    prop_oneof![Just(Client), Just(Server), Just(Producer), Just(Consumer), Just(Internal)]
}

pub(crate) fn scope() -> impl Strategy<Value = InstrumentationScope> {
    let text = || prop_oneof![Just(None), "[a-c]{1,2}".prop_map(Some)];
    ("[a-c]{0,2}", text(), text(), attributes()).prop_map(|(name, version, url, attributes)| {
        let scope = InstrumentationScope::builder(name).with_attributes(attributes);
        let scope = version.into_iter().fold(scope, |scope, version| scope.with_version(version));
        url.into_iter().fold(scope, |scope, url| scope.with_schema_url(url)).build()
    })
}

pub(crate) fn span() -> impl Strategy<Value = SpanData> {
    let times = (any::<u32>(), any::<u64>());
    let counts = (0_u32..300, 0_u32..3, 0_u32..3);
    let parent = (prop_oneof![Just(SpanId::INVALID), any::<u64>().prop_map(SpanId::from)], any::<bool>());
    let contents = (attributes(), vec(event(), 0..4), vec(link(), 0..3), status());
    (span_context(), parent, kind(), ".{0,200}", times, counts, contents, scope()).prop_map(
        |(span_context, parent, span_kind, name, times, counts, contents, instrumentation_scope)| {
            let start_time = UNIX_EPOCH + Duration::from_nanos(times.1 / 2);
            let (attributes, events, links, status) = contents;
            let mut all_events = SpanEvents::default();
            (all_events.events, all_events.dropped_count) = (events, counts.1);
            let mut all_links = SpanLinks::default();
            (all_links.links, all_links.dropped_count) = (links, counts.2);
            SpanData {
                span_context,
                parent_span_id: parent.0,
                parent_span_is_remote: parent.1,
                span_kind,
                name: Cow::Owned(name),
                start_time,
                end_time: start_time + Duration::from_nanos(times.0.into()),
                attributes,
                dropped_attributes_count: counts.0,
                events: all_events,
                links: all_links,
                status,
                instrumentation_scope,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guarantees: the bytes of a span are those that prost writes of what opentelemetry-proto makes
    /// of it.
    #[test]
    fn a_span_has_the_bytes_that_opentelemetry_proto_gives_it(span in span()) {
        let mut bytes = Vec::new();
        put_span(&mut bytes, &span);
        prop_assert_eq!(bytes, Span::from(span).encode_to_vec());
    }

    /// Guarantees: what a receiver gets is what the SDK's exporter would send, scopes included, but
    /// for the order of the scopes.
    #[test]
    fn a_request_has_the_spans_and_scopes_that_opentelemetry_proto_gives_them(spans in vec(span(), 1..8)) {
        let (pipeline, requests) = crate::testing::pipeline();
        let processor = pipeline.span_processor();
        let sampled: Vec<_> = spans.into_iter().filter(|span| span.span_context.is_sampled()).collect();
        sampled.iter().cloned().for_each(|span| processor.on_end(span));
        processor.force_flush().expect("it is delivered");
        let mut ours = Vec::new();
        for request in requests.span_bytes() {
            let request = ExportTraceServiceRequest::decode(&*request).expect("it is a request");
            ours.extend(request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans));
        }
        let resource = ResourceAttributesWithSchema::default();
        let mut theirs: Vec<_> = group_spans_by_resource_and_scope(sampled, &resource)
            .into_iter()
            .flat_map(|spans| spans.scope_spans)
            .collect();
        let key = |scope: &opentelemetry_proto::tonic::trace::v1::ScopeSpans| scope.encode_to_vec();
        ours.sort_by_key(key);
        theirs.sort_by_key(key);
        prop_assert_eq!(ours, theirs);
        prop_assert_eq!(pipeline.span_stats().delivered, pipeline.span_stats().emitted);
    }

    /// Guarantees: a span that is too large becomes one that fits, with the same ids and counts.
    #[test]
    fn a_span_that_is_too_large_is_truncated(span in span(), part in 0.5_f64..1.0) {
        let whole = Span::from(span).encode_to_vec();
        let most = (whole.len() as f64 * part) as usize;
        if let Some(truncated) = truncate(Signal::Traces, &whole, most) {
            prop_assert!(truncated.record.len() <= most);
            let (whole, span) = (Span::decode(&*whole), Span::decode(&*truncated.record));
            let (whole, span) = (whole.expect("a span"), span.expect("a span"));
            prop_assert_eq!((whole.trace_id, whole.name), (span.trace_id, span.name));
            prop_assert_eq!(whole.events.len(), span.events.len());
            prop_assert_eq!(whole.attributes.len(), span.attributes.len());
        }
    }
}
