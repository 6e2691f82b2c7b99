//! A receiver on the loopback interface that answers as it is told, and keeps what it is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use prost::Message;

/// What becomes of one request.
pub enum Act {
    /// It is kept, and these bytes are said; the connection stays open.
    Say(Vec<u8>),
    /// It is kept, and these bytes are said before the connection is closed.
    SayAndClose(Vec<u8>),
    /// The connection is closed with a body that nobody read, which the system resets it for.
    Reset,
    /// Nothing happens for so long, and then that.
    Later(Duration, Box<Act>),
}

pub fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub fn ok() -> Act {
    Act::Say(answer(200, "", b""))
}

#[derive(Clone)]
pub struct Request {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// As protobuf or JSON, plain or with gzip, as the headers say.
    pub fn decode(&self) -> Vec<ResourceLogs> {
        let mut plain = Vec::new();
        let body = match self.header("content-encoding") {
            None => &self.body,
            Some("gzip") => {
                flate2::read::GzDecoder::new(&*self.body).read_to_end(&mut plain).unwrap();
                &plain
            }
            Some(other) => panic!("{other}"),
        };
        let request = match self.header("content-type") {
            Some("application/x-protobuf") => ExportLogsServiceRequest::decode(&**body).unwrap(),
            Some("application/json") => serde_json::from_slice(body).unwrap(),
            other => panic!("{other:?}"),
        };
        request.resource_logs
    }
}

type Acts = Arc<dyn Fn(usize) -> Act + Send + Sync>;

pub struct Sink {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
}

impl Sink {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), |_| ok())
    }

    /// `acts` is told the number of the request.
    pub fn start_at(address: SocketAddr, acts: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let sink = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            is_over: Arc::default(),
        };
        let (acts, requests, is_over): (Acts, _, _) =
            (Arc::new(acts), sink.requests.clone(), sink.is_over.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (acts, requests) = (acts.clone(), requests.clone());
                thread::spawn(move || serve(&stream.unwrap(), &acts, &requests));
            }
        });
        sink
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// All records, each with the name of its scope.
    pub fn records(&self) -> Vec<(String, LogRecord)> {
        let scopes = self
            .requests()
            .iter()
            .flat_map(Request::decode)
            .flat_map(|logs| logs.scope_logs)
            .collect::<Vec<_>>();
        let named = scopes.into_iter().flat_map(|logs| {
            let name = logs.scope.unwrap_or_default().name;
            logs.log_records.into_iter().map(move |record| (name.clone(), record))
        });
        named.collect()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

pub fn body(record: &LogRecord) -> &str {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("no text in the body: {other:?}"),
    }
}

/// An address on which nobody listens, until a sink is started there.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn serve(stream: &TcpStream, acts: &Acts, requests: &Mutex<Vec<Request>>) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // Small, so that a body stays unread where a connection is to be reset.
    let mut reader = BufReader::with_capacity(256, stream);
    while let Some((headers, length)) = head(&mut reader) {
        let number = requests.lock().unwrap().len();
        let mut act = acts(number);
        while let Act::Later(pause, then) = act {
            thread::sleep(pause);
            act = *then;
        }
        let mut body = vec![0; length];
        if matches!(act, Act::Reset) || reader.read_exact(&mut body).is_err() {
            return;
        }
        requests.lock().unwrap().push(Request { headers, body });
        let mut stream = stream;
        let is_open = match act {
            Act::Say(bytes) => stream.write_all(&bytes).is_ok(),
            Act::SayAndClose(bytes) => {
                let _ = stream.write_all(&bytes);
                false
            }
            Act::Reset | Act::Later(..) => false,
        };
        if !is_open {
            return;
        }
    }
}

/// The headers of a request, and the length of its body.
fn head(reader: &mut impl BufRead) -> Option<(Vec<(String, String)>, usize)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    assert!(line.starts_with("POST /v1/logs "), "{line}");
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    Some((headers, length))
}
