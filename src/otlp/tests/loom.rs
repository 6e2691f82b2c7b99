//! The queue and its control under every interleaving that [loom](https://docs.rs/loom) explores.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --lib --release --no-default-features loom_`
//!
//! The types are the production ones, with loom's locks and atomics. Threads name their shard, as
//! loom's threads share thread-locals. Time limits are left to the stress test, as loom has no
//! clock.

use std::time::{Duration, Instant};

use loom::sync::Arc;
use loom::thread;

use crate::job_account::Account;
use crate::otlp::counters::Counters;
use crate::otlp::queue::budget::{Budget, Memory};
use crate::otlp::queue::chunk::{Encoded, MAX_HEADER};
use crate::otlp::queue::control::{Command, Control, Taken};
use crate::otlp::queue::full::Full;
use crate::otlp::queue::limits::{QueueLimits, MIN_MEMORY};
use crate::otlp::queue::{Item, Overflow, Queue};
use crate::otlp::signal::Signal;
use crate::otlp::spool::signal::SignalSpool;
use crate::otlp::spool::sync::SpoolSync;
use crate::otlp::spool::{Spool, SpoolSettings};
use crate::record::Target;

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(check);
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}

fn queue(overflow: Overflow) -> Arc<Queue> {
    Arc::new(Queue::new(QueueLimits::new(MIN_MEMORY, MIN_MEMORY / 2, 1), overflow))
}

const TARGET: Target<'static> = Target::Static("loom");

const ONE: Taken = Taken { records: 1, spooled: 0 };

fn push(queue: &Queue, shard: usize) {
    let mut front = [b'x'; MAX_HEADER + 1];
    queue.push_to(shard, TARGET.into(), &Encoded::new(&mut front, MAX_HEADER, b"y"));
}

/// Dequeues everything, as the worker does. Returns the number of records.
fn drain(queue: &Queue) -> u64 {
    let before = queue.next_ticket();
    let mut records = 0;
    loop {
        while let Some(full) = queue.pop_oldest(before) {
            let count = full.records() as u64;
            let taken = Taken { records: count, spooled: 0 };
            assert!(queue.control.dequeued(taken, &queue.counters));
            assert!(queue.control.complete(taken, || {
                queue.counters.delivered(count);
                false
            }));
            match full {
                Full::InMemory(chunk) => {
                    queue.budget.release(queue.cost(&chunk));
                    queue.pool.recycle(chunk);
                }
                Full::Unmapped(unmapped) => queue.pool.remove(unmapped.file),
            }
            records += count;
        }
        if !queue.reclaim_leases(before) {
            return records;
        }
    }
}

/// Guarantees: a worker that runs only when it is woken finds every record. If a wake-up were lost,
/// it would sleep for ever, which loom reports.
#[test]
fn loom_no_wake_up_is_lost() {
    model(|| {
        let queue = queue(Overflow::DropNewest);
        let emitting: Vec<_> = (0..2)
            .map(|shard| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || push(&queue, shard))
            })
            .collect();
        let mut records = 0;
        while records < 2 {
            assert_eq!(queue.control.next_command(far()), Command::Full);
            records += drain(&queue);
        }
        for thread in emitting {
            thread.join().unwrap();
        }
    });
}

/// Guarantees: a reading at any moment has no more outcomes than records, and all add up in the
/// end.
#[test]
fn loom_readings_add_up() {
    model(|| {
        let queue = queue(Overflow::DropNewest);
        let (emits, reads) = (Arc::clone(&queue), Arc::clone(&queue));
        let emitting = thread::spawn(move || {
            emits.counters.emitted(1);
            push(&emits, 0);
        });
        let reading = thread::spawn(move || {
            let stats = reads.counters.snapshot();
            assert_eq!(stats.emitted, stats.delivered + stats.dropped() + stats.pending);
        });
        drain(&queue);
        emitting.join().unwrap();
        reading.join().unwrap();
        drain(&queue);
        let stats = queue.counters.snapshot();
        assert_eq!((stats.emitted, stats.delivered, stats.pending), (1, 1, 0));
    });
}

/// Guarantees: a record that comes while the queue closes has one outcome.
#[test]
fn loom_closing_loses_and_doubles_nothing() {
    model(|| {
        let queue = queue(Overflow::DropNewest);
        let emits = Arc::clone(&queue);
        let emitting = thread::spawn(move || {
            emits.counters.emitted(2);
            push(&emits, 0);
            push(&emits, 0);
        });
        queue.close();
        queue.drop_all();
        emitting.join().unwrap();
        let stats = queue.counters.snapshot();
        assert_eq!((stats.dropped_shutdown, stats.pending), (2, 0));
        assert!(queue.pop_oldest(u64::MAX).is_none());
    });
}

/// Guarantees: whether the worker completes an outstanding record or a caller abandons it first, it
/// has one outcome.
#[test]
fn loom_held_records_are_settled_once() {
    model(|| {
        let both = Arc::new((Control::default(), Counters::default()));
        let settles = Arc::clone(&both);
        let worker = thread::spawn(move || {
            let (control, counters) = &*settles;
            if control.dequeued(ONE, counters) {
                control.complete(ONE, || {
                    counters.delivered(1);
                    false
                });
            }
        });
        both.0.abandon(&both.1);
        worker.join().unwrap();
        both.1.emitted(1);
        let stats = both.1.snapshot();
        assert_eq!((stats.delivered + stats.dropped_shutdown, stats.pending), (1, 0));
    });
}

/// Guarantees: a thread that waits for capacity gets what is released; a lost wake-up would be a
/// deadlock.
#[test]
fn loom_room_that_comes_back_is_seen() {
    model(|| {
        let budget = Arc::new(Budget::new(Memory::new(10), 10));
        let mut leased = 0;
        assert!(budget.extend_lease(&mut leased, 10, 0, 0));
        let waits = Arc::clone(&budget);
        let waiting = thread::spawn(move || {
            assert!(waits.wait(10, far(), || false));
            assert!(waits.extend_lease(&mut 0, 10, 0, 0));
        });
        budget.release(4);
        budget.release(6);
        waiting.join().unwrap();
        assert_eq!(budget.available(), 0);
    });
}

/// Guarantees: the worker notices a flush, and the caller its end.
#[test]
fn loom_flush_comes_back() {
    model(|| {
        let control = Arc::new(Control::default());
        let asks = Arc::clone(&control);
        let asking = thread::spawn(move || {
            let flush = asks.begin_flush().unwrap();
            assert!(asks.wait_for_flush(flush, far()));
        });
        let Command::Everything { flush } = control.next_command(far()) else { panic!() };
        control.flush_sent(flush);
        asking.join().unwrap();
    });
}

/// Guarantees: whether the worker takes a full chunk before or after a thread unmaps it, its records are there
/// once, and its memory is released once.
#[test]
fn loom_unmapping_loses_and_doubles_nothing() {
    let root = std::env::temp_dir().join(format!("spanlog-loom-{}", std::process::id()));
    let settings = SpoolSettings { root: root.clone(), limit: 1 << 20, sync: SpoolSync::Never };
    let spool = SignalSpool::new(Spool::open(&settings).unwrap(), Signal::Logs, b"");
    let model_spool = spool.clone();
    model(move || {
        let limits = QueueLimits::new(MIN_MEMORY, MIN_MEMORY / 2, 100);
        let memory = Memory::new(MIN_MEMORY);
        let spool = Some(model_spool.clone());
        let queue = Arc::new(Queue::in_memory(limits, Overflow::DropNewest, Signal::Logs, memory, spool));
        for _ in 0..3 {
            let mut front = [b'x'; MAX_HEADER + 300];
            queue.push_to(0, TARGET.into(), &Encoded::new(&mut front, MAX_HEADER, b"y"));
        }
        let unmaps = Arc::clone(&queue);
        let unmapping = thread::spawn(move || unmaps.unmap_all());
        let mut records = drain(&queue);
        unmapping.join().unwrap();
        records += drain(&queue);
        assert_eq!(records, 3);
        assert_eq!(queue.budget.available(), MIN_MEMORY);
        queue.pool.close();
    });
    spool.release();
    drop(spool);
    let _ = std::fs::remove_dir_all(root);
}

/// Guarantees: a record that has been enqueued is in the receipt once, wherever the worker has it.
#[test]
fn loom_a_receipt_has_each_record_once() {
    model(|| {
        let queue = queue(Overflow::DropNewest);
        let account = Account::new();
        let (emits, of) = (Arc::clone(&queue), account.clone());
        let emitting = thread::spawn(move || {
            let mut front = [b'x'; MAX_HEADER + 1];
            let item = Item { scope: TARGET.into(), job: of.id, severity: 9 };
            emits.push_to(0, item, &Encoded::new(&mut front, MAX_HEADER, b"y"));
            let held = emits.hold();
            assert_eq!(of.tallies()[0].emitted + emits.queued(&of), 1);
            drop(held);
        });
        drain(&queue);
        emitting.join().unwrap();
    });
}
