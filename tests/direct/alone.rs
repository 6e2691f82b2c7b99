//! Tests that set the global subscriber, each in its own process.

use std::time::Duration;

use spanlog::otlp::{Pipeline, Protocol};

use crate::http::Receiver;
use crate::otlp::body;
use crate::{kinds, process};

const LONG: Duration = Duration::from_secs(20);

fn one_event(protocol: Protocol, url: String, requests: impl Fn() -> Vec<String>) {
    let pipeline = Pipeline::builder()
        .with_endpoint(url)
        .with_protocol(protocol)
        .with_schedule_delay(Duration::from_millis(20))
        .build()
        .unwrap();
    // At TRACE, so that nothing is filtered.
    tracing::dispatcher::set_global_default(kinds::dispatch(&pipeline)).unwrap();
    tracing::trace!("the one");
    pipeline.flush(LONG).unwrap();
    // By now, events of the client would have become records and caused requests.
    std::thread::sleep(Duration::from_millis(300));
    pipeline.flush(LONG).unwrap();
    assert_eq!(requests(), ["the one"]);
    let stats = pipeline.shutdown(LONG).stats;
    assert_eq!((stats.emitted, stats.delivered, stats.batches), (1, 1, 1));
    assert_eq!(requests(), ["the one"]);
}

/// Guarantees: nothing that the HTTP client logs about a request becomes a record or causes a
/// request.
#[test]
fn one_event_at_trace_is_one_record_and_one_request() {
    let child = process::isolated(|_| {
        let receiver = Receiver::start();
        one_event(Protocol::HttpProtobuf, receiver.url(), || {
            assert!(receiver.requests().len() <= 1);
            receiver.records().iter().map(|(_, record)| body(record).to_owned()).collect()
        });
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Guarantees: the same for tonic, hyper and h2.
#[cfg(feature = "grpc")]
#[test]
fn one_event_at_trace_is_one_record_and_one_call() {
    let child = process::isolated(|_| {
        let server = crate::grpc::Receiver::start();
        one_event(Protocol::Grpc, server.url(), || {
            assert!(server.metadata().len() <= 1);
            server.records().iter().map(|(_, record)| body(record).to_owned()).collect()
        });
    });
    if let Some(child) = child {
        child.run(&[]);
    }
}

/// Guarantees: records are written to a file of JSON lines, one request per line.
#[test]
fn records_go_to_a_file() {
    let path = process::directory("direct-file").join("logs.jsonl");
    let pipeline = Pipeline::builder().with_json_lines(&path).build().unwrap();
    tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || tracing::info!(answer = 42, "kept"));
    let report = pipeline.shutdown(LONG);
    assert!(report.is_complete && report.stats.delivered == 1, "{report}");
    let written = std::fs::read_to_string(&path).unwrap();
    let line: serde_json::Value = serde_json::from_str(&written).unwrap();
    let record = &line["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["body"]["stringValue"], "kept");
    assert_eq!(record["attributes"][0]["value"]["intValue"], "42");
    std::fs::remove_dir_all(path.parent().unwrap().parent().unwrap()).unwrap();
}
