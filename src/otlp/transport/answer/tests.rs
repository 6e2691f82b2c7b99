//! The table of answers, and bytes that are none.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

use std::time::UNIX_EPOCH;

use http::HeaderValue;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use proptest::prelude::*;
use prost::Message;

use super::*;

const PROTOBUF: &str = "application/x-protobuf";

const JSON: &str = "application/json; charset=utf-8";

fn reply(status: u16, kind: &str, body: &[u8]) -> Reply {
    let mut headers = HeaderMap::new();
    if !kind.is_empty() {
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
    }
    Reply { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_vec() }
}

fn meaning(status: u16, kind: &str, body: &[u8]) -> Answer {
    reply(status, kind, body).meaning(UNIX_EPOCH)
}

fn accepted(rejected: u64, message: &str) -> Answer {
    Answer::Accepted { rejected, message: message.into() }
}

fn partial(rejected: i64, message: &str) -> Vec<u8> {
    let partial_success =
        ExportLogsPartialSuccess { rejected_log_records: rejected, error_message: message.into() };
    ExportLogsServiceResponse { partial_success: Some(partial_success) }.encode_to_vec()
}

#[test]
fn any_2xx_is_success_whatever_the_body() {
    for status in [200, 202, 204, 299] {
        for kind in ["", PROTOBUF, JSON, "text/html", "\u{7f}garbage".trim_start_matches('\u{7f}')] {
            let bodies: [&[u8]; 8] = [
                b"",
                b"\x0a\x00",
                b"{}",
                b"<html>",
                b"\xff\xff\xff",
                b"\x0a\x05\x08",
                b"{\"partialSuccess\":",
                b"null",
            ];
            for body in bodies {
                let Answer::Accepted { rejected: 0, message } = meaning(status, kind, body) else {
                    panic!("{status} {kind} {body:?}");
                };
                // It is delivered, but something else may be there.
                assert_eq!(message.contains("a web page"), kind == "text/html", "{status} {kind} {body:?}");
                assert!(message.is_empty() || kind == "text/html", "{message}");
            }
        }
    }
}

#[test]
fn rejected_records_are_counted() {
    for kind in ["", PROTOBUF, "Application/X-Protobuf"] {
        assert_eq!(meaning(200, kind, &partial(7, "too old")), accepted(7, "too old"), "{kind}");
    }
    assert_eq!(meaning(200, PROTOBUF, &partial(-7, "")), accepted(0, ""));
    assert_eq!(meaning(200, PROTOBUF, &partial(i64::MAX, "")), accepted(i64::MAX as u64, ""));
    // Cut anywhere within, there is no count to rely on.
    let whole = partial(300, "too old");
    for len in 0..whole.len() {
        assert_eq!(meaning(200, PROTOBUF, &whole[..len]), accepted(0, ""), "{len}");
    }
    let texts = [
        r#"{"partialSuccess":{"rejectedLogRecords":"7","errorMessage":"too old"}}"#,
        r#" { "new" : [1, {"a": null}, "x\n"] , "partial_success" : { "rejected_log_records" : 7 , "error_message" : "too\u0020old" } } "#,
    ];
    for text in texts {
        for kind in ["", JSON] {
            assert_eq!(meaning(200, kind, text.as_bytes()), accepted(7, "too old"), "{kind} {text}");
        }
        assert_eq!(meaning(200, "text/plain", text.as_bytes()), accepted(0, ""));
    }
    assert_eq!(meaning(200, JSON, br#"{"partialSuccess":null}"#), accepted(0, ""));
    assert_eq!(meaning(200, JSON, br#"{"partialSuccess":{"rejectedLogRecords":1.5}}"#), accepted(0, ""));
    assert_eq!(meaning(200, JSON, br#"{"partialSuccess":{"rejectedLogRecords":"7"}} x"#), accepted(0, ""));
    let escaped = br#"{"partialSuccess":{"errorMessage":"\ud83d\ude00 \ud83d \"\\"}}"#;
    assert_eq!(meaning(200, JSON, escaped), accepted(0, "\u{1f600} \u{fffd} \"\\"));
    let deep = [b"{\"a\":".to_vec(), vec![b'['; 1 << 20]].concat();
    assert_eq!(meaning(200, JSON, &deep), accepted(0, ""));
}

#[test]
fn four_statuses_are_tried_again_and_no_other() {
    for status in 300..=599 {
        let again = matches!(meaning(status, "", b""), Answer::TryAgain { after: None, .. });

        assert_eq!(again, [429, 502, 503, 504].contains(&status), "{status}");

        let is_too_large = matches!(meaning(status, "", b""), Answer::TooLarge { .. });
        assert_eq!(is_too_large, status == 413);
        let is_refused = matches!(meaning(status, "", b""), Answer::Refused { .. });
        assert_eq!(!again && !is_too_large, is_refused, "{status}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let day = MAX_RETRY_AFTER;
    let cases = [
        ("0", Some(Duration::ZERO)),
        ("7", Some(Duration::from_secs(7))),
        ("18446744073709551615", Some(day)),
        ("99999999999999999999999999", Some(day)),
        ("Thu, 01 Jan 1970 00:01:30 GMT", Some(Duration::from_secs(30))),
        ("Thu, 01 Jan 1970 00:00:30 GMT", Some(Duration::ZERO)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(day)),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("soon", None),
    ];
    for (value, wanted) in cases {
        let mut reply = reply(503, "", b"");

        reply.headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());

        let Answer::TryAgain { after, .. } = reply.meaning(UNIX_EPOCH + Duration::from_secs(60)) else {
            panic!("{value}")
        };

        assert_eq!(after, wanted, "{value}");
    }
}

#[test]
fn a_refusal_says_why() {
    let refused = |why: &str| Answer::Refused { why: why.into() };
    // code = 3, message = "bad"
    assert_eq!(meaning(400, PROTOBUF, b"\x08\x03\x12\x03bad"), refused("400 Bad Request: bad"));
    assert_eq!(meaning(400, JSON, br#"{"code":3,"message":"bad"}"#), refused("400 Bad Request: bad"));
    assert_eq!(
        meaning(413, "text/plain", b" too\r\nlarge\x1b "),
        Answer::TooLarge { why: "413 Payload Too Large: too  large\u{fffd}".into() }
    );
    assert_eq!(meaning(404, "", b""), refused("404 Not Found"));
    let Answer::Refused { why } = meaning(400, "text/plain", "ä".repeat(1 << 20).as_bytes()) else {
        panic!()
    };
    assert!(why.chars().count() < MAX_TEXT_CHARS + 30 && why.ends_with('…'), "{why}");
}

/// Guarantees: a web page, and a server that wants TLS, are outages: another server is at the place of
/// the receiver. They say what they look like.
#[test]
fn what_looks_like_another_server_is_an_outage_and_says_so() {
    let page = b"<!DOCTYPE html><html><body>Welcome</body></html>";
    let tls = b"Client sent an HTTP request to an HTTPS server.\n";
    for (status, kind, body, hint) in
        [(404, "text/html; charset=utf-8", &page[..], "web page"), (400, "text/plain", &tls[..], "https://")]
    {
        let Answer::TryAgain { after: None, why } = meaning(status, kind, body) else { panic!("{status}") };
        assert!(why.contains(hint), "{why}");
    }
    // A page that forbids is an answer.
    assert!(matches!(meaning(403, "text/html", page), Answer::Refused { .. }));
    assert!(matches!(meaning(200, "text/html", page), Answer::Accepted { .. }));
}

proptest! {
    #[test]
    fn no_bytes_panic(status in 200u16..600, kind in 0usize..4, body: Vec<u8>) {
        meaning(status, ["", PROTOBUF, JSON, "text/html"][kind], &body);

    }

    #[test]
    fn nothing_like_json_panics(body in r#"[\[\]{}":,\\u0-9a-fnull "-]{0,60}"#) {
        meaning(200, JSON, body.as_bytes());

        meaning(400, JSON, body.as_bytes());

        meaning(200, JSON, format!(r#"{{"partialSuccess":{body}"#).as_bytes());

    }

    #[test]
    fn protobuf_is_read_as_prost_reads_it(rejected: i64, message in "[a-z]{0,300}", cut: prop::sample::Index) {
        let mut body = partial(rejected, &message);

        prop_assert_eq!(protobuf::partial_success(&body), Some(PartialSuccess { rejected, message }));

        body.truncate(cut.index(body.len() + 1));

        let theirs = ExportLogsServiceResponse::decode(&body[..]).ok();

        prop_assert_eq!(protobuf::partial_success(&body).is_some(), theirs.is_some());

    }

    #[test]
    fn text_is_read_as_serde_json_reads_it(message: String) {
        let body = serde_json::json!({ "details": [], "message": &message }).to_string();

        let wanted = (!message.is_empty()).then_some(message);

        prop_assert_eq!(json::status(body.as_bytes()), wanted);

    }
}
