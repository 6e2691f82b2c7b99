//! A collector with bad days, many threads, and a shutdown at any moment.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use spanlog::otlp::{Pipeline, Stats};

use crate::kinds;
use crate::sink::{answer, body, ok, Act, Sink};

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 11
}

fn act(dice: u64) -> Act {
    match dice % 16 {
        0 => Act::SayAndClose(Vec::new()),
        1 => Act::Reset,
        2 => Act::Say(answer(503, "", b"busy")),
        3 => Act::Say(answer(503, "retry-after: 0\r\n", b"")),
        4 => Act::Say(answer(429, "retry-after: 1\r\n", b"")),
        5 => Act::Later(Duration::from_millis(60), Box::new(ok())),
        // Longer than the client waits.
        6 => Act::Later(Duration::from_millis(260), Box::new(ok())),
        7 => Act::SayAndClose(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()),
        8 => Act::SayAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
        9 => Act::Say(answer(200, "", b"\xff\xfe<html>garbage")),
        10 => Act::Say(answer(302, "location: /elsewhere\r\n", b"")),
        11 => Act::Say(answer(400, "", b"no")),
        // partial_success, of which 3 records were rejected.
        12 => Act::Say(answer(200, "content-type: application/x-protobuf\r\n", b"\x0a\x02\x08\x03")),
        _ => ok(),
    }
}

fn assert_adds_up(stats: &Stats) {
    let settled = stats.delivered + stats.rejected + stats.dropped();
    assert_eq!(stats.emitted, settled + stats.pending, "{stats:?}");
}

/// Guarantees: every reading adds up and none goes back, in the end nothing is pending, and what counts as delivered
/// did arrive, whatever the collector does and whenever the shutdown comes.
#[test]
fn every_record_is_accounted_for_over_http() {
    const THREADS: u64 = 8;
    const EACH: u64 = 1_500;
    let mut delivered = 0;
    for round in 0..8 {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
        let mut state = seed;
        let dice = Mutex::new(random(&mut state) | 1);
        let sink =
            Sink::start_at("127.0.0.1:0".parse().unwrap(), move |_| act(random(&mut dice.lock().unwrap())));
        let pipeline = Pipeline::builder()
            .with_endpoint(sink.url())
            .with_memory_limit(256 * 1024)
            .with_batch_records(64)
            .with_timeout(Duration::from_millis(200))
            .with_schedule_delay(Duration::from_millis(3))
            .with_retries(Duration::from_millis(1_500))
            .build()
            .unwrap();
        let dispatch = kinds::dispatch(&pipeline);
        // The last rounds: after everything was emitted.
        let moment = Duration::from_millis(if round < 6 { random(&mut state) % 1_000 } else { 3_000 });
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
            assert!(begun.elapsed() < Duration::from_secs(2), "seed {seed}: {:?}", begun.elapsed());
            assert_adds_up(&report.stats);
            for thread in emitting {
                thread.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        let stats = pipeline.stats();
        assert_adds_up(&stats);
        assert_eq!((stats.emitted, stats.pending), (THREADS * EACH, 0), "seed {seed}: {stats:?}");
        let records = sink.records();
        let arrived = records.iter().map(|(_, record)| body(record)).collect::<HashSet<_>>().len() as u64;
        assert!(stats.delivered + stats.rejected <= arrived, "seed {seed}: {arrived} {stats:?}");
        delivered += stats.delivered;
    }
    assert!(delivered > 0);
}
