//! A collector that is not listening yet.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::TraceContextExt;
use spanlog::otlp::Pipeline;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::http::{ok, Receiver};
use crate::kinds;
use crate::otlp::body;
use crate::port::Reserved;

/// How long the collector is unreachable: longer than the longest delay between two attempts.
const AWAY: Duration = Duration::from_secs(30);

/// Scenario: the collector is unreachable at first, and starts after half a minute.
///
/// Guarantees: nothing is lost within the byte limit, nothing is delivered twice, and ids and times
/// are as emitted.
#[test]
fn a_collector_that_comes_late_gets_everything_as_it_was() {
    let port = Reserved::new();
    let pipeline = Pipeline::builder()
        .with_endpoint(format!("http://{}", port.address))
        .with_schedule_delay(Duration::from_millis(50))
        .build()
        .unwrap();
    let span = tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || {
        let span = tracing::info_span!("away");
        span.in_scope(|| (0..2_000).for_each(|number| tracing::info!("line {number}")));
        span.context().span().span_context().clone()
    });
    let emitted = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    assert!(pipeline.flush(AWAY).is_err());
    assert_eq!(pipeline.stats().pending, 2_000);
    assert!(pipeline.stats().retries > 0);
    let receiver = Receiver::at(port.listen(), |_| Some(ok()));
    pipeline.flush(Duration::from_secs(40)).unwrap();
    let records = receiver.records();
    let bodies: BTreeSet<_> = records.iter().map(|(_, record)| body(record)).collect();
    assert_eq!((records.len(), bodies.len()), (2_000, 2_000));
    for (_, record) in &records {
        assert!(u128::from(record.time_unix_nano) <= emitted);
        assert_eq!(record.trace_id, span.trace_id().to_bytes());
        assert_eq!(record.span_id, span.span_id().to_bytes());
    }
    let stats = pipeline.shutdown(Duration::from_secs(5)).stats;
    assert_eq!((stats.delivered, stats.dropped()), (2_000, 0));
}
