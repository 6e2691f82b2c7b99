//! Every field of a record arrives, in every encoding.

use std::panic::catch_unwind;
use std::time::Duration;

use opentelemetry::trace::TraceFlags;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Proto;
use spanlog::otlp::{Compression, Pipeline, Protocol};

use crate::http::Receiver;
use crate::kinds::{self, Kind};
use crate::seen::Seen;

const LONG: Duration = Duration::from_secs(20);

fn assert_is(seen: &Seen, kind: &Kind) {
    let (number, text) = kind.severity;
    assert_eq!((seen.severity_number, seen.severity_text.as_deref()), (number, Some(text)), "{kind:?}");
    assert_eq!(seen.event_name.as_deref().unwrap_or_default(), kind.event_name);
    let ids = kind.span.as_ref().map(|span| (span.trace_id(), span.span_id()));
    assert_eq!((seen.ids, seen.flags), (ids, ids.map(|_| TraceFlags::SAMPLED)), "{kind:?}");
    // As text: NaN is not itself.
    assert_eq!(format!("{:?}", seen.attributes), format!("{:?}", kind.attributes));
}

/// Guarantees: a record arrives with everything it was emitted with, and with the resource.
#[test]
fn every_field_of_every_kind_of_record_arrives() {
    let ways = [
        (Protocol::HttpProtobuf, Compression::None),
        (Protocol::HttpProtobuf, Compression::Gzip),
        (Protocol::HttpJson, Compression::None),
        (Protocol::HttpJson, Compression::Gzip),
    ];
    for (protocol, compression) in ways {
        let receiver = Receiver::start();
        let pipeline = Pipeline::builder()
            .with_endpoint(receiver.url())
            .with_protocol(protocol)
            .with_compression(compression)
            .with_service_name("fields")
            .build()
            .unwrap();
        let begun = kinds::nanos();
        let kinds = tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || {
            let mut kinds = kinds::emit();
            if protocol == Protocol::HttpProtobuf {
                kinds.push(kinds::emit_not_finite());
            }
            kinds
        });
        let ended = kinds::nanos();
        pipeline.flush(LONG).unwrap();
        let requests = receiver.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].header("content-encoding") == Some("gzip"), compression == Compression::Gzip);
        let resource = receiver.logs().remove(0).resource.unwrap();
        let name = resource.attributes.iter().find(|pair| pair.key == "service.name").unwrap();
        assert_eq!(name.value.as_ref().unwrap().value, Some(Proto::StringValue("fields".to_owned())));
        let records = receiver.records();
        assert_eq!(records.len(), kinds.len());
        for ((scope, record), kind) in records.into_iter().zip(&kinds) {
            let seen = Seen::of_otlp(&scope, record);
            assert_eq!((seen.scope.as_str(), seen.body_text()), ("direct::kinds", kind.body.as_str()));
            assert!((begun.into()..=ended.into()).contains(&seen.unix_nanos.unwrap()));
            assert_eq!(seen.unix_nanos, seen.observed_unix_nanos);
            assert_is(&seen, kind);
            for altered in kinds::altered(kind) {
                assert!(catch_unwind(|| assert_is(&seen, &altered)).is_err(), "{altered:?}");
            }
        }
        let report = pipeline.shutdown(LONG);
        assert!(report.is_complete, "{report}");
        assert_eq!(report.stats.delivered, kinds.len() as u64);
    }
}

/// Guarantees: the resource of an SDK provider can be that of a pipeline, for both signals; what is set later wins.
#[test]
fn the_resource_of_a_provider_is_that_of_a_pipeline() {
    let resource = opentelemetry_sdk::Resource::builder_empty()
        .with_service_name("of the provider")
        .with_attribute(opentelemetry::KeyValue::new("team", "infra"))
        .build();
    let receiver = Receiver::start();
    let pipeline = Pipeline::builder().with_endpoint(receiver.url()).with_resource(&resource);
    let later = opentelemetry::KeyValue::new("team", "platform");
    let pipeline = pipeline.with_resource_attributes([later]).build().unwrap();
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
        .with_span_processor(pipeline.span_processor())
        .build();
    drop(opentelemetry::trace::Tracer::start(
        &opentelemetry::trace::TracerProvider::tracer(&provider, "test"),
        "span",
    ));
    tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || tracing::info!("record"));
    assert!(pipeline.shutdown(LONG).is_complete);
    let of_logs = receiver.logs().remove(0).resource.unwrap();
    let of_spans = receiver.resource_spans().remove(0).resource.unwrap();
    for resource in [of_logs, of_spans] {
        let attributes = crate::otlp::attributes(&resource.attributes);
        assert_eq!(
            (attributes["service.name"].as_str(), attributes["team"].as_str()),
            ("of the provider", "platform")
        );
    }
}
