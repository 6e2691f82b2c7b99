//! What arrives: bodies, headers and connections.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::{env, thread};

use super::*;
use crate::otlp::json::request_to_json;
use crate::otlp::settings::destination::add;
use crate::otlp::transport::http::tests::receiver::{response, Act, Receiver};

#[test]
fn a_request_arrives_as_it_is_with_its_headers() {
    let receiver = Receiver::scripted([Act::Send(response(200, &[], b""))]);
    let mut to = target(&logs_of(&receiver));
    for (name, value) in [("x-team", "blue"), ("content-length", "3"), ("content-type", "text/plain")] {
        add(&mut to.headers, "test", name, value).unwrap();
    }
    assert_eq!(send(&mut Http::new(to, None).unwrap(), b"\x0a\x00request"), accepted());
    let received = receiver.requests().remove(0);
    assert_eq!(received.line, "POST /v1/logs HTTP/1.1");
    assert_eq!(received.body, b"\x0a\x00request");
    assert_eq!(received.header("content-type"), Some("application/x-protobuf"));
    assert_eq!(received.header("x-team"), Some("blue"));
    assert_eq!(received.header("user-agent"), Some(USER_AGENT));
    assert_eq!(received.header("content-encoding"), None);
}

#[test]
fn one_connection_serves_many_requests() {
    // The bodies of refusals and repeats are read too, so that the connection is free again.
    let statuses = [200, 400, 503, 302, 200];
    let receiver = Receiver::scripted(statuses.map(|status| Act::Send(response(status, &[], b"body"))));
    let mut http = http(&receiver);
    for _ in statuses {
        send(&mut http, b"request");
    }
    assert_eq!((receiver.requests().len(), receiver.connections()), (5, 1));
    assert!(receiver.requests().iter().all(|received| received.connection == 0));
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let receiver =
        Receiver::scripted([Act::SendAndClose(response(200, &[], b"")), Act::Send(response(200, &[], b""))]);
    let mut http = http(&receiver);
    assert_eq!(send(&mut http, b"1"), accepted());
    thread::sleep(Duration::from_millis(100));
    assert_eq!(send(&mut http, b"2"), accepted());
    assert_eq!(receiver.connections(), 2);
}

#[test]
fn compressed_bodies_decode() {
    let request = b"abc".repeat(100_000);
    let receiver = Receiver::scripted(vec![Act::Send(response(200, &[], b"")); 4]);
    let mut to = target(&logs_of(&receiver));
    to.compression = Compression::Gzip;
    let mut http = Http::new(to, None).unwrap();
    // Twice, as the room for bodies is used again.
    for request in [&request[..], b"short"] {
        assert_eq!(send(&mut http, request), accepted());
        let received = receiver.requests().pop().unwrap();
        assert_eq!(received.header("content-encoding"), Some("gzip"));
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&received.body[..]).read_to_end(&mut plain).unwrap();
        assert!(plain == request && received.body.len() < 10_000);
    }
    let mut to = target(&logs_of(&receiver));
    to.compression = Compression::Zstd;
    if !crate::otlp::transport::http::body::zstd::IS_AVAILABLE {
        assert!(Http::new(to, None).unwrap_err().is_setting());
        return;
    }
    let mut http = Http::new(to, None).unwrap();
    for request in [&request[..], b"short"] {
        assert_eq!(send(&mut http, request), accepted());
        let received = receiver.requests().pop().unwrap();
        assert_eq!(received.header("content-encoding"), Some("zstd"));
        #[cfg(feature = "zstd")]
        {
            let mut plain = Vec::new();
            let mut decoder = ruzstd::decoding::StreamingDecoder::new(&received.body[..]).unwrap();
            decoder.read_to_end(&mut plain).unwrap();
            assert!(plain == request && received.body.len() < 10_000);
        }
    }
}

#[test]
fn json_is_what_the_transcoder_makes_of_the_request() {
    for signal in [Signal::Logs, Signal::Traces] {
        let receiver = Receiver::scripted([Act::Send(response(200, &[], b""))]);
        let mut http = Http::new(target(&logs_of(&receiver)), Some(signal)).unwrap();
        let request = [1 << 3 | 2, 0];
        assert_eq!(send(&mut http, &request), accepted());
        let received = receiver.requests().remove(0);
        assert_eq!(received.body, request_to_json(signal, &request).unwrap().into_bytes());
        assert_eq!(received.header("content-type"), Some("application/json"));
        assert!(matches!(send(&mut http, b"bad"), Answer::Refused { .. }));
    }
}

#[test]
fn after_a_401_the_provider_is_asked_once_more() {
    let provided = |script: Vec<Act>| {
        let receiver = Receiver::scripted(script);
        let asked = Arc::new(AtomicUsize::new(0));
        let mut to = target(&logs_of(&receiver));
        add(&mut to.headers, "test", "authorization", "none").unwrap();
        let counted = asked.clone();
        to.header_provider = Some(HeaderProvider(Arc::new(move || {
            let token = counted.fetch_add(1, Ordering::SeqCst);
            let bad = (String::from("b a d"), String::new());
            vec![(String::from("authorization"), format!("token {token}")), bad]
        })));
        let said = send(&mut Http::new(to, None).unwrap(), b"request");
        let tokens: Vec<_> = receiver
            .requests()
            .iter()
            .map(|received| received.header("authorization").unwrap().to_owned())
            .collect();
        (said, tokens)
    };
    let (no, ok) = (Act::Send(response(401, &[], b"")), Act::Send(response(200, &[], b"")));
    assert_eq!(provided(vec![ok.clone()]), (accepted(), vec!["token 0".into()]));
    assert_eq!(provided(vec![no.clone(), ok]), (accepted(), vec!["token 0".into(), "token 1".into()]));
    let (said, tokens) = provided(vec![no.clone(), no.clone(), no]);
    assert_eq!((said, tokens.len()), (Answer::Refused { why: "401 Unauthorized".into() }, 2));
}

#[test]
fn a_provider_that_panics_takes_nothing_along() {
    let receiver = Receiver::scripted([Act::Send(response(200, &[], b""))]);
    let mut to = target(&logs_of(&receiver));
    let calls = AtomicUsize::new(0);
    to.header_provider = Some(HeaderProvider(Arc::new(move || match calls.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("as told"),
        _ => Vec::new(),
    })));
    let mut http = Http::new(to, None).unwrap();
    assert!(is_again(&send(&mut http, b"request")));
    assert_eq!(send(&mut http, b"request"), accepted());
}

/// The environment is the process's: this case has a process of its own, of this same test.
#[test]
fn the_proxy_of_the_environment_is_used_but_not_for_this_machine() {
    const CASE: &str = "SPANLOG_TEST_PROXY";
    let said = Act::Send(response(200, &[], b""));
    if env::var_os(CASE).is_some() {
        let direct = Receiver::scripted([said]);
        assert_eq!(send(&mut http(&direct), b"1"), accepted());
        let mut http = Http::new(target("http://collector.test/v1/logs"), None).unwrap();
        assert_eq!(send(&mut http, b"2"), accepted());
        return;
    }
    let proxy = Receiver::scripted([Act::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), said]);
    let name = "otlp::transport::http::tests::requests::the_proxy_of_the_environment_is_used_but_not_for_this_machine";
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", name])
        .env(CASE, "1")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env("ALL_PROXY", format!("http://{}", proxy.address))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let lines: Vec<_> = proxy.requests().into_iter().map(|received| received.line).collect();
    assert_eq!(lines, ["CONNECT collector.test:80 HTTP/1.1", "POST /v1/logs HTTP/1.1"]);
}
