//! Encoded records and requests are byte for byte what prost writes.

use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::TraceFlags;
use opentelemetry::{Key, SpanId, TraceId};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value, AnyValue as ProtoValue, *};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use proptest::prelude::*;
use prost::Message;

use crate::otlp::deliver::request::{Batch, Resource};
use crate::otlp::queue::limits::{QueueLimits, MIN_MEMORY};
use crate::otlp::queue::{Overflow, Queue};
use crate::otlp::record::DirectRecord;
use crate::record::{severity_of_number, Ids, Record, Target};
use crate::stats::Thread;
use crate::value::Value;
use crate::wire::buffer::Buffer;
use crate::wire::log_record::attribute_key;
use crate::wire::put::{put_bytes, varint_len};
use crate::wire::scalar::{put_attribute, Scalar};

/// An empty record, of a queue that it is never left to.
fn record() -> DirectRecord<'static> {
    static QUEUE: LazyLock<Queue> =
        LazyLock::new(|| Queue::new(QueueLimits::new(MIN_MEMORY, MIN_MEMORY / 2, 1), Overflow::DropNewest));
    DirectRecord::new(QUEUE.reserve(Thread::current(), 9).unwrap(), Target::Static("test"))
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(AnyValue::Boolean),
        any::<i64>().prop_map(AnyValue::Int),
        prop_oneof![Just(i64::MIN), Just(-1), Just(0), Just(127), Just(128), Just(i64::MAX)]
            .prop_map(AnyValue::Int),
        any::<f64>().prop_map(AnyValue::Double),
        prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0), Just(0.0)].prop_map(AnyValue::Double),
        ".{0,200}".prop_map(|text| AnyValue::String(text.into())),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| AnyValue::Bytes(Box::new(bytes))),
    ];
    leaf.prop_recursive(3, 16, 4, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..4).prop_map(|values| AnyValue::ListAny(Box::new(values))),
            // One entry: a map's order is its own, and differs from run to run.
            ("[a-z]{0,5}", value).prop_map(|(key, value)| {
                AnyValue::Map(Box::new([(Key::from(key), value)].into_iter().collect()))
            }),
        ]
    })
}

fn proto_value(value: &AnyValue) -> ProtoValue {
    let value = match value {
        AnyValue::Boolean(value) => any_value::Value::BoolValue(*value),
        AnyValue::Int(value) => any_value::Value::IntValue(*value),
        AnyValue::Double(value) => any_value::Value::DoubleValue(*value),
        AnyValue::String(text) => any_value::Value::StringValue(text.to_string()),
        AnyValue::Bytes(bytes) => any_value::Value::BytesValue(bytes.to_vec()),
        AnyValue::ListAny(values) => {
            any_value::Value::ArrayValue(ArrayValue { values: values.iter().map(proto_value).collect() })
        }
        AnyValue::Map(entries) => any_value::Value::KvlistValue(KeyValueList {
            values: entries.iter().map(|(key, value)| proto_pair(key.as_str(), value)).collect(),
        }),
        other => panic!("not generated: {other:?}"),
    };
    ProtoValue { value: Some(value) }
}

fn proto_pair(key: &str, value: &AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(proto_value(value)), ..Default::default() }
}

/// The content of a record.
#[derive(Clone, Debug)]
struct Given {
    scope: String,
    nanos: u64,
    severity: i64,
    body: Option<AnyValue>,
    attributes: Vec<(String, AnyValue)>,
    dropped: u32,
    ids: Option<(u128, u64, bool)>,
    name: &'static str,
}

fn given() -> impl Strategy<Value = Given> {
    (
        "[a-z:]{0,12}",
        prop_oneof![Just(0), Just(1), any::<u64>(), 1_600_000_000_000_000_000_u64..1_900_000_000_000_000_000],
        1_i64..=24,
        prop::option::of(any_value()),
        prop::collection::vec(("[a-z.]{0,20}", any_value()), 0..20),
        prop_oneof![Just(0_u32), any::<u32>()],
        prop::option::of((1_u128.., 1_u64.., any::<bool>())),
        prop_oneof![Just(""), Just("job.started")],
    )
        .prop_map(|(scope, nanos, severity, body, attributes, dropped, ids, name)| Given {
            scope,
            nanos,
            severity,
            body,
            attributes,
            dropped,
            ids,
            name,
        })
}

impl Given {
    fn ours(&self) -> Vec<u8> {
        let mut record = record();
        record.set_time(UNIX_EPOCH + Duration::from_nanos(self.nanos));
        record.set_severity(severity_of_number(self.severity).unwrap());
        record.set_event_name(self.name);
        let ids = self.ids.map(|(trace, span, sampled)| Ids {
            trace_id: TraceId::from(trace),
            span_id: SpanId::from(span),
            flags: if sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED },
        });
        record.set_trace_context(ids.as_ref());
        for (key, value) in &self.attributes {
            let value = match value {
                // Both ways in: as the visitor brings values, and ready-made.
                AnyValue::String(text) => Value::Str(text.as_str()),
                AnyValue::Bytes(bytes) => Value::Bytes(bytes),
                AnyValue::Int(value) => Value::I64(*value),
                value => Value::Any(value),
            };
            record.add_attribute(Key::from(key.clone()), value);
        }
        // After the attributes, where an event without a message finds its body.
        if let Some(body) = &self.body {
            record.set_body(Value::Any(body));
        }
        record.set_dropped_attributes(self.dropped);
        record.draft.finish().record()
    }

    fn proto(&self) -> LogRecord {
        let (trace_id, span_id, flags) = self.ids.map_or_else(Default::default, |(trace, span, sampled)| {
            (trace.to_be_bytes().to_vec(), span.to_be_bytes().to_vec(), u32::from(sampled))
        });
        LogRecord {
            time_unix_nano: self.nanos,
            observed_time_unix_nano: self.nanos,
            severity_number: self.severity as i32,
            severity_text: severity_of_number(self.severity).unwrap().name().to_owned(),
            body: self.body.as_ref().map(proto_value),
            attributes: self.attributes.iter().map(|(key, value)| proto_pair(key, value)).collect(),
            dropped_attributes_count: self.dropped,
            flags,
            trace_id,
            span_id,
            event_name: self.name.to_owned(),
        }
    }
}

proptest! {
    #[test]
    fn a_record_is_what_prost_writes(given in given()) {
        prop_assert_eq!(given.ours(), given.proto().encode_to_vec());
    }

    #[test]
    fn a_request_is_what_prost_writes(
        records in prop::collection::vec(given(), 0..12),
        resource in prop::collection::vec(("[a-z.]{1,9}", any_value()), 0..4),
    ) {
        let attributes: Vec<(Key, AnyValue)> =
            resource.iter().map(|(key, value)| (Key::from(key.clone()), value.clone())).collect();
        let ours = Resource::new(attributes.iter().map(|(key, value)| (key, value)));
        let mut batch = Batch::default();
        let mut scopes: Vec<ScopeLogs> = Vec::new();
        for record in &records {
            batch.add_one(record.scope.as_bytes(), &record.ours());
            let name = &record.scope;
            let scope = match scopes.iter().position(|it| it.scope.as_ref().is_some_and(|it| it.name == *name)) {
                Some(index) => &mut scopes[index],
                None => {
                    let scope = InstrumentationScope { name: name.clone(), ..Default::default() };
                    scopes.push(ScopeLogs { scope: Some(scope), ..Default::default() });
                    scopes.last_mut().unwrap()
                }
            };
            scope.log_records.push(record.proto());
        }
        let resource = ProtoResource {
            attributes: resource.iter().map(|(key, value)| proto_pair(key, value)).collect(),
            ..Default::default()
        };
        let expected = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs { resource: Some(resource), scope_logs: scopes, ..Default::default() }],
        };
        let (most, count) = (batch.max_len_with(&ours, b""), batch.records());
        let bytes = batch.request(&ours);
        prop_assert!(most >= bytes.len());
        prop_assert_eq!(count, records.len());
        prop_assert!(batch.is_empty());
        prop_assert_eq!(bytes, expected.encode_to_vec());
    }

    /// Guarantees: the short form of an attribute is what prost writes, and there is none only
    /// where a length would take more than one byte or the key is not encoded beforehand.
    #[test]
    fn short_attributes_are_what_prost_writes(
        key in "[a-z.]{0,50}",
        text in ".{0,130}",
        bytes in prop::collection::vec(any::<u8>(), 0..130),
        number in prop_oneof![any::<i64>(), -1_i64..70_000],
        double in any::<f64>(),
        truth in any::<bool>(),
    ) {
        fn check<'a>(key: &str, value: impl Scalar<'a>) -> Result<(), TestCaseError> {
            let mut out = Buffer::new();
            let is_short = put_attribute(&mut out, &attribute_key(key), value);
            let pair = proto_pair(key, &value.into().to_owned()).encode_to_vec();
            prop_assert_eq!(is_short, pair.len() < 0x80 && (1..=43).contains(&key.len()));
            let mut expected = Vec::new();
            if is_short {
                put_bytes(&mut expected, 6, &pair);
            }
            prop_assert_eq!(out.written(), expected);
            Ok(())
        }
        check(&key, text.as_str())?;
        check(&key, bytes.as_slice())?;
        check(&key, number)?;
        check(&key, double)?;
        check(&key, truth)?;
    }

    /// Guarantees: a body that is formatted in its place is the body that is set.
    #[test]
    fn a_formatted_body_is_what_prost_writes(len in prop_oneof![0_usize..300, 16_000_usize..17_000]) {
        let text = "x".repeat(len);
        let mut record = record();
        record.set_severity(severity_of_number(9).unwrap());
        record.format_body(format_args!("an earlier one, of which nothing stays: {len}"));
        record.add_attribute(Key::from("k"), Value::Bool(true));
        record.format_body(format_args!("{text}"));
        let expected = LogRecord {
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: Some(proto_value(&AnyValue::String(text.into()))),
            attributes: vec![proto_pair("k", &AnyValue::Boolean(true))],
            ..LogRecord::default()
        };
        prop_assert_eq!(record.draft.finish().record(), expected.encode_to_vec());
    }

    #[test]
    fn the_length_of_a_varint_is_what_prost_says(value in any::<u64>()) {
        prop_assert_eq!(varint_len(value), prost::encoding::encoded_len_varint(value));
        for edge in (0..64).flat_map(|bit| [1_u64 << bit, (1_u64 << bit) - 1]) {
            prop_assert_eq!(varint_len(edge), prost::encoding::encoded_len_varint(edge));
        }
    }
}

/// Guarantees: a record that is written while another is being written is not mixed into it.
#[test]
fn records_of_one_thread_can_be_written_inside_each_other() {
    let given = |body: &str| Given {
        scope: String::new(),
        nanos: 1,
        severity: 9,
        body: Some(AnyValue::String(body.to_owned().into())),
        attributes: Vec::new(),
        dropped: 0,
        ids: None,
        name: "",
    };
    let mut outer = record();
    outer.set_time(UNIX_EPOCH + Duration::from_nanos(1));
    outer.set_severity(severity_of_number(9).unwrap());
    outer.set_body(Value::Str("outer"));
    assert_eq!(given("inner").ours(), given("inner").proto().encode_to_vec());
    assert_eq!(outer.draft.finish().record(), given("outer").proto().encode_to_vec());
}
