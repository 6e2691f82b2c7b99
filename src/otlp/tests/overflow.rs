//! Records that exceed the memory limit, and that the limit holds.

use std::time::{Duration, Instant};

use super::fixture::*;
use crate::otlp::config::Config;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::queue::chunk::{Chunk, Encoded, MAX_HEADER};
use crate::otlp::queue::limits::QueueLimits;
use crate::otlp::queue::pool::Pool;
use crate::otlp::queue::Overflow;
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
    assert!(pipeline.queue().is_full() && pipeline.queue().reserve(Thread::current()).is_none());
    door.open();
    pipeline.flush(LONG).unwrap_err();
    // Those that arrive are the first ones, without a gap.
    let numbers: Vec<_> = taken.bodies().iter().filter_map(|body| number_of(body)).collect();
    assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    assert!(!pipeline.queue().is_full());
    emit(&pipeline, "room again");
    pipeline.flush(LONG).unwrap();
    assert_adds_up(&pipeline.stats());
    assert_eq!(taken.bodies().last().unwrap(), "room again");
}

#[test]
fn oldest_make_room() {
    let (pipeline, door, taken) = stuck(Overflow::DropOldest);
    for number in 0..5_000 {
        assert!(!pipeline.queue().is_full());
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
    let pool = Pool::new(limits);
    let begun = |bytes: usize| {
        let mut front = vec![0; MAX_HEADER + bytes];
        let record = Encoded::new(&mut front, MAX_HEADER, &[]);
        let (mut chunk, target) = (pool.take(), Target::Static("test").into());
        chunk.add(target, &record, Chunk::max_cost(target, record.len()));
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
