//! Truncated records, as prost reads them.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

use crate::otlp::queue::truncate::truncate;
use crate::otlp::signal::Signal;
use crate::otlp::tests::fixture::text;

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn sample() -> LogRecord {
    let deep = KeyValueList { values: vec![pair("deep", Value::StringValue("€".repeat(400)))] };
    let list = ArrayValue { values: vec![AnyValue { value: Some(Value::KvlistValue(deep)) }] };
    LogRecord {
        time_unix_nano: 7,
        observed_time_unix_nano: 7,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: text(&"é".repeat(500)),
        attributes: vec![
            pair("small", Value::StringValue("stays".into())),
            pair("int", Value::IntValue(-1)),
            pair("double", Value::DoubleValue(0.5)),
            pair("bytes", Value::BytesValue(vec![9; 700])),
            pair("list", Value::ArrayValue(list)),
        ],
        dropped_attributes_count: 3,
        flags: 1,
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        event_name: "name".into(),
    }
}

/// Guarantees: whatever the limit, the result fits and decodes, values are prefixes of the original
/// ones, and everything else is unchanged.
#[test]
fn any_limit_is_kept_and_the_rest_stays() {
    let whole = sample();
    let bytes = whole.encode_to_vec();
    let mut least = bytes.len();
    for most in (0..bytes.len()).rev() {
        let Some(truncated) = truncate(Signal::Logs, &bytes, most) else { break };
        least = most;
        assert!(truncated.record.len() <= most);
        let cut = LogRecord::decode(truncated.record.as_slice()).unwrap();
        assert!(truncated.values >= 1);
        // All values have a common length limit, so that the largest are truncated first.
        if most > bytes.len() - 200 {
            assert_eq!((truncated.values, &cut.body), (1, &whole.body));
        }
        let body = |record: &LogRecord| crate::otlp::tests::fixture::text_of(record);
        assert!(body(&whole).starts_with(&body(&cut)));
        assert_eq!(cut.attributes.len(), 5);
        assert_eq!(cut.attributes[1..3], whole.attributes[1..3]);
        let rest = |record: LogRecord| LogRecord { body: None, attributes: vec![], ..record };
        assert_eq!(rest(cut), rest(whole.clone()));
    }
    // Nearly all of it was values.
    assert!(least < 250, "{least}");
}

#[test]
fn what_is_not_protobuf_is_not_cut() {
    assert!(truncate(Signal::Logs, &[0xff; 40], 10).is_none());
    assert!(truncate(Signal::Logs, &[0x2a, 0xff, 0xff, 0xff, 0x7f, 1], 2).is_none());
}
