//! A collector on the loopback interface: it keeps what it is sent, decoded with opentelemetry-proto.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value::Value, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Ok,
    Status(u16),
    /// 200, with more of a body than a client should keep.
    Long,
    Never,
}

#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}

pub(crate) struct Sink {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Sink {
    pub(crate) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        thread::spawn(move || {
            // No case makes as many connections.
            for stream in listener.incoming().take(100) {
                let kept = kept.clone();
                thread::spawn(move || serve(&stream.unwrap(), answer, port, &kept));
            }
        });
        Self { port, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    fn bodies(&self, path: &str) -> Vec<Vec<u8>> {
        self.requests()
            .into_iter()
            .filter(|request| request.path == path)
            .map(|request| request.body)
            .collect()
    }

    pub(crate) fn logs(&self) -> Vec<ResourceLogs> {
        let decode = |body: Vec<u8>| ExportLogsServiceRequest::decode(&*body).unwrap().resource_logs;
        self.bodies("/v1/logs").into_iter().flat_map(decode).collect()
    }

    /// Records, each with the name of its scope.
    pub(crate) fn records(&self) -> Vec<(String, LogRecord)> {
        self.logs()
            .into_iter()
            .flat_map(|logs| logs.scope_logs)
            .flat_map(|logs| {
                let name = logs.scope.unwrap().name;
                logs.log_records.into_iter().map(move |record| (name.clone(), record))
            })
            .collect()
    }

    /// Spans, each with the name of its scope.
    pub(crate) fn spans(&self) -> Vec<(String, Span)> {
        let decode = |body: Vec<u8>| ExportTraceServiceRequest::decode(&*body).unwrap().resource_spans;
        self.bodies("/v1/traces")
            .into_iter()
            .flat_map(decode)
            .flat_map(|spans| spans.scope_spans)
            .flat_map(|spans| {
                let name = spans.scope.unwrap().name;
                spans.spans.into_iter().map(move |span| (name.clone(), span))
            })
            .collect()
    }
}

fn serve(mut stream: &TcpStream, answer: Answer, port: u16, kept: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    for _ in 0..1000 {
        let Some(request) = read(&mut reader) else { return };
        kept.lock().unwrap().push(request);
        let status = match answer {
            Answer::Ok | Answer::Long => 200,
            Answer::Status(status) => status,
            Answer::Never => return thread::sleep(Duration::from_secs(60)),
        };
        let location = format!("http://127.0.0.1:{port}/elsewhere");
        let body = vec![b'x'; if matches!(answer, Answer::Long) { 5 << 20 } else { 0 }];
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} Said\r\nlocation: {location}\r\ncontent-length: {length}\r\n\r\n");
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    for _ in 0..100 {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).ok()?;
    Some(Request { path, headers, body })
}

/// As text; a key that is there twice is a failure.
pub(crate) fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
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
