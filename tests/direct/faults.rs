//! A faulty collector, many threads, and a shutdown at any moment.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use spanlog::otlp::{Pipeline, PipelineStats};

use crate::http::{ok, response, Act, Receiver};
use crate::kinds;
use crate::otlp::body;
use crate::random::Random;

pub(crate) fn act(dice: u64) -> Act {
    match dice % 16 {
        0 => Act::SendAndClose(Vec::new()),
        1 => Act::Reset,
        2 => Act::Send(response(503, &[], b"busy")),
        3 => Act::Send(response(503, &[("retry-after", "0")], b"")),
        4 => Act::Send(response(429, &[("retry-after", "1")], b"")),
        5 => Act::Later(Duration::from_millis(60), Box::new(ok())),
        // Longer than the client waits.
        6 => Act::Later(Duration::from_millis(260), Box::new(ok())),
        7 => Act::SendAndClose(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        8 => Act::SendAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
        9 => Act::Send(response(200, &[], b"\xff\xfe<html>garbage")),
        10 => Act::Send(response(302, &[("location", "/elsewhere")], b"")),
        11 => Act::Send(response(400, &[], b"no")),
        // partial_success, of which 3 records were rejected.
        12 => Act::Send(response(200, &[("content-type", "application/x-protobuf")], b"\x0a\x02\x08\x03")),
        _ => ok(),
    }
}

pub(crate) fn assert_adds_up(stats: &PipelineStats) {
    let settled = stats.delivered + stats.rejected + stats.dropped();
    assert_eq!(stats.emitted, settled + stats.pending, "{stats:?}");
}

/// Guarantees: every snapshot adds up, no count decreases, in the end nothing is pending, and what
/// counts as delivered did arrive, whatever the collector does and whenever the shutdown happens.
#[test]
fn every_record_is_accounted_for_over_http() {
    const THREADS: u64 = 8;
    const EACH: u64 = 1_500;
    let mut delivered = 0;
    let mut random = Random::from_env();
    for round in 0..8 {
        let mut dice = Random::new(random.next());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Receiver::at(listener, move |_| Some(act(dice.next())));
        let pipeline = Pipeline::builder()
            .with_endpoint(receiver.url())
            .with_memory_limit(256 * 1024)
            .with_batch_records(64)
            .with_timeout(Duration::from_millis(200))
            .with_schedule_delay(Duration::from_millis(3))
            .with_retries(Duration::from_millis(1_500))
            .build()
            .unwrap();
        let dispatch = kinds::dispatch(&pipeline);
        // The last rounds: after everything was emitted.
        let moment = Duration::from_millis(if round < 6 { random.next() % 1_000 } else { 3_000 });
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let emitting: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let dispatch = &dispatch;
                    scope.spawn(move || {
                        tracing::dispatcher::with_default(dispatch, || {
                            for number in 0..EACH {
                                tracing::info!("{thread} {number}");
                                if number % 16 == 0 {
                                    thread::sleep(Duration::from_millis(2));
                                }
                            }
                        });
                    })
                })
                .collect();
            scope.spawn(|| {
                let mut last = pipeline.stats();
                while !done.load(Ordering::Relaxed) {
                    let stats = pipeline.stats();
                    assert_adds_up(&stats);
                    assert!(stats.emitted >= last.emitted && stats.delivered >= last.delivered);
                    assert!(stats.dropped() >= last.dropped() && stats.rejected >= last.rejected);
                    last = stats;
                    thread::yield_now();
                }
            });
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = pipeline.flush(Duration::from_millis(15));
                    thread::sleep(Duration::from_millis(1));
                }
            });
            thread::sleep(moment);
            let begun = Instant::now();
            let report = pipeline.shutdown(Duration::from_millis(150));
            assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
            assert_adds_up(&report.stats);
            for thread in emitting {
                thread.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        let stats = pipeline.stats();
        assert_adds_up(&stats);
        assert_eq!((stats.emitted, stats.pending), (THREADS * EACH, 0), "{stats:?}");
        let records = receiver.records();
        let arrived = records.iter().map(|(_, record)| body(record)).collect::<HashSet<_>>().len() as u64;
        assert!(stats.delivered + stats.rejected <= arrived, "{arrived} {stats:?}");
        delivered += stats.delivered;
    }
    assert!(delivered > 0);
}
