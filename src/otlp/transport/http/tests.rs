//! HTTP against a receiver on the loopback interface that misbehaves as told.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[cfg(feature = "tls")]
mod certificates;
#[path = "../../../../tests/support/http.rs"]
mod receiver;
mod requests;

use std::net::TcpListener;
use std::time::Duration;

use super::*;
use crate::otlp::settings::choices::Compression;
use crate::otlp::settings::tls::Tls;
use crate::otlp::transport::http::tests::receiver::{response, Act, Receiver};
use crate::otlp::transport::port::Reserved;

const PATIENCE: Duration = Duration::from_secs(4);

fn target(url: &str) -> Target {
    Target {
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        header_provider: None,
        compression: Compression::None,
        tls: Tls::default(),
    }
}

/// The URL for logs of a receiver.
fn logs_of(receiver: &Receiver) -> String {
    receiver.url() + "/v1/logs"
}

fn http(receiver: &Receiver) -> Http {
    Http::new(target(&logs_of(receiver)), None).unwrap()
}

/// The answer to one request, with time enough.
fn send(http: &mut Http, request: &[u8]) -> Answer {
    http.send(&mut request.to_vec().into(), Instant::now() + PATIENCE)
}

fn ask(script: impl IntoIterator<Item = Act>) -> Answer {
    let receiver = Receiver::scripted(script);
    send(&mut http(&receiver), b"request")
}

fn accepted() -> Answer {
    Answer::Accepted { rejected: 0, message: String::new() }
}

fn is_again(answer: &Answer) -> bool {
    matches!(answer, Answer::TryAgain { after: None, .. })
}

#[test]
fn any_2xx_is_success() {
    let html = ("content-type", "text/html");
    let of_page =
        |answer| matches!(answer, Answer::Accepted { rejected: 0, message } if message.contains("web page"));
    assert!(of_page(ask([Act::Send(response(200, &[html], b"<html>"))])));
    assert!(of_page(ask([Act::SendAndClose(response(200, &[html], &vec![b'x'; 6 << 20]))])));
    for (kind, body) in [
        (("x", "y"), &b""[..]),
        (("content-type", "application/x-protobuf"), b"\x0a\x00"),
        (("content-type", "application/json"), b"{}"),
        (("content-type", "application/x-protobuf"), b"\xff\xff\xff\xff"),
    ] {
        assert_eq!(ask([Act::Send(response(200, &[kind], body))]), accepted(), "{kind:?}");
        assert_eq!(ask([Act::Send(response(202, &[kind], body))]), accepted(), "{kind:?}");
    }
    // Half of its body is missing, it has no length, or it never ends.
    let broken = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    assert_eq!(ask([Act::SendAndClose(broken)]), accepted());
    assert_eq!(ask([Act::SendAndClose(b"HTTP/1.1 200 OK\r\n\r\nhalf".to_vec())]), accepted());
    assert_eq!(ask([Act::SendAndClose(response(200, &[], &vec![b'x'; 6 << 20]))]), accepted());
}

#[test]
fn rejected_records_are_told() {
    let wanted = Answer::Accepted { rejected: 7, message: "old".into() };
    let protobuf = ("content-type", "application/x-protobuf");
    let json = ("content-type", "application/json");
    let body = br#"{"partialSuccess":{"rejectedLogRecords":"7","errorMessage":"old"}}"#;
    assert_eq!(ask([Act::Send(response(200, &[protobuf], b"\x0a\x07\x08\x07\x12\x03old"))]), wanted);
    assert_eq!(ask([Act::Send(response(200, &[json], body))]), wanted);
}

#[test]
fn silence_is_tried_again() {
    let unused = Reserved::new();
    let mut http = Http::new(target(&format!("http://{}/", unused.address)), None).unwrap();
    let refused = send(&mut http, b"request");
    assert!(is_again(&refused), "{refused:?}");

    for script in [
        Act::SendAndClose(Vec::new()),
        Act::Reset,
        Act::SendAndClose(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        Act::SendAndClose(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
    ] {
        let said = ask([script.clone()]);
        assert!(is_again(&said), "{script:?}: {said:?}");
    }
    assert!(matches!(ask([Act::Reset]), Answer::TryAgain { why, .. } if why.contains("reset")));
    // What was sent in vain is sent again over a new connection.
    let receiver =
        Receiver::scripted([Act::Reset, Act::SendAndClose(Vec::new()), Act::Send(response(200, &[], b""))]);
    let mut http = self::http(&receiver);
    assert!(is_again(&send(&mut http, b"request")));
    assert!(is_again(&send(&mut http, b"request")));
    assert_eq!(send(&mut http, b"request"), accepted());
}

#[test]
fn retry_after_is_honoured() {
    let after = |headers: &[(&str, &str)]| match ask([Act::Send(response(503, headers, b""))]) {
        Answer::TryAgain { after, .. } => after,
        other => panic!("{other:?}"),
    };
    assert_eq!(after(&[]), None);
    assert_eq!(after(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
    assert_eq!(after(&[("retry-after", "soon")]), None);
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
    let left = after(&[("retry-after", &date)]).unwrap();
    assert!((50..=60).contains(&left.as_secs()), "{left:?}");
    assert!(after(&[("retry-after", "99999999999999999999999")]).unwrap() <= Duration::from_secs(86400));
}

#[test]
fn a_redirect_is_refused_and_not_followed() {
    let other = Receiver::scripted([Act::Send(response(200, &[], b""))]);
    for status in [301, 302, 307, 308] {
        let said = ask([Act::Send(response(status, &[("location", &logs_of(&other))], b""))]);
        assert!(matches!(said, Answer::Refused { .. }), "{status}: {said:?}");
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn other_statuses_are_refused_with_what_they_say() {
    let protobuf = ("content-type", "application/x-protobuf");
    let refused = |why: &str| Answer::Refused { why: why.into() };
    let too_large = response(413, &[protobuf], b"\x08\x08\x12\x09too large");
    let why = "413 Payload Too Large: too large".into();
    assert_eq!(ask([Act::Send(too_large)]), Answer::TooLarge { why });
    assert_eq!(ask([Act::Send(response(401, &[], b""))]), refused("401 Unauthorized"));
    assert_eq!(ask([Act::Send(response(500, &[], b"oops"))]), refused("500 Internal Server Error: oops"));
}

#[test]
fn an_answer_before_the_body_was_read_is_heard() {
    let early = Act::Early(response(413, &[], b""));
    let receiver = Receiver::scripted([
        early.clone(),
        early,
        Act::Send(response(200, &[], b"")),
        Act::Send(response(200, &[], b"")),
    ]);
    let mut http = http(&receiver);
    // More than the buffers of both sides hold.
    let request = vec![b'x'; 16 << 20];
    let first = send(&mut http, &request);
    assert!(is_again(&first), "{first:?}");
    assert_eq!(send(&mut http, &request), Answer::TooLarge { why: "413 Payload Too Large".into() });
    assert_eq!(send(&mut http, &request), accepted());
    assert_eq!(send(&mut http, &request), accepted());
    let expects: Vec<_> =
        receiver.requests().iter().map(|received| received.header("expect").is_some()).collect();
    assert_eq!(expects, [false, true, false, false]);
}

/// What it says, and how long it took.
fn timed(script: Act, patience: Duration) -> (Answer, Duration) {
    let receiver = Receiver::scripted([script]);
    let start = Instant::now();
    let said = http(&receiver).send(&mut b"request".to_vec().into(), start + patience);
    (said, start.elapsed())
}

#[test]
fn the_deadline_is_kept() {
    let patience = Duration::from_millis(300);
    let late = Duration::from_secs(10);
    let drip = |bytes: Vec<u8>| Act::Drip(bytes, Duration::from_millis(100));
    // Each byte comes in time; all of them together do not.
    let (said, took) = timed(drip(response(200, &[], &[b'x'; 200])), patience);
    assert!(is_again(&said) && took < late && took >= patience, "{said:?} {took:?}");
    // The status came in time, and it is what counts.
    for (status, wanted) in [(200, accepted()), (400, Answer::Refused { why: "400 Bad Request: x".into() })] {
        let receiver = Receiver::scripted([Act::Send(
            format!("HTTP/1.1 {status} x\r\ncontent-length: 9\r\n\r\nx").into(),
        )]);
        let start = Instant::now();
        let said = http(&receiver).send(&mut b"request".to_vec().into(), start + patience);
        assert!(start.elapsed() < late, "{:?}", start.elapsed());
        assert_eq!(said, wanted);
    }
    // Nobody accepts, or nobody is asked any more.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut http = Http::new(target(&format!("http://{}/", full.local_addr().unwrap())), None).unwrap();
    let start = Instant::now();
    assert!(is_again(&http.send(&mut b"request".to_vec().into(), start + patience)));
    assert!(is_again(&http.send(&mut b"request".to_vec().into(), start)));
    assert!(start.elapsed() < late, "{:?}", start.elapsed());
    #[cfg(feature = "tls")]
    {
        let mut https = Http::new(target(&format!("https://{}/", full.local_addr().unwrap())), None).unwrap();
        let start = Instant::now();
        assert!(is_again(&https.send(&mut b"request".to_vec().into(), start + patience)));
        assert!(start.elapsed() < late, "{:?}", start.elapsed());
    }
}

/// Guarantees: a receiver that quotes the request's credentials in its answer does not bring them into
/// the text that is reported.
#[test]
fn an_answer_that_quotes_credentials_is_told_without_them() {
    let quote = b"no Bearer opensesame for /v1/logs?token=abcdefgh";
    let receiver = Receiver::scripted([400, 503].map(|status| Act::Send(response(status, &[], quote))));
    let mut to = target(&(logs_of(&receiver) + "?token=abcdefgh"));
    to.headers.insert("authorization", HeaderValue::from_static("Bearer opensesame"));
    let mut http = Http::new(to, None).unwrap();
    for _ in 0..2 {
        let (Answer::Refused { why } | Answer::TryAgain { why, .. }) = send(&mut http, b"request") else {
            panic!()
        };
        assert!(why.contains("no [redacted] for /v1/logs?[redacted]"), "{why}");
    }
}

/// Guarantees: where a server closes every connection, the text says what such a server may be; once it
/// has answered, it does not.
#[test]
fn a_server_that_closes_connections_may_be_something_else() {
    let close = || Act::SendAndClose(Vec::new());
    let receiver = Receiver::scripted([close(), close(), Act::Send(response(200, &[], b"")), close()]);
    let mut http = http(&receiver);
    let mut says_so = || match send(&mut http, b"request") {
        Answer::TryAgain { why, .. } => Some(why.contains("TLS")),
        _ => None,
    };
    assert_eq!([says_so(), says_so(), says_so()], [Some(true), Some(true), None]);
    assert_eq!(says_so(), Some(false));
}
