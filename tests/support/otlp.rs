//! Received requests, decoded with opentelemetry-proto.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::collections::BTreeMap;
use std::io::Read;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value::Value, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;
use serde::de::DeserializeOwned;

use crate::http::{Receiver, Request};

impl Receiver {
    pub fn logs(&self) -> Vec<ResourceLogs> {
        self.decoded::<ExportLogsServiceRequest>("/v1/logs")
            .flat_map(|request| request.resource_logs)
            .collect()
    }

    /// Records, each with the name of its scope.
    pub fn records(&self) -> Vec<(String, LogRecord)> {
        records(self.logs())
    }

    /// Spans, each with the name of its scope.
    pub fn spans(&self) -> Vec<(String, Span)> {
        spans(self.resource_spans())
    }

    pub fn resource_spans(&self) -> Vec<ResourceSpans> {
        let requests = self.decoded::<ExportTraceServiceRequest>("/v1/traces");
        requests.flat_map(|request| request.resource_spans).collect()
    }

    fn decoded<M: Message + Default + DeserializeOwned>(&self, path: &str) -> impl Iterator<Item = M> {
        let mut requests = self.requests();
        requests.retain(|request| request.path() == path);
        requests.into_iter().map(|request| decode(&request))
    }
}

/// The message of a request, protobuf or JSON, compressed or not, according to its headers.
pub fn decode<M: Message + Default + DeserializeOwned>(request: &Request) -> M {
    let mut plain = Vec::new();
    let body = match request.header("content-encoding") {
        None => &request.body,
        Some("gzip") => {
            flate2::read::GzDecoder::new(&*request.body).read_to_end(&mut plain).unwrap();
            &plain
        }
        Some(other) => panic!("content-encoding: {other}"),
    };
    match request.header("content-type") {
        Some("application/x-protobuf") => M::decode(&**body).unwrap(),
        Some("application/json") => serde_json::from_slice(body).unwrap(),
        other => panic!("content-type: {other:?}"),
    }
}

pub fn records(logs: impl IntoIterator<Item = ResourceLogs>) -> Vec<(String, LogRecord)> {
    let scopes = logs.into_iter().flat_map(|logs| logs.scope_logs);
    let named = scopes.flat_map(|logs| {
        let name = logs.scope.unwrap_or_default().name;
        logs.log_records.into_iter().map(move |record| (name.clone(), record))
    });
    named.collect()
}

pub fn spans(spans: impl IntoIterator<Item = ResourceSpans>) -> Vec<(String, Span)> {
    let scopes = spans.into_iter().flat_map(|spans| spans.scope_spans);
    let named = scopes.flat_map(|spans| {
        let name = spans.scope.unwrap_or_default().name;
        spans.spans.into_iter().map(move |span| (name.clone(), span))
    });
    named.collect()
}

/// The body of a record, which must be text.
pub fn body(record: &LogRecord) -> &str {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("no text in the body: {other:?}"),
    }
}

/// Attributes as text; a duplicate key is a failure.
pub fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for pair in pairs {
        let value = match pair.value.clone().unwrap().value.unwrap() {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        assert!(map.insert(pair.key.clone(), value).is_none(), "{} is there twice", pair.key);
    }
    map
}
