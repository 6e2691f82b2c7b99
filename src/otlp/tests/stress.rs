//! Everything at once, with every record accounted for.

#[path = "../../../tests/support/random.rs"]
mod random;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::fixture::*;
use crate::otlp::config::Config;
use crate::otlp::counters::PipelineStats;
use crate::otlp::deliver::request::Request;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::queue::Overflow;
use crate::otlp::tests::stress::random::Random;
use crate::otlp::transport::{Answer, Transport};

/// A receiver with random answers of all kinds, some of them late, one never.
struct Faulty {
    random: Random,
    /// Whether it may hang.
    hangs: bool,
    ended: Arc<AtomicBool>,
    received: Arc<Mutex<HashSet<String>>>,
    doubles: Arc<AtomicU64>,
}

impl Transport for Faulty {
    fn send(&mut self, request: &mut Request, _deadline: Instant) -> Answer {
        match self.random.next() % 16 {
            0 => Answer::Refused { why: "refused".into() },
            1..4 => again(None),
            4 => again(Some(Duration::from_millis(3))),
            5 => {
                std::thread::sleep(Duration::from_millis(2));
                again(None)
            }
            6 => accepted(self.random.next() % 20),
            7 if self.hangs && self.random.next().is_multiple_of(8) => {
                while !self.ended.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                accepted(0)
            }
            _ => {
                let taken = Taken::default();
                taken.keep(request.bytes());
                let mut received = self.received.lock().unwrap();
                for body in taken.bodies() {
                    if !received.insert(body) {
                        self.doubles.fetch_add(1, Ordering::Relaxed);
                    }
                }
                accepted(0)
            }
        }
    }
}

/// Scenario: 8 threads emit, the receiver fails in every way, somebody flushes, somebody reads the
/// counts all the time, and a shutdown comes at a random moment; with one request on its way, and
/// with four.
///
/// Guarantees: every reading adds up and none goes back; in the end nothing is pending, each record
/// has one outcome, and none that was taken was sent twice.
#[test]
fn every_record_is_accounted_for() {
    const THREADS: u64 = 8;
    const EACH: u64 = 4_000;
    let mut random = Random::from_env();
    for round in 0..24 {
        let overflow = match round % 3 {
            0 => Overflow::DropNewest,
            1 => Overflow::DropOldest,
            _ => Overflow::Block { at_most: Duration::from_millis(2) },
        };
        let ended = Arc::new(AtomicBool::new(false));
        let received = Arc::new(Mutex::new(HashSet::new()));
        let doubles = Arc::new(AtomicU64::new(0));
        let senders = if round % 4 < 2 { 1 } else { 4 };
        let transport = |_| {
            Box::new(Faulty {
                random: Random::new(random.next()),
                hangs: round % 2 == 0,
                ended: Arc::clone(&ended),
                received: Arc::clone(&received),
                doubles: Arc::clone(&doubles),
            }) as Box<dyn Transport>
        };
        let transports = (0..senders).map(transport).collect();
        let settings = Config {
            memory_limit_bytes: 128 * 1024,
            overflow,
            max_batch_records: 64,
            max_request_bytes: 16 * 1024,
            schedule_delay: Duration::from_millis(3),
            retry_max_elapsed: Some(Duration::from_millis(6)),
            ..quick()
        };
        let pipeline = Pipeline::start_with(settings, transports, None).unwrap();
        let moment = Duration::from_micros(random.next() % 60_000);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let emitting: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let pipeline = &pipeline;
                    scope.spawn(move || {
                        for number in 0..EACH {
                            emit(pipeline, &format!("{thread} {number}"));
                        }
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
                }
            });
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = pipeline.flush(Duration::from_millis(4));
                    std::thread::yield_now();
                }
            });
            std::thread::sleep(moment);
            let report = pipeline.shutdown(Duration::from_millis(20));
            assert_adds_up(&report.stats);
            for thread in emitting {
                thread.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        let stats = pipeline.stats();
        // What hung succeeds now, and that changes nothing.
        ended.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(5));
        let outcomes = |stats: PipelineStats| PipelineStats { retries: 0, ..stats };
        assert_eq!(outcomes(pipeline.stats()), outcomes(stats));
        assert_adds_up(&stats);
        assert_eq!((stats.emitted, stats.pending), (THREADS * EACH, 0), "{stats:?}");
        assert_eq!(doubles.load(Ordering::Relaxed), 0);
        // Received, but written off or rejected: may be. Delivered, but not received: never, except
        // for requests of which some were rejected, which the receiver here does not keep.
        let received = received.lock().unwrap().len() as u64;
        assert!(received <= stats.delivered + stats.dropped_shutdown, "{received} {stats:?}");
    }
}

/// Scenario: the same without a shutdown before all is emitted, and a receiver that takes
/// everything.
///
/// Guarantees: what was delivered is what the receiver has.
#[test]
fn delivered_is_what_the_receiver_has() {
    let taken = Taken::default();
    let settings = Config { max_batch_records: 64, ..quick() };
    let pipeline = Pipeline::start(settings, taken.transport()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let pipeline = &pipeline;
            scope.spawn(move || {
                for number in 0..2_000 {
                    emit(pipeline, &format!("{thread} {number}"));
                }
            });
        }
    });
    let report = pipeline.shutdown(LONG);
    assert!(report.is_complete, "{report}");
    let different: HashSet<_> = taken.bodies().into_iter().collect();
    assert_eq!((different.len(), taken.bodies().len()), (16_000, 16_000));
    assert_eq!(report.stats.delivered, 16_000);
}
