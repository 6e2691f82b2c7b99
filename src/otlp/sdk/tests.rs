//! Batches against opentelemetry-proto, which encodes them for opentelemetry-otlp.

use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger, LoggerProvider};
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::logs::{LogBatch, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::Resource;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;

use crate::otlp::sdk::{logs_request, spans_request};
use crate::otlp::span::tests::{attributes, scope, span};
use crate::record::ALL_SEVERITIES;
use crate::value::any_value;

fn resource() -> impl Strategy<Value = Resource> {
    let keys = prop_oneof![Just(Vec::new()), Just(vec![KeyValue::new("service.name", "a")])];
    (keys, any::<bool>()).prop_map(|(attributes, has_url)| {
        let resource = Resource::builder_empty();
        match has_url {
            true => resource.with_schema_url(attributes, "https://schema.example/1").build(),
            false => resource.with_attributes(attributes).build(),
        }
    })
}

fn record() -> impl Strategy<Value = SdkLogRecord> {
    let ids = option::of((any::<u128>(), any::<u64>(), option::of(any::<u8>())));
    let texts = (option::of(Just("event")), option::of(Just("target")), option::of(".{0,200}"));
    let times = (option::of(any::<u32>()), any::<u32>());
    let severity = option::of(prop::sample::select(&ALL_SEVERITIES[1..]));
    (ids, texts, times, severity, attributes()).prop_map(
        |(ids, (event, target, body), times, severity, attributes)| {
            let mut record = SdkLoggerProvider::builder().build().logger("").create_log_record();
            let time = |seconds: u32| UNIX_EPOCH + Duration::from_secs(seconds.into());
            times.0.into_iter().for_each(|seconds| record.set_timestamp(time(seconds)));
            record.set_observed_timestamp(time(times.1));
            if let Some(severity) = severity {
                record.set_severity_number(severity);
                record.set_severity_text(severity.name());
            }
            event.into_iter().for_each(|name| record.set_event_name(name));
            target.into_iter().for_each(|target| record.set_target(target));
            body.into_iter().for_each(|body| record.set_body(AnyValue::from(body)));
            for KeyValue { key, value, .. } in attributes {
                record.add_attribute(key, any_value(value));
            }
            if let Some((trace, span, flags)) = ids {
                let flags = flags.map(TraceFlags::new);
                record.set_trace_context(TraceId::from(trace), SpanId::from(span), flags);
            }
            record
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Guarantees: a request of the SDK's records has what opentelemetry-otlp would send, but for
    /// the order of the scopes.
    #[test]
    fn a_request_has_the_records_that_opentelemetry_proto_makes(
        records in vec((record(), scope()), 1..6),
        resource in resource(),
    ) {
        let pairs: Vec<(&SdkLogRecord, &InstrumentationScope)> =
            records.iter().map(|(record, scope)| (record, scope)).collect();
        let batch = LogBatch::new(&pairs);
        let request = logs_request(&batch, &resource);
        let mut ours = ExportLogsServiceRequest::decode(&*request).expect("it is a request");
        let resource = ResourceAttributesWithSchema::from(&resource);
        let resource_logs = group_logs_by_resource_and_scope(&batch, &resource);
        let mut theirs = ExportLogsServiceRequest { resource_logs };
        prop_assert_eq!(request.len(), theirs.encoded_len());
        for request in [&mut ours, &mut theirs] {
            request.resource_logs[0].scope_logs.sort_by_key(|scope| scope.encode_to_vec());
        }
        prop_assert_eq!(ours, theirs);
    }

    /// Guarantees: a request of the SDK's spans has the bytes that opentelemetry-otlp would send.
    #[test]
    fn a_request_has_the_bytes_that_opentelemetry_proto_gives_it(
        spans in vec(span(), 1..6),
        resource in resource(),
    ) {
        let request = spans_request(&spans, &resource);
        let resource = ResourceAttributesWithSchema::from(&resource);
        let resource_spans = group_spans_by_resource_and_scope(spans, &resource);
        prop_assert_eq!(request, ExportTraceServiceRequest { resource_spans }.encode_to_vec());
    }
}
