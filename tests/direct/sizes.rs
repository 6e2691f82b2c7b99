//! Records that are too large for a request.

use std::time::Duration;

use spanlog::otlp::Pipeline;

use crate::http::Receiver;
use crate::kinds;
use crate::otlp::body;

const LONG: Duration = Duration::from_secs(30);

/// Guarantees: a record over the limit is truncated on a character boundary and counted, and no
/// other record is affected.
#[test]
fn one_record_of_8_mib_among_511_small_ones() {
    const LIMIT: usize = 4 << 20;
    let receiver = Receiver::start();
    let pipeline =
        Pipeline::builder().with_endpoint(receiver.url()).with_request_limit(LIMIT).build().unwrap();
    let large = "€".repeat((8 << 20) / 3);
    tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || {
        for number in 0..511 {
            tracing::info!("small {number}");
            if number == 255 {
                tracing::info!("{large}");
            }
        }
    });
    pipeline.flush(LONG).unwrap();
    let records = receiver.records();
    assert_eq!(records.len(), 512);
    let cut: Vec<_> =
        records.iter().map(|(_, record)| body(record)).filter(|body| body.len() > 100).collect();
    assert_eq!(cut.len(), 1);
    assert!(large.starts_with(cut[0]) && cut[0].len() % 3 == 0);
    assert!((LIMIT - 4096..LIMIT).contains(&cut[0].len()), "{}", cut[0].len());
    assert!((0..511).all(|number| {
        let wanted = format!("small {number}");
        records.iter().filter(|(_, record)| body(record) == wanted).count() == 1
    }));
    assert!(receiver.requests().iter().all(|request| request.body.len() <= LIMIT));
    let stats = pipeline.shutdown(LONG).stats;
    assert_eq!((stats.delivered, stats.dropped(), stats.truncated_values), (512, 0, 1));
}
