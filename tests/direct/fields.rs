//! Everything that a record has arrives, however it is written.

use std::panic::catch_unwind;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Proto;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use spanlog::otlp::{Compression, Pipeline, Protocol};

use crate::http::Receiver;
use crate::kinds::{self, Kind, Value};
use crate::otlp::body;

const LONG: Duration = Duration::from_secs(20);

fn nanos() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

fn value(proto: &Proto) -> Value {
    match proto {
        Proto::BoolValue(value) => Value::Bool(*value),
        Proto::IntValue(value) => Value::Int(*value),
        Proto::DoubleValue(value) => Value::Double(*value),
        Proto::StringValue(value) => Value::Text(value.clone()),
        Proto::BytesValue(value) => Value::Bytes(value.clone()),
        other => panic!("{other:?}"),
    }
}

fn assert_is(record: &LogRecord, kind: &Kind) {
    assert_eq!((record.severity_number, record.severity_text.as_str()), kind.severity, "{kind:?}");
    assert_eq!(record.event_name, kind.event_name);
    let (trace_id, span_id, flags) = match &kind.span {
        Some(span) => (span.trace_id().to_bytes().to_vec(), span.span_id().to_bytes().to_vec(), 1),
        None => (Vec::new(), Vec::new(), 0),
    };
    assert_eq!((&record.trace_id, &record.span_id, record.flags), (&trace_id, &span_id, flags), "{kind:?}");
    let attributes: Vec<_> = record
        .attributes
        .iter()
        .map(|pair| (pair.key.clone(), value(pair.value.as_ref().unwrap().value.as_ref().unwrap())))
        .collect();
    // As text: NaN is not itself.
    assert_eq!(format!("{attributes:?}"), format!("{:?}", kind.attributes));
}

/// Guarantees: a record arrives with all that it was emitted with, and with the resource.
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
        let begun = nanos();
        let kinds = tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || {
            let mut kinds = kinds::emit();
            if protocol == Protocol::HttpProtobuf {
                kinds.push(kinds::emit_not_finite());
            }
            kinds
        });
        let ended = nanos();
        pipeline.flush(LONG).unwrap();
        let requests = receiver.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].header("content-encoding") == Some("gzip"), compression == Compression::Gzip);
        let resource = receiver.logs().remove(0).resource.unwrap();
        let name = resource.attributes.iter().find(|pair| pair.key == "service.name").unwrap();
        assert_eq!(name.value.as_ref().unwrap().value, Some(Proto::StringValue("fields".to_owned())));
        let records = receiver.records();
        assert_eq!(records.len(), kinds.len());
        for ((scope, record), kind) in records.iter().zip(&kinds) {
            assert_eq!(scope, "direct::kinds");
            assert_eq!(body(record), kind.body);
            assert!((begun..=ended).contains(&record.time_unix_nano));
            assert_eq!(record.time_unix_nano, record.observed_time_unix_nano);
            assert_is(record, kind);
            for altered in kinds::altered(kind) {
                assert!(catch_unwind(|| assert_is(record, &altered)).is_err(), "{altered:?}");
            }
        }
        let report = pipeline.shutdown(LONG);
        assert!(report.is_complete, "{report}");
        assert_eq!(report.stats.delivered, kinds.len() as u64);
    }
}
