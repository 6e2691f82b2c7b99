//! A receiver of OTLP over HTTP, and what it received.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value::Value, AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;

pub struct Receiver {
    pub url: String,
    received: Arc<Mutex<Received>>,
}

#[derive(Default)]
struct Received {
    records: Vec<Item>,
    spans: Vec<Item>,
}

/// A record, whose name is its body, or a span.
#[derive(Clone, Debug)]
pub struct Item {
    pub name: String,
    pub trace_id: String,
    pub span_id: String,
    pub parent: String,
    pub kind: SpanKind,
    pub scope: String,
    pub service: String,
    attributes: BTreeMap<String, String>,
}

impl Item {
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub fn get(&self, key: &str) -> &str {
        self.attributes.get(key).unwrap_or_else(|| panic!("no {key} in {self:#?}"))
    }
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let received = Arc::<Mutex<Received>>::default();
        let keep = Arc::clone(&received);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let keep = Arc::clone(&keep);
                thread::spawn(move || serve(connection, &keep));
            }
        });
        Self { url, received }
    }

    pub fn spans(&self) -> Vec<Item> {
        self.received.lock().expect("not poisoned").spans.clone()
    }

    pub fn records(&self) -> Vec<Item> {
        self.received.lock().expect("not poisoned").records.clone()
    }

    /// The only span of this name.
    pub fn span(&self, name: &str) -> Item {
        only(self.spans(), |span| span.name == name)
    }

    pub fn span_with_id(&self, id: &str) -> Item {
        only(self.spans(), |span| span.span_id == id)
    }

    /// The only record with this body.
    pub fn record(&self, body: &str) -> Item {
        only(self.records(), |record| record.name == body)
    }
}

fn only(items: Vec<Item>, is_it: impl Fn(&Item) -> bool) -> Item {
    let found: Vec<_> = items.iter().filter(|item| is_it(item)).collect();
    let [item] = *found else { panic!("{} of {items:#?}", found.len()) };
    item.clone()
}

/// Keeps what arrives in each request of a connection, and answers with an empty message.
fn serve(connection: TcpStream, keep: &Mutex<Received>) {
    let mut reader = BufReader::new(connection.try_clone().expect("a second handle"));
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match reader.read_until(b'\n', &mut head) {
                Ok(1..) => {}
                _ => return,
            }
        }
        let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.and_then(|length| length.trim().parse().ok()).expect("a length");
        assert!(!head.contains("content-encoding"), "compression is off by default");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the body");
        let mut keep = keep.lock().expect("not poisoned");
        match head.split(' ').nth(1) {
            Some("/v1/logs") => keep.records.extend(records(&body)),
            Some("/v1/traces") => keep.spans.extend(spans(&body)),
            other => panic!("{other:?}"),
        }
        drop(keep);
        (&connection).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("answered");
    }
}

fn records(body: &[u8]) -> Vec<Item> {
    let request = ExportLogsServiceRequest::decode(body).expect("a request of logs");
    let mut items = Vec::new();
    for resource in request.resource_logs {
        let service = service(resource.resource);
        for logs in resource.scope_logs {
            let scope = logs.scope.unwrap_or_default().name;
            items.extend(logs.log_records.into_iter().map(|record| Item {
                name: text(record.body),
                trace_id: hex(&record.trace_id),
                span_id: hex(&record.span_id),
                parent: String::new(),
                kind: SpanKind::Unspecified,
                scope: scope.clone(),
                service: service.clone(),
                attributes: attributes(record.attributes),
            }));
        }
    }
    items
}

fn spans(body: &[u8]) -> Vec<Item> {
    let request = ExportTraceServiceRequest::decode(body).expect("a request of spans");
    let mut items = Vec::new();
    for resource in request.resource_spans {
        let service = service(resource.resource);
        for spans in resource.scope_spans {
            let scope = spans.scope.unwrap_or_default().name;
            items.extend(spans.spans.into_iter().map(|span| Item {
                kind: span.kind(),
                name: span.name,
                trace_id: hex(&span.trace_id),
                span_id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                scope: scope.clone(),
                service: service.clone(),
                attributes: attributes(span.attributes),
            }));
        }
    }
    items
}

fn service(resource: Option<Resource>) -> String {
    let attributes = attributes(resource.unwrap_or_default().attributes);
    attributes.get("service.name").cloned().unwrap_or_default()
}

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|attribute| (attribute.key, text(attribute.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
