//! Answers of receivers: arbitrary statuses, headers and bodies.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message;
use serde_json::Value as Json;

use crate::fuzzing::Input;
use crate::otlp::transport::answer::partial_success::MAX_RETRY_AFTER;
use crate::otlp::transport::answer::{printable, protobuf, Reply, MAX_TEXT_CHARS};
use crate::otlp::transport::Answer;

/// As `google/rpc/status.proto` and `google/protobuf/any.proto` have them.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`, and the `google.protobuf.Duration` in it.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

const STATUSES: [u16; 16] = [200, 202, 204, 299, 301, 307, 400, 401, 404, 413, 429, 500, 502, 503, 504, 599];

const KINDS: [&str; 5] =
    ["", "application/x-protobuf", "application/json", "Application/JSON; a=b", "text/html"];

/// Takes a status, headers and a body from `input`. Whatever they are, the status decides, texts
/// are short and of one line, waits are bounded; and where prost or serde_json read a body, it
/// means the same here.
pub fn answer(input: &[u8]) {
    let mut input = Input(input);
    let status = STATUSES[usize::from(input.byte()) % STATUSES.len()];
    let kind = KINDS[usize::from(input.byte()) % KINDS.len()];
    let retry_after = input.bytes();
    let body = input.0;
    let mut headers = HeaderMap::new();
    if !kind.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    if let Ok(value) = HeaderValue::from_bytes(&retry_after) {
        headers.insert(RETRY_AFTER, value);
    }
    let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let reply =
        Reply { status: StatusCode::from_u16(status).expect("they are"), headers, body: body.to_vec() };
    http(&reply, status, kind, &retry_after, now);
    grpc(body);
}

fn http(reply: &Reply, status: u16, kind: &str, retry_after: &[u8], now: SystemTime) {
    let meaning = reply.meaning(now);
    match (status, &meaning) {
        (200..=299, Answer::Accepted { rejected, message }) => {
            assert_text(message);
            if kind == "application/x-protobuf" {
                assert_like_prost(&reply.body, *rejected, message);
            }
            if kind.eq_ignore_ascii_case("application/json") {
                assert_like_serde(&reply.body, *rejected);
            }
        }
        (429 | 502..=504, Answer::TryAgain { after, why }) => {
            assert_text(why.split_once(": ").map_or("", |(_, reason)| reason));
            assert!(after.is_none_or(|after| after <= MAX_RETRY_AFTER));
            let seconds = std::str::from_utf8(retry_after).ok().and_then(|text| text.parse::<u32>().ok());
            let has_sign = retry_after.starts_with(b"+");
            if let Some(seconds) = seconds.filter(|_| !has_sign) {
                assert_eq!(*after, Some(Duration::from_secs(seconds.into()).min(MAX_RETRY_AFTER)));
            }
        }
        (_, Answer::Refused { why }) => {
            assert_text(why.split_once(": ").map_or("", |(_, reason)| reason));
        }
        other => panic!("{other:?}"),
    }
}

/// The bodies of gRPC answers are read by the same functions, without a content type.
fn grpc(body: &[u8]) {
    let delay = protobuf::retry_delay(body);
    assert!(delay.is_none_or(|delay| delay <= MAX_RETRY_AFTER));
    let Answer::Accepted { rejected, message } = protobuf::partial_success(body).unwrap_or_default().into()
    else {
        panic!("an answer of OK is one")
    };
    assert_text(&message);
    assert_like_prost(body, rejected, &message);

    let Some(status) = as_prost_writes::<Status>(body) else { return };
    let infos: Option<Vec<RetryInfo>> = status
        .details
        .iter()
        .filter(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))
        .map(|detail| as_prost_writes(&detail.value))
        .collect();
    let Some(infos) = infos else { return };
    let expected = infos.last().map(|info| {
        let Delay { seconds, nanos } = info.retry_delay.clone().unwrap_or_default();
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let nanos = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        seconds.saturating_add(nanos).min(MAX_RETRY_AFTER)
    });
    assert_eq!(delay, expected);
}

/// The message, if these are just the bytes that it is written as: then there is one way to read
/// them.
fn as_prost_writes<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    M::decode(bytes).ok().filter(|message| message.encode_to_vec() == bytes)
}

fn assert_like_prost(body: &[u8], rejected: u64, message: &str) {
    let Some(read) = as_prost_writes::<ExportLogsServiceResponse>(body) else { return };
    let expected = read.partial_success.unwrap_or_default();
    assert_eq!(rejected, u64::try_from(expected.rejected_log_records).unwrap_or(0));
    assert_eq!(message, printable(&expected.error_message));
}

fn assert_like_serde(body: &[u8], rejected: u64) {
    // Bodies in which a key occurs twice are read differently.
    let Ok(Json::Object(read)) = serde_json::from_slice(body) else { return };
    let is_once = |name: &str| body.windows(name.len()).filter(|part| *part == name.as_bytes()).count() == 1;
    let partial = read.get("partialSuccess").and_then(|partial| partial.get("rejectedLogRecords"));
    let Some(count) = partial.and_then(Json::as_i64) else { return };
    if is_once("partialSuccess") && is_once("rejectedLogRecords") && !has_other_spelling(body) {
        let is_readable = rejected == u64::try_from(count).unwrap_or(0);
        // All or nothing: if another part of the body cannot be read, the count is not, either.
        assert!(is_readable || rejected == 0, "{rejected} is not {count}");
    }
}

fn has_other_spelling(body: &[u8]) -> bool {
    body.contains(&b'_') || body.contains(&b'\\')
}

fn assert_text(text: &str) {
    assert!(text.chars().count() <= MAX_TEXT_CHARS + 1, "{text}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
