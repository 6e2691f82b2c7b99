//! Flush and shutdown called from inside a runtime, whose thread they block.

use std::time::Duration;

use spanlog::otlp::{Pipeline, Protocol};

use crate::http::Receiver;
use crate::kinds;

/// Asserts that they return, not how fast: one that waited for the runtime never would.
const LONG: Duration = Duration::from_secs(20);

fn flush_and_shut_down(protocol: Protocol, url: String) {
    let pipeline = Pipeline::builder().with_endpoint(url).with_protocol(protocol).build().unwrap();
    tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || {
        for number in 0..600 {
            tracing::info!(number, "before the flush");
        }
        pipeline.flush(LONG).unwrap();
        assert_eq!(pipeline.stats().delivered, 600);
        for number in 0..600 {
            tracing::info!(number, "after the flush");
        }
    });
    let report = pipeline.shutdown(LONG);
    assert!(report.is_complete, "{report}");
    assert_eq!((report.stats.delivered, report.stats.pending), (1200, 0));
}

/// Guarantees: flush and shutdown return with everything delivered, on a current-thread runtime.
#[tokio::test(flavor = "current_thread")]
async fn http_from_a_runtime_of_one_thread() {
    let receiver = Receiver::start();
    flush_and_shut_down(Protocol::HttpProtobuf, receiver.url());
    assert_eq!(receiver.records().len(), 1200);
}

/// Guarantees: the same on a multi-thread runtime.
#[tokio::test(flavor = "multi_thread")]
async fn http_from_a_runtime_of_many_threads() {
    let receiver = Receiver::start();
    flush_and_shut_down(Protocol::HttpJson, receiver.url());
    assert_eq!(receiver.records().len(), 1200);
}

/// Guarantees: the same over gRPC, on a current-thread runtime.
#[cfg(feature = "grpc")]
#[tokio::test(flavor = "current_thread")]
async fn grpc_from_a_runtime_of_one_thread() {
    let receiver = crate::grpc::Receiver::start();
    flush_and_shut_down(Protocol::Grpc, receiver.url());
    assert_eq!(receiver.records().len(), 1200);
}
