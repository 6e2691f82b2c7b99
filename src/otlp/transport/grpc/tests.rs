//! Against tonic's own server, which is made to answer whatever a test wants.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use http::{HeaderValue, Uri};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::Response;

use super::*;
use crate::otlp::deliver::request::{Batch, Resource};
use crate::otlp::transport::grpc::answer::{CUT_OFF, OF_A_PROXY};
use crate::otlp::transport::port::Reserved;
use crate::wire::put::{put_bytes, put_uint};

type Reply = Result<Response<ExportLogsServiceResponse>, Status>;

type Replies = Box<dyn Fn(&MetadataMap) -> Reply + Send + Sync>;

/// A receiver that lives as long as this does.
struct Loopback {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Vec<u8>>>>,
    runtime: Option<Runtime>,
}

struct Service {
    got: Arc<Mutex<Vec<Vec<u8>>>>,
    replies: Replies,
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(&self, request: Request<ExportLogsServiceRequest>) -> Reply {
        let reply = (self.replies)(request.metadata());
        self.got.lock().expect("no test panics here").push(request.into_inner().encode_to_vec());
        reply
    }
}

impl Loopback {
    fn start(replies: impl Fn(&MetadataMap) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", None, Box::new(replies))
    }

    fn start_at(address: &str, tls: Option<Identity>, replies: Replies) -> Self {
        let runtime = Runtime::new().expect("there are threads");
        let _entered = runtime.enter();
        let listener = std::net::TcpListener::bind(address).expect("the port is free");
        listener.set_nonblocking(true).expect("it is a socket");
        let address = listener.local_addr().expect("it is bound");
        let incoming =
            TcpIncoming::from(tokio::net::TcpListener::from_std(listener).expect("it is a socket"));
        let got = Arc::default();
        let service = Service { got: Arc::clone(&got), replies };
        let service = LogsServiceServer::new(service).accept_compressed(CompressionEncoding::Gzip);
        let mut server = Server::builder();
        if let Some(identity) = tls {
            server =
                server.tls_config(ServerTlsConfig::new().identity(identity)).expect("it is a certificate");
        }
        runtime.spawn(server.add_service(service).serve_with_incoming(incoming));
        drop(_entered);
        Self { address, got, runtime: Some(runtime) }
    }

    fn receiver(&self) -> Target {
        Target { url: format!("http://{}", self.address).parse().expect("a URL"), ..Target::default() }
    }

    fn got(&self) -> Vec<Vec<u8>> {
        self.got.lock().expect("no test panics here").clone()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn request(body: &str) -> request::Request {
    let (mut value, mut record) = (Vec::new(), Vec::new());
    put_bytes(&mut value, 1, body.as_bytes());
    put_bytes(&mut record, 5, &value);
    let mut batch = Batch::default();
    batch.add_one(b"app", &record);
    batch.finish(&Resource::default(), request::Request::default())
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn transport(receiver: Target) -> Grpc {
    Grpc::new(receiver, Signal::Logs).expect("it can be used")
}

fn ok() -> Reply {
    Ok(Response::new(ExportLogsServiceResponse::default()))
}

fn accepted() -> Answer {
    Answer::Accepted { rejected: 0, message: String::new() }
}

#[test]
fn a_request_arrives_as_it_is_plain_and_compressed() {
    let server = Loopback::start(|_| ok());
    for compression in [Compression::None, Compression::Gzip] {
        let mut transport = transport(Target { compression, ..server.receiver() });
        // More than one frame of HTTP/2, and more than a buffer of tonic.
        for body in ["a".to_owned(), "b".repeat(1 << 20)] {
            assert_eq!(transport.send(&mut request(&body), soon()), accepted());
            assert_eq!(server.got().pop(), Some(request(&body).to_vec()));
        }
    }
}

#[test]
fn headers_and_deadline_are_sent_and_a_stale_token_is_refreshed_once() {
    let server = Loopback::start(|metadata| match metadata.get("token").map(|token| token.as_bytes()) {
        Some(b"2") => {
            assert_eq!(metadata.get("tenant").expect("it is set"), "t");
            assert!(metadata.contains_key("grpc-timeout"));
            ok()
        }
        _ => Err(Status::unauthenticated("stale")),
    });
    let mut receiver = server.receiver();
    receiver.headers.insert("tenant", HeaderValue::from_static("t"));
    let refused = transport(receiver.clone()).send(&mut request("a"), soon());
    assert_eq!(refused, Answer::Refused { why: "Unauthenticated: stale".to_owned() });
    let asked = AtomicU32::new(0);
    receiver.header_provider = Some(HeaderProvider(Arc::new(move || {
        vec![("token".to_owned(), (asked.fetch_add(1, Ordering::Relaxed) + 1).to_string())]
    })));
    assert_eq!(transport(receiver).send(&mut request("a"), soon()), accepted());
    assert_eq!(server.got().len(), 3);
}

/// Guarantees: a provider that panics costs an attempt, and the transport works on.
#[test]
fn a_header_provider_that_panics_is_survived() {
    let server = Loopback::start(|_| ok());
    let asked = AtomicU32::new(0);
    let provider = HeaderProvider(Arc::new(move || {
        assert!(asked.fetch_add(1, Ordering::Relaxed) > 0, "on purpose");
        Vec::new()
    }));
    let mut transport = transport(Target { header_provider: Some(provider), ..server.receiver() });
    let answer = transport.send(&mut request("a"), soon());
    assert!(
        matches!(&answer, Answer::TryAgain { after: None, why } if why.contains("panicked")),
        "{answer:?}"
    );
    assert_eq!(transport.send(&mut request("a"), soon()), accepted());
}

/// Guarantees: a proxy's page is known by its HTTP status, though tonic takes it for broken gRPC.
/// That these are tonic's words is seen where haproxy is installed: `haproxy_fails_in_its_ways`.
#[test]
fn the_page_of_a_busy_proxy_is_an_invitation_to_come_again() {
    for (http, is_again) in [("503", true), ("429", true), ("502", true), ("404", true), ("413", false)] {
        let text = format!(
            "{OF_A_PROXY}: 60 (valid flags are 0 and 1) while receiving response with status: {http}"
        );
        let answer = failed(&Status::internal(text));
        assert_eq!(matches!(answer, Answer::TryAgain { .. }), is_again, "{http}: {answer:?}");
        assert_eq!(matches!(answer, Answer::TooLarge { .. }), !is_again, "{http}: {answer:?}");
    }
    let own = failed(&Status::internal("out of luck, status: 503"));
    assert!(matches!(own, Answer::Refused { .. }), "{own:?}");
}

#[test]
fn what_was_refused_of_a_request_is_told() {
    let server = Loopback::start(|_| {
        let partial_success =
            ExportLogsPartialSuccess { rejected_log_records: 3, error_message: "too\nold".to_owned() };
        Ok(Response::new(ExportLogsServiceResponse { partial_success: Some(partial_success) }))
    });
    let answer = transport(server.receiver()).send(&mut request("a"), soon());
    assert_eq!(answer, Answer::Accepted { rejected: 3, message: "too old".to_owned() });
    assert_eq!(answer::accepted(b"garbage"), accepted());
}

/// A `google.rpc.Status` with a `RetryInfo`.
fn retry_info(seconds: u64, nanos: u64) -> Bytes {
    let (mut duration, mut info, mut any, mut status) = (vec![], vec![], vec![], vec![]);
    put_uint(&mut duration, 1, seconds);
    put_uint(&mut duration, 2, nanos);
    put_bytes(&mut info, 1, &duration);
    put_bytes(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
    put_bytes(&mut any, 2, &info);
    put_uint(&mut status, 1, 8);
    put_bytes(&mut status, 3, &any);
    status.into()
}

/// Every row of the contract, over the wire.
#[test]
fn each_code_is_tried_again_or_refused() {
    let code = Arc::new(AtomicU32::new(0));
    let asked = Arc::clone(&code);
    let server =
        Loopback::start(move |_| Err(Status::new((asked.load(Ordering::Relaxed) as i32).into(), "no")));
    let mut transport = transport(server.receiver());
    for number in 1..=16 {
        code.store(number, Ordering::Relaxed);
        let answer = transport.send(&mut request("a"), soon());
        let is_again = matches!(answer, Answer::TryAgain { after: None, .. });
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS
        assert_eq!(is_again, [1, 4, 10, 11, 14, 15].contains(&number), "{number}: {answer:?}");
        assert_eq!(!is_again, matches!(answer, Answer::Refused { .. }), "{number}: {answer:?}");
    }
}

#[test]
fn the_receiver_says_when_to_try_again() {
    let server = Loopback::start(|metadata| {
        let code = if metadata.contains_key("full") { Code::ResourceExhausted } else { Code::Unavailable };
        Err(Status::with_details(code, "later", retry_info(2, 500_000_000)))
    });
    let mut receiver = server.receiver();
    for _ in 0..2 {
        match transport(receiver.clone()).send(&mut request("a"), soon()) {
            Answer::TryAgain { after, .. } => assert_eq!(after, Some(Duration::from_millis(2500))),
            other => panic!("{other:?}"),
        }
        receiver.headers.insert("full", HeaderValue::from_static("1"));
    }
    let endless = Status::with_details(Code::Unavailable, "", retry_info(i64::MAX as u64, 1));
    let Answer::TryAgain { after: Some(after), .. } = failed(&endless) else { panic!("{endless:?}") };
    assert!(after < Duration::from_secs(100_000), "{after:?}");
    let garbage = Status::with_details(Code::ResourceExhausted, "", Bytes::from_static(b"garbage"));
    assert!(matches!(failed(&garbage), Answer::Refused { .. }));
}

#[test]
fn nobody_there_is_tried_again_and_found_when_there() {
    let port = Reserved::new();
    let url = format!("http://{}", port.address).parse().expect("a URL");
    let mut transport = transport(Target { url, ..Target::default() });
    let answer = transport.send(&mut request("a"), soon());
    assert!(matches!(&answer, Answer::TryAgain { why, .. } if why.contains("refused")), "{answer:?}");
    for _ in 0..2 {
        // The second time the connection is an old one, closed by the other side.
        let server = Loopback::start_at(&port.address.to_string(), None, Box::new(|_| ok()));
        assert_eq!(transport.send(&mut request("b"), soon()), accepted());
        assert_eq!(server.got(), [request("b").to_vec()]);
        drop(server);
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Scenario: a listener that reads and closes, one that answers with garbage, and one that says
/// nothing.
#[test]
fn no_answer_is_tried_again_within_the_deadline() {
    use std::io::{Read, Write};
    for reply in [Some(&b""[..]), Some(b"HTTP/1.1 200 OK\r\n\r\n"), None] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there are ports");
        let url = format!("http://{}", listener.local_addr().expect("it is bound")).parse().expect("a URL");
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.read(&mut [0; 1024]);
                match reply {
                    Some(reply) => drop(stream.write_all(reply)),
                    None => kept.push(stream),
                }
            }
        });
        let begun = Instant::now();
        let deadline = begun + Duration::from_millis(500);
        let answer = transport(Target { url, ..Target::default() }).send(&mut request("a"), deadline);
        assert!(matches!(answer, Answer::TryAgain { .. }), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_stream_without_a_status_is_no_answer() {
    let cut_off = Status::unknown(format!("{CUT_OFF}, stream was terminated"));
    assert!(matches!(failed(&cut_off), Answer::TryAgain { .. }));
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_of_ones_own_is_trusted_and_no_other() {
    use std::path::PathBuf;

    use crate::otlp::settings::tls::{Pem, Tls};

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem());
    let server = Loopback::start_at("127.0.0.1:0", Some(identity), Box::new(|_| ok()));
    let url: Uri = format!("https://localhost:{}", server.address.port()).parse().expect("a URL");
    let pem = |text: &str| Pem { bytes: text.into(), setting: String::new(), path: PathBuf::new() };
    let tls = Tls { roots: Some(pem(&made.cert.pem())), client: None };
    let receiver = Target { url, tls, ..Target::default() };
    assert_eq!(transport(receiver.clone()).send(&mut request("a"), soon()), accepted());
    let stranger =
        transport(Target { tls: Tls::default(), ..receiver.clone() }).send(&mut request("a"), soon());
    assert!(matches!(&stranger, Answer::TryAgain { why, .. } if why.contains("certificate")), "{stranger:?}");
    let client = Some((pem("no"), pem("pem")));
    let broken = Target { tls: Tls { client, ..receiver.tls.clone() }, ..receiver };
    assert!(Grpc::new(broken, Signal::Logs).expect_err("it is no certificate").is_setting());
}

/// Scenario: made, used and dropped in a runtime that has one thread, which all of it blocks.
#[test]
fn it_works_inside_a_runtime_that_it_blocks() {
    let server = Loopback::start(|_| ok());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut transport = transport(server.receiver());
        assert_eq!(transport.send(&mut request("a"), soon()), accepted());
    });
    assert_eq!(server.got(), [request("a").to_vec()]);
}
