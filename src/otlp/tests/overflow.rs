//! Records that exceed the memory limit, and that the limit holds.

use std::time::{Duration, Instant};

use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::fixture::*;
use crate::otlp::config::Config;
use crate::otlp::pipeline::{Connect, Pipeline};
use crate::otlp::queue::chunk::{Chunk, Encoded, MAX_HEADER};
use crate::otlp::queue::limits::QueueLimits;
use crate::otlp::queue::pool::Pool;
use crate::otlp::queue::{Item, Overflow};
use crate::otlp::signal::Signal;
use crate::record::Target;
use crate::stats::Thread;

const MEMORY: usize = 256 * 1024;

/// A pipeline with one record in flight until the door opens.
fn stuck(overflow: Overflow) -> (Pipeline, Door, Taken) {
    let (door, taken) = (Door::default(), Taken::default());
    let settings = Config { memory_limit_bytes: MEMORY, overflow, ..quick() };
    let pipeline = Pipeline::start(settings, door.transport(&taken)).unwrap();
    emit(&pipeline, "first");
    door.wait_for_visitor();
    (pipeline, door, taken)
}

fn numbered(number: usize) -> String {
    format!("{number} {}", "x".repeat(200))
}

fn number_of(body: &str) -> Option<usize> {
    body.split(' ').next().and_then(|number| number.parse().ok())
}

#[test]
fn newest_are_dropped_and_not_encoded() {
    let (pipeline, door, taken) = stuck(Overflow::DropNewest);
    for number in 0..5_000 {
        emit(&pipeline, &numbered(number));
    }
    let stats = pipeline.stats();
    assert!(stats.dropped_queue_full > 3_000 && stats.pending > 800, "{stats:?}");
    assert!(pipeline.queue().is_full(9) && pipeline.queue().reserve(Thread::current(), 9).is_none());
    door.open();
    pipeline.flush(LONG).unwrap_err();
    // Those that arrive are the first ones, without a gap.
    let numbers: Vec<_> = taken.bodies().iter().filter_map(|body| number_of(body)).collect();
    assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    assert!(!pipeline.queue().is_full(9));
    emit(&pipeline, "room again");
    pipeline.flush(LONG).unwrap();
    assert_adds_up(&pipeline.stats());
    assert_eq!(taken.bodies().last().unwrap(), "room again");
}

#[test]
fn oldest_make_room() {
    let (pipeline, door, taken) = stuck(Overflow::DropOldest);
    for number in 0..5_000 {
        assert!(!pipeline.queue().is_full(9));
        emit(&pipeline, &numbered(number));
    }
    let stats = pipeline.stats();
    assert!(stats.dropped_oldest > 3_000 && stats.pending > 800, "{stats:?}");
    assert_eq!(stats.dropped_queue_full, 0);
    door.open();
    pipeline.flush(LONG).unwrap_err();
    // Those that arrive are the last ones, without a gap.
    let numbers: Vec<_> = taken.bodies().iter().filter_map(|body| number_of(body)).collect();
    assert_eq!(numbers, (5_000 - numbers.len()..5_000).collect::<Vec<_>>());
    assert_adds_up(&pipeline.stats());
}

#[test]
fn blocked_threads_get_the_room_that_comes() {
    let (pipeline, door, taken) = stuck(Overflow::Block { at_most: LONG });
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for number in 0..1_000 {
                    emit(&pipeline, &numbered(number));
                }
            });
        }
        std::thread::sleep(Duration::from_millis(20));
        door.open();
    });
    pipeline.flush(LONG).unwrap();
    assert_eq!(taken.bodies().len(), 3_001);
    assert_eq!(pipeline.stats().dropped(), 0);
}

#[test]
fn blocked_threads_do_not_wait_for_longer_than_was_said() {
    let (pipeline, door, _taken) = stuck(Overflow::Block { at_most: Duration::from_millis(1) });
    let begun = Instant::now();
    for number in 0..1_500 {
        emit(&pipeline, &numbered(number));
    }
    assert!(begun.elapsed() < LONG);
    assert!(pipeline.stats().dropped_queue_full > 0);
    door.open();
}

#[test]
fn shutdown_frees_blocked_threads() {
    let (pipeline, door, _taken) = stuck(Overflow::Block { at_most: 10 * LONG });
    std::thread::scope(|scope| {
        let emitting = scope.spawn(|| {
            for number in 0..5_000 {
                emit(&pipeline, &numbered(number));
            }
        });
        std::thread::sleep(Duration::from_millis(20));
        pipeline.shutdown(Duration::from_millis(1));
        emitting.join().unwrap();
    });
    let stats = pipeline.stats();
    assert_eq!((stats.dropped_shutdown, stats.pending), (5_001, 0), "{stats:?}");
    door.open();
}

/// Guarantees: the charges of records never exceed the limit, are released in full, and cover the
/// bytes of the records.
#[test]
fn memory_is_bounded_and_comes_back() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let (pipeline, door, _taken) = stuck(overflow);
        for number in 0..3_000 {
            emit(&pipeline, &"x".repeat(number * 7 % 5_000));
            assert!(pipeline.queue().budget.available() <= MEMORY);
        }
        // Everything that is kept now, by its actual size.
        let before = pipeline.stats();
        door.open();
        let _ = pipeline.flush(LONG);
        let sent = (pipeline.stats().sent_bytes - before.sent_bytes) as usize;
        assert!(sent < MEMORY + 4096, "{sent}");
        // The worker releases idle leases.
        pipeline.shutdown(LONG);
        pipeline.queue().drop_all();
        assert_eq!(pipeline.queue().budget.available(), MEMORY);
    }
}

/// Guarantees: a waiting chunk that is mostly empty does not keep its capacity, and a full one is
/// not copied.
#[test]
fn what_waits_takes_the_room_that_it_needs() {
    let limits = QueueLimits::new(64 << 20, 1 << 20, 512);
    let pool = Pool::new(limits, None);
    let begun = |bytes: usize| {
        let mut front = vec![0; MAX_HEADER + bytes];
        let record = Encoded::new(&mut front, MAX_HEADER, &[]);
        let (mut chunk, target) = (pool.take(std::process::id(), 100), Target::Static("test").into());
        chunk.add(target, 0, &record, Chunk::max_cost(target, record.len()));
        chunk
    };
    let nearly_empty = begun(100);
    let (cost, bytes) = (nearly_empty.cost(), nearly_empty.bytes().to_vec());
    let fitting = pool.compact(nearly_empty);
    assert_eq!((fitting.cost(), fitting.bytes(), fitting.records), (cost, bytes.as_slice(), 1));
    assert!(fitting.capacity() < 2 * bytes.len(), "{}", fitting.capacity());
    let full = begun(limits.chunk);
    let at = full.bytes().as_ptr();
    assert_eq!(pool.compact(full).bytes().as_ptr(), at);
}

/// What a quiet job and a noisy one lose, of WARN and of INFO, while nothing is delivered.
struct Lost {
    quiet_warn: usize,
    quiet_info: usize,
    noisy_info: usize,
}

/// Runs a noisy job, which floods the queue with INFO on `threads` threads, beside a quiet one that
/// warns now and then. If `is_shared`, the quiet one logs on one of the noisy threads.
fn flood(overflow: Overflow, is_shared: bool) -> Lost {
    const LIMIT: usize = 4 << 20;
    let (door, taken) = (Door::default(), Taken::default());
    let settings = Config { memory_limit_bytes: LIMIT, overflow, ..quick() };
    let pipeline = Pipeline::start(settings, door.transport(&taken)).unwrap();
    let emit = |job: u64, severity: u8, body: &str| {
        let queue = pipeline.queue();
        let Some(permit) = queue.reserve(Thread::current(), severity) else { return };
        let mut front = vec![0; MAX_HEADER];
        front.extend_from_slice(&record_of(severity.into(), body));
        let item = Item { job, severity, ..Target::Static("test").into() };
        permit.enqueue(item, &Encoded::new(&mut front, MAX_HEADER, &[]));
    };
    let quiet = |number: usize| {
        emit(2, 13, &format!("quiet warn {number}"));
        emit(2, 9, &format!("quiet info {number}"));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..40_000 {
                emit(1, 9, &format!("noisy info {number} {}", "x".repeat(200)));
                if is_shared && number % 400 == 0 {
                    quiet(number / 400);
                }
            }
        });
        if !is_shared {
            scope.spawn(|| {
                for number in 0..100 {
                    quiet(number);
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
    });
    door.open();
    let _ = pipeline.flush(LONG);
    let bodies = taken.bodies();
    let there = |part: &str| bodies.iter().filter(|body| body.contains(part)).count();
    assert_adds_up(&pipeline.stats());
    Lost {
        quiet_warn: 100 - there("quiet warn"),
        quiet_info: 100 - there("quiet info"),
        noisy_info: 40_000 - there("noisy info"),
    }
}

/// Guarantees: under each policy a noisy job loses its own INFO, and not the WARN lines of a quiet one,
/// whether they share a thread or not.
#[test]
fn a_noisy_job_does_not_push_out_the_warnings_of_a_quiet_one() {
    for overflow in
        [Overflow::DropNewest, Overflow::DropOldest, Overflow::Block { at_most: Duration::from_micros(50) }]
    {
        for is_shared in [false, true] {
            let lost = flood(overflow, is_shared);
            assert!(lost.noisy_info > 20_000, "{overflow:?}: {}", lost.noisy_info);
            assert_eq!(lost.quiet_warn, 0, "{overflow:?}, one thread: {is_shared}");
            assert!(lost.quiet_info <= 5, "{overflow:?}, one thread: {is_shared}: {}", lost.quiet_info);
        }
    }
}

/// Guarantees: spans and records leave room for each other.
#[test]
fn neither_signal_can_take_all_of_the_memory() {
    let (door, taken) = (Door::default(), Taken::default());
    let settings = Config { memory_limit_bytes: MEMORY, ..quick() };
    let of_spans = (Config { signal: Signal::Traces, ..settings.clone() }, vec![door.transport(&taken)]);
    let connect: Connect = Box::new(move || Ok(of_spans));
    let pipeline =
        Pipeline::start_with(settings, vec![door.transport(&Taken::default())], Some(connect)).unwrap();
    let processor = pipeline.span_processor();
    for number in 0..5_000 {
        emit(&pipeline, &numbered(number));
    }
    assert!(pipeline.stats().dropped_queue_full > 0);
    let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
    for _ in 0..100 {
        provider.tracer("test").start("span");
    }
    assert_eq!((pipeline.span_stats().emitted, pipeline.span_stats().dropped()), (100, 0));
    door.open();
    assert!(pipeline.flush(LONG).is_err(), "records were lost");
    assert_eq!(pipeline.span_stats().delivered, 100);
}
