//! A process that is forked while other threads log: the child never waits for a lock that a thread of
//! the parent holds.
#![expect(unsafe_code, reason = "only `fork` makes such a child")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use spanlog::doctor::Problem;
use spanlog::otlp::Pipeline;

use crate::kinds;

/// What the child does, each in a way of its own.
const WAYS: [fn(&Pipeline); 4] = [
    |_| (0..50).for_each(|number| tracing::info!(number, "in the child")),
    |pipeline| {
        tracing::info!("in the child");
        assert!(pipeline.flush(Duration::from_secs(1)).is_err());
    },
    |pipeline| {
        tracing::warn!("in the child");
        assert!(!pipeline.shutdown(Duration::from_secs(1)).is_complete);
        tracing::info!("after the shutdown");
    },
    |_| {
        let checkup = spanlog::doctor();
        assert!(checkup.has(Problem::Forked), "{checkup}");
    },
];

/// Guarantees: the child logs, flushes and shuts down without waiting, and the parent goes on.
#[test]
fn a_forked_child_never_waits() {
    let (pipeline, requests) = spanlog::testing::pipeline();
    let dispatch = kinds::dispatch(&pipeline);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&dispatch, || {
                    while !is_over.load(Ordering::Relaxed) {
                        tracing::info!("in the parent");
                    }
                });
            });
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let _held = std::io::stderr().lock();
                thread::sleep(Duration::from_millis(3));
            }
        });
        for round in 0..90 {
            thread::sleep(Duration::from_millis(2));
            // SAFETY: the child calls nothing but what is tested, and ends without running
            // destructors or handlers of the parent.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let work = || {
                    tracing::dispatcher::with_default(&dispatch, || WAYS[round % WAYS.len()](&pipeline));
                };
                let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                // SAFETY: as above.
                unsafe { libc::_exit(i32::from(done.is_err())) };
            }
            assert!(child > 0);
            let begun = Instant::now();
            let mut status = 0;
            // SAFETY: the child is ours, and `status` is there for the answer.
            while unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } == 0 {
                if begun.elapsed() > Duration::from_secs(10) {
                    // SAFETY: as above.
                    unsafe { libc::kill(child, libc::SIGKILL) };
                    is_over.store(true, Ordering::Relaxed);
                    panic!("the child of round {round} hangs");
                }
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(status, 0, "round {round}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let flushed = pipeline.flush(Duration::from_secs(60));
    let stats = pipeline.stats();
    // On a busy machine, forty threads are faster than the one that delivers.
    assert_eq!(stats.delivered + stats.dropped_queue_full, stats.emitted, "{flushed:?} {stats:?}");
    assert!(stats.delivered > 0, "{stats:?}");
    assert!(!requests.bytes().is_empty());
}
