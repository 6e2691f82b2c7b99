//! Receivers on the loopback interface, and what they decode.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value::Value, AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use crate::assert_fails;
use crate::http::{ok, response, Act, Receiver, Request};
use crate::otlp::{attributes, body, decode};
use crate::port::Reserved;

/// The response to a request with a body of 100,000 bytes.
fn ask(receiver: &Receiver) -> Result<String, ErrorKind> {
    let mut stream = TcpStream::connect(receiver.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let head = "POST /v1/logs HTTP/1.1\r\nX-Case: one\r\ncontent-length: 100000\r\n\r\n";
    let mut text = String::new();
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&[b'x'; 100_000]));
    sent.and_then(|()| stream.read_to_string(&mut text)).map_err(|error| error.kind())?;
    Ok(text)
}

#[test]
fn a_receiver_does_as_it_is_told_and_keeps_what_it_read() {
    let says = response(503, &[("retry-after", "7")], b"busy");
    let said = String::from_utf8(says.clone()).unwrap();
    let receiver = Receiver::scripted([
        Act::SendAndClose(says.clone()),
        Act::Later(Duration::from_millis(1), Box::new(Act::SendAndClose(says))),
        Act::Reset,
        Act::Silence,
    ]);
    assert_eq!(ask(&receiver).as_ref(), Ok(&said));
    assert_eq!(ask(&receiver).as_ref(), Ok(&said));
    let reset = ask(&receiver).unwrap_err();
    assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&reset), "{reset:?}");
    let silent = ask(&receiver).unwrap_err();
    assert!([ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&silent), "{silent:?}");
    assert_eq!(ask(&receiver).as_deref(), Ok(""), "the script has come to its end");
    let requests = receiver.requests();
    assert_eq!((requests.len(), receiver.connections()), (4, 5), "what was reset is not kept");
    let numbers: Vec<_> = requests.iter().map(|request| request.number).collect();
    assert_eq!(numbers, [0, 1, 3, 4]);
    for request in requests {
        assert_eq!((request.path(), request.header("x-case")), ("/v1/logs", Some("one")));
        assert_eq!(request.body.len(), 100_000);
    }
}

fn request(headers: &[(&str, &str)], body: &[u8]) -> Request {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Request {
        line: "POST /v1/logs HTTP/1.1".to_owned(),
        headers,
        body: body.to_vec(),
        connection: 0,
        number: 0,
    }
}

#[test]
fn a_request_must_be_what_its_headers_say() {
    let decoded = |headers: &[(&str, &str)], body: &[u8]| {
        let _: ExportLogsServiceRequest = decode(&request(headers, body));
    };
    let (protobuf, json) = (("content-type", "application/x-protobuf"), ("content-type", "application/json"));
    decoded(&[protobuf], b"");
    decoded(&[json], b"{}");
    assert_fails("content-type: None", || decoded(&[], b""));
    assert_fails("content-type: Some(\"text/html\")", || decoded(&[("content-type", "text/html")], b""));
    assert_fails("content-encoding: br", || decoded(&[json, ("content-encoding", "br")], b"{}"));
    assert_fails("content-type is there twice", || decoded(&[json, json], b"{}"));
    assert_fails("DecodeError", || decoded(&[protobuf], b"{}"));
    assert_fails("UnexpectedEof", || decoded(&[json, ("content-encoding", "gzip")], b"{}"));
}

#[test]
fn a_body_must_be_text_and_a_key_there_once() {
    let value = |value| Some(AnyValue { value: Some(value) });
    let text = LogRecord { body: value(Value::StringValue("text".to_owned())), ..LogRecord::default() };
    assert_eq!(body(&text), "text");
    assert_fails("no text in the body: None", || drop(body(&LogRecord::default()).to_owned()));
    let number = LogRecord { body: value(Value::IntValue(1)), ..LogRecord::default() };
    assert_fails("no text in the body: Some", || drop(body(&number).to_owned()));
    let pair = KeyValue { key: "key".to_owned(), value: value(Value::IntValue(1)), ..KeyValue::default() };
    assert_eq!(attributes(std::slice::from_ref(&pair))["key"], "1");
    assert_fails("key is there twice", || drop(attributes(&[pair.clone(), pair])));
}

/// Guarantees: connections to a reserved port are refused, the system assigns it to nobody else,
/// and it can be listened on.
#[test]
fn a_reserved_port_is_nobodys_until_it_is_listened_on() {
    let port = Reserved::new();
    let address = port.address;
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let others: Vec<_> = (0..200).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    assert!(others.iter().all(|other| other.local_addr().unwrap() != address));
    let receiver = Receiver::at(port.listen(), |_| Some(ok()));
    assert_eq!(receiver.address, address);
    TcpStream::connect(address).unwrap();
}
