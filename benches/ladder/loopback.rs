//! Delivery over loopback HTTP: the SDK's batch processor, opentelemetry-otlp, and a sink that
//! reads and counts.
//!
//! The HTTP client is a bare socket, so that the measured cost is that of the SDK and its exporter.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::logs::{BatchConfigBuilder, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::trace::{self, SdkTracerProvider};
use prost::Message;

/// No request of a bench is larger.
const LARGEST: usize = 64 << 20;

static PROVIDER: OnceLock<SdkLoggerProvider> = OnceLock::new();
static EXPECTED: AtomicU64 = AtomicU64::new(0);
static ARRIVED: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static FIRST: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// A provider that delivers to a sink of this process.
pub(crate) fn provider() -> SdkLoggerProvider {
    provider_to(start_sink().unwrap())
}

/// A provider that delivers to a sink.
pub(crate) fn provider_to(at: SocketAddr) -> SdkLoggerProvider {
    let exporter = LogExporter::builder()
        .with_http()
        .with_http_client(Client { at, connection: Mutex::default() })
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("http://{at}/v1/logs"))
        .build()
        .unwrap();
    // Large enough for a whole turn: a full queue drops records, which is cheaper than delivering
    // them.
    let config = BatchConfigBuilder::default().with_max_queue_size(1 << 16).build();
    let batch = BatchLogProcessor::builder(exporter).with_batch_config(config).build();
    let provider = SdkLoggerProvider::builder().with_log_processor(batch).build();
    PROVIDER.get_or_init(|| provider).clone()
}

/// A tracer provider that delivers to a sink.
pub(crate) fn tracer_provider_to(at: SocketAddr) -> SdkTracerProvider {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client { at, connection: Mutex::default() })
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("http://{at}/v1/traces"))
        .build()
        .unwrap();
    let config = trace::BatchConfigBuilder::default().with_max_queue_size(1 << 16).build();
    let batch = trace::BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    SdkTracerProvider::builder().with_span_processor(batch).build()
}

/// Adds to the number of records that [`settle`] expects.
pub(crate) fn expect(count: u64) {
    EXPECTED.fetch_add(count, Ordering::Relaxed);
}

/// Waits until everything has arrived, and checks how much that was.
pub(crate) fn settle() {
    let Some(provider) = PROVIDER.get() else { return };
    provider.force_flush().unwrap();
    assert_eq!(ARRIVED.load(Ordering::Acquire), EXPECTED.load(Ordering::Relaxed));
}

/// The first request that arrived.
pub(crate) fn first() -> ExportLogsServiceRequest {
    let first = FIRST.lock().unwrap();
    ExportLogsServiceRequest::decode(first.as_deref().unwrap()).unwrap()
}

/// How many attributes the first record or span of the first request has.
pub(crate) fn attributes_of_first() -> usize {
    let first = FIRST.lock().unwrap();
    let request = first.as_deref().unwrap();
    match ExportLogsServiceRequest::decode(request) {
        Ok(logs) if !logs.resource_logs[0].scope_logs[0].log_records[0].severity_text.is_empty() => {
            logs.resource_logs[0].scope_logs[0].log_records[0].attributes.len()
        }
        _ => {
            let spans = ExportTraceServiceRequest::decode(request).unwrap();
            spans.resource_spans[0].scope_spans[0].spans[0].attributes.len()
        }
    }
}

/// The bytes of all requests, and the number of records in them.
pub(crate) fn arrived() -> (u64, u64) {
    (BYTES.load(Ordering::Acquire), ARRIVED.load(Ordering::Acquire))
}

#[derive(Debug)]
struct Client {
    at: SocketAddr,
    connection: Mutex<Option<BufReader<TcpStream>>>,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut connection = self.connection.lock().unwrap();
        if connection.is_none() {
            let stream = TcpStream::connect(self.at)?;
            stream.set_nodelay(true)?;
            *connection = Some(BufReader::new(stream));
        }
        let connection = connection.as_mut().unwrap();
        let (parts, body) = request.into_parts();
        let stream = connection.get_mut();
        write!(stream, "POST {} HTTP/1.1\r\nhost: {}\r\n", parts.uri.path(), self.at)?;
        write!(stream, "content-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n", body.len())?;
        stream.write_all(&body)?;
        let is_answered = read_message(connection, &mut Vec::new())?;
        Ok(Response::builder().status(if is_answered { 200 } else { 500 }).body(Bytes::new())?)
    }
}

/// Starts a server with one thread per connection, which runs until the process exits.
pub(crate) fn start_sink() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    Ok(at)
}

fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut body = Vec::new();
    while read_message(&mut stream, &mut body)? {
        FIRST.lock().unwrap().get_or_insert_with(|| body.clone());
        BYTES.fetch_add(body.len() as u64, Ordering::AcqRel);
        ARRIVED.fetch_add(records(&body), Ordering::AcqRel);
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
    Ok(())
}

/// Reads a request or a response. Returns false at the end of the connection.
fn read_message(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<bool> {
    let mut line = String::new();
    let mut length = 0;
    for header in 0.. {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        if header > 0 && line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
    }
    assert!(length <= LARGEST, "a request of {length} bytes");
    body.resize(length, 0);
    stream.read_exact(body)?;
    Ok(true)
}

/// The number of records in a request. It is not decoded: that would cost more than sending it.
fn records(request: &[u8]) -> u64 {
    fields(request, 1)
        .map(|logs| fields(logs, 2).map(|scope| fields(scope, 2).count() as u64).sum::<u64>())
        .sum()
}

/// The length-delimited fields with this number. Requests, resource logs and scope logs have no
/// other type of field.
fn fields(mut message: &[u8], number: u8) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || loop {
        let (&tag, rest) = message.split_first()?;
        let mut length = 0;
        let bytes = rest.iter().position(|byte| byte & 0x80 == 0)? + 1;
        for byte in rest[..bytes].iter().rev() {
            length = length << 7 | usize::from(byte & 0x7f);
        }
        let (content, remaining) = rest[bytes..].split_at(length);
        message = remaining;
        if tag == number << 3 | 2 {
            return Some(content);
        }
    })
}
