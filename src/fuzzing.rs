//! The checks of the fuzz targets.
//!
//! `fuzz/` runs them on generated inputs, the tests below on those that are kept in `fuzz/corpus`.
//! A failed check is a panic.

#[cfg(feature = "otlp-http")]
mod answer;
#[cfg(feature = "graph")]
pub mod graph;
pub(crate) mod oracle;
mod segment;

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Variant;
use opentelemetry_proto::tonic::common::v1::{AnyValue as Read, KeyValue};
use prost::Message;
use serde::Serialize;
use serde_json::Value as Json;

use crate::otlp::deliver::request::{Batch, Resource};
use crate::otlp::json::request_to_json;
use crate::otlp::signal::Signal;
use crate::value::Value;
use crate::wire::put::{put_fixed64, put_pair, put_uint, tag, FIXED32};
use crate::wire::read::Malformed;

#[cfg(feature = "otlp-http")]
pub use self::answer::answer;
pub use self::segment::segment;

/// Builds a request from `input`, and reads it with prost: every name and every value must be
/// there, and prost must write it the same way.
pub fn encoder(input: &[u8]) {
    let mut input = Input(input);
    let resource = input.pairs();
    let records: Vec<_> = (0..input.byte() % 4).map(|_| (input.text(), input.record())).collect();

    let encoded_resource = Resource::new(resource.iter().map(|(key, value)| (key, value)));
    let mut batch = Batch::default();
    for (scope, record) in &records {
        batch.add_one(scope.as_bytes(), &record.encode());
    }
    assert_eq!(batch.records(), records.len());
    let most = batch.max_len_with(&encoded_resource, b"");
    let bytes = batch.request(&encoded_resource);
    assert!(bytes.len() <= most);

    let read = ExportLogsServiceRequest::decode(bytes.as_slice()).expect("it is a request");
    assert_eq!(read.encode_to_vec(), bytes);
    let [logs] = read.resource_logs.as_slice() else { panic!("{read:?}") };
    assert_same_pairs(&logs.resource.as_ref().expect("it is always written").attributes, &resource);
    for scope in &logs.scope_logs {
        let name = &scope.scope.as_ref().expect("it is always written").name;
        let expected: Vec<_> = records.iter().filter(|(scope, _)| scope == name).collect();
        assert_eq!(scope.log_records.len(), expected.len());
        for (read, (_, expected)) in scope.log_records.iter().zip(expected) {
            assert_eq!(read.time_unix_nano, expected.unix_nanos);
            assert_eq!(read.severity_number, i32::from(expected.severity));
            assert_eq!(read.flags, expected.flags);
            assert_same_pairs(&read.attributes, &expected.attributes);
        }
    }
    let kept: usize = logs.scope_logs.iter().map(|scope| scope.log_records.len()).sum();
    assert_eq!(kept, records.len());
    json(&bytes);
}

/// Transcodes any bytes, as a request of logs and as one of spans. It may fail, but not where prost
/// would have written just these bytes, and what it writes then must be what the oracle writes.
pub fn json(input: &[u8]) {
    json_of::<ExportLogsServiceRequest>(input, request_to_json(Signal::Logs, input));
    json_of::<ExportTraceServiceRequest>(input, request_to_json(Signal::Traces, input));
}

fn json_of<M: Message + Default + Serialize>(input: &[u8], line: Result<String, Malformed>) {
    if let Ok(line) = &line {
        if let Err(error) = serde_json::from_str::<Json>(line) {
            // serde_json reads at most 128 levels.
            assert!(error.to_string().contains("recursion limit"), "{error}: {line}");
            return;
        }
    }
    let Some(read) = M::decode(input).ok().filter(|read| read.encode_to_vec() == input) else { return };
    let line = line.expect("it is what prost writes");
    // The one field that the transcoder skips and the oracle knows: only profiles use it.
    if !oracle::json(&read).to_string().contains("Strindex\":") {
        oracle::assert_same(&line, &read);
    }
}

#[derive(Debug)]
struct Record {
    unix_nanos: u64,
    severity: u8,
    flags: u32,
    attributes: Vec<(Key, AnyValue)>,
}

impl Record {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.unix_nanos != 0 {
            put_fixed64(&mut out, 1, self.unix_nanos);
        }
        if self.severity != 0 {
            put_uint(&mut out, 2, u64::from(self.severity));
        }
        for (key, value) in &self.attributes {
            put_pair(&mut out, 6, key.as_str(), &borrowed(value));
        }
        if self.flags != 0 {
            out.push(tag(8, FIXED32));
            out.extend_from_slice(&self.flags.to_le_bytes());
        }
        out
    }
}

/// A value as the layer passes it: scalars borrowed, lists and maps as they are.
fn borrowed(value: &AnyValue) -> Value<'_> {
    match value {
        AnyValue::Boolean(value) => Value::Bool(*value),
        AnyValue::Int(value) => Value::I64(*value),
        AnyValue::Double(value) => Value::F64(*value),
        AnyValue::String(value) => Value::Str(value.as_str()),
        AnyValue::Bytes(value) => Value::Bytes(value),
        value => Value::Any(value),
    }
}

fn assert_same_pairs(read: &[KeyValue], expected: &[(Key, AnyValue)]) {
    assert_eq!(read.len(), expected.len());
    for (read, (key, value)) in read.iter().zip(expected) {
        assert_eq!(read.key, key.as_str());
        assert_same(read.value.as_ref().expect("it is always written"), value);
    }
}

fn assert_same(read: &Read, expected: &AnyValue) {
    match (read.value.as_ref().expect("every kind is known"), expected) {
        (Variant::BoolValue(read), AnyValue::Boolean(expected)) => assert_eq!(read, expected),
        (Variant::IntValue(read), AnyValue::Int(expected)) => assert_eq!(read, expected),
        // By bits, because of NaN.
        (Variant::DoubleValue(read), AnyValue::Double(expected)) => {
            assert_eq!(read.to_bits(), expected.to_bits());
        }
        (Variant::StringValue(read), AnyValue::String(expected)) => assert_eq!(read, expected.as_str()),
        (Variant::BytesValue(read), AnyValue::Bytes(expected)) => assert_eq!(read, expected.as_ref()),
        (Variant::ArrayValue(read), AnyValue::ListAny(expected)) => {
            assert_eq!(read.values.len(), expected.len());
            read.values.iter().zip(expected.iter()).for_each(|(read, value)| assert_same(read, value));
        }
        (Variant::KvlistValue(read), AnyValue::Map(expected)) => {
            let expected: Vec<_> = expected.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            assert_same_pairs(&read.values, &expected);
        }
        (read, expected) => panic!("{read:?} is not {expected:?}"),
    }
}

/// Bytes, read as whatever is asked for. At their end, everything is empty or 0.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    fn u64(&mut self) -> u64 {
        self.take(8).iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// Up to 254 bytes, or some kilobytes, so that lengths take one, two and three bytes.
    fn bytes(&mut self) -> Vec<u8> {
        match self.byte() {
            255 => self.take(8).repeat(usize::from(self.byte()) * 16),
            len => self.take(usize::from(len)).to_vec(),
        }
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn pairs(&mut self) -> Vec<(Key, AnyValue)> {
        (0..self.byte() % 8).map(|_| (Key::from(self.text()), self.value(4))).collect()
    }

    fn record(&mut self) -> Record {
        Record {
            unix_nanos: self.u64(),
            severity: self.byte() % 25,
            flags: u32::from(self.byte()),
            attributes: self.pairs(),
        }
    }

    fn value(&mut self, levels: usize) -> AnyValue {
        match self.byte() % 7 {
            0 => AnyValue::Boolean(self.byte() & 1 == 1),
            1 => AnyValue::Int(self.u64() as i64),
            2 => AnyValue::Double(f64::from_bits(self.u64())),
            3 if levels > 0 => (0..self.byte() % 8).map(|_| self.value(levels - 1)).collect(),
            4 if levels > 0 => AnyValue::Map(Box::new(
                (0..self.byte() % 8).map(|_| (Key::from(self.text()), self.value(levels - 1))).collect(),
            )),
            5 => AnyValue::Bytes(Box::new(self.bytes())),
            _ => AnyValue::String(self.text().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    fn each_input(target: &str, check: impl Fn(&[u8])) {
        let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        if !corpus.parent().is_some_and(|directory| directory.is_dir()) {
            eprintln!("skipped: the fuzz corpus is not part of the published crate");
            return;
        }
        let mut inputs = 0;
        for entry in fs::read_dir(&corpus).expect("every target has a corpus") {
            let path = entry.expect("it can be listed").path();
            eprintln!("{}", path.display());
            check(&fs::read(&path).expect("it can be read"));
            inputs += 1;
        }
        assert!(inputs > 0, "no inputs in {}", corpus.display());
    }

    #[test]
    fn the_encoder_holds_on_its_corpus() {
        each_input("encoder", super::encoder);
    }

    #[cfg(feature = "otlp-http")]
    #[test]
    fn the_reader_of_answers_holds_on_its_corpus() {
        each_input("answer", super::answer);
    }

    #[test]
    fn the_reader_of_segments_holds_on_its_corpus() {
        each_input("segment", super::segment);
    }

    #[test]
    fn the_transcoder_holds_on_its_corpus() {
        each_input("json", super::json);
    }

    #[cfg(feature = "graph")]
    #[test]
    fn the_reader_holds_on_its_corpus() {
        each_input("graph_read", super::graph::read);
    }

    #[cfg(feature = "graph")]
    #[test]
    fn the_forms_are_the_same_on_their_corpus() {
        each_input("graph_forms", super::graph::forms);
    }
}
