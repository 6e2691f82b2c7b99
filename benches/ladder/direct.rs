//! The arms on the direct path: their pipeline, and the checks of what it encodes.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::{SpanId, TraceId};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prost::Message;
use spanlog::otlp::Pipeline;
use spanlog::LogLayer;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::Registry;

use crate::arm::{Arm, Layers, What};
use crate::work::{current_ids, inside, span_layer, work};

const TIMEOUT: Duration = Duration::from_secs(30);

static PIPELINE: OnceLock<Pipeline> = OnceLock::new();
static EXPECTED: AtomicU64 = AtomicU64::new(0);

/// The pipeline of this process, which discards its requests.
pub(crate) fn pipeline(arm: Arm) -> Pipeline {
    let start = || match arm.layers {
        // On the disk, as temporary files may be in memory.
        Layers::Spooled => spanlog::testing::discarding_with_spool(spool()),
        _ => spanlog::testing::discarding(),
    };
    PIPELINE.get_or_init(start).clone()
}

/// Processes can share it.
fn spool() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ladder-spool")
}

/// Adds to the number of records that [`settle`] expects.
pub(crate) fn expect(count: u64) {
    EXPECTED.fetch_add(count, Ordering::Relaxed);
}

/// Waits until everything has been delivered, and checks how much that was.
pub(crate) fn settle() {
    let Some(pipeline) = PIPELINE.get() else { return };
    pipeline.flush(TIMEOUT).unwrap();
    let stats = pipeline.stats();
    let expected = EXPECTED.load(Ordering::Relaxed);
    assert_eq!((stats.emitted, stats.delivered, stats.pending), (expected, expected, 0), "{stats:?}");
}

/// Checks one record of the arm, under a scoped subscriber.
pub(crate) fn check(arm: Arm) {
    let (pipeline, requests) = spanlog::testing::pipeline();
    let tracers = SdkTracerProvider::default();
    let subscriber = Registry::default().with(span_layer(&tracers)).with(LogLayer::direct(pipeline.clone()));
    let ids = with_default(subscriber, || {
        inside(arm, || {
            work(arm.what, 1);
            current_ids()
        })
    });
    pipeline.flush(TIMEOUT).unwrap();
    let requests = requests.bytes();
    assert_eq!(requests.len(), 1, "{arm:?}");
    let request = ExportLogsServiceRequest::decode(&*requests[0]).unwrap();
    check_record(arm, &request, ids);
}

/// Checks the ids and the number of attributes of the first record of a request.
pub(crate) fn check_record(arm: Arm, request: &ExportLogsServiceRequest, ids: Option<(TraceId, SpanId)>) {
    let What::Event(fields) = arm.what else { unreachable!("requests are for events") };
    let record = &request.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(ids.is_some(), arm.in_span, "{arm:?}");
    let (trace, span) = ids
        .map_or_else(Default::default, |(trace, span)| (trace.to_bytes().to_vec(), span.to_bytes().to_vec()));
    assert_eq!((&record.trace_id, &record.span_id), (&trace, &span), "{arm:?}");
    assert_eq!(record.attributes.len(), arm.attributes(fields), "{arm:?}: {record:?}");
}
