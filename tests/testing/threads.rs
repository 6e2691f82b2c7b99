//! What belongs to a capture by its thread, and by the thread that started that.

use std::sync::{Arc, Barrier};
use std::thread;

use spanlog::testing::capture;
use spanlog::{assert_no_loss, assert_record};

use crate::lineage::Pool;
use crate::messages;

#[test]
fn captures_on_two_threads_at_once_get_their_own() {
    let barrier = Arc::new(Barrier::new(2));
    let both = ["one", "two"].map(|name| {
        let barrier = barrier.clone();
        thread::spawn(move || {
            let capture = capture();
            barrier.wait();
            for _ in 0..100 {
                tracing::info_span!("span").in_scope(|| tracing::info!("{name} inside"));
                tracing::info!("{name} outside");
            }
            barrier.wait();
            assert_eq!(capture.records().len(), 200);
            assert!(capture.records().iter().all(|record| record.body.starts_with(name)));
            assert_eq!(capture.spans().len(), 100);
            assert_no_loss!(capture);
        })
    });
    for test in both {
        test.join().unwrap();
    }
}

/// Guarantees: nothing goes from one capture to the next on the same thread, and spans of the first
/// that are still open stay its own.
#[test]
fn a_capture_after_a_capture_starts_empty() {
    let first = capture();
    let left_open = tracing::info_span!("left open");
    left_open.in_scope(|| tracing::info!("first"));
    drop(first);
    tracing::info!("between");

    let second = capture();
    left_open.in_scope(|| {
        tracing::info!("of the first");
        tracing::info_span!("child of the first").in_scope(|| tracing::info!("of the first, too"));
    });
    drop(left_open);
    tracing::info!("second");
    assert_eq!(messages(&second), ["second"]);
    assert!(second.spans().is_empty());
    assert_no_loss!(second);
}

/// Guarantees: of two captures of one thread, the inner one takes all, until it is dropped; also if
/// the outer one is dropped first.
#[test]
fn captures_of_one_thread_nest() {
    let outer = capture();
    tracing::info!("a");
    let inner = capture();
    tracing::info!("b");
    assert_eq!(messages(&inner), ["b"]);
    drop(inner);
    tracing::info!("c");
    assert_eq!(messages(&outer), ["a", "c"]);
    // A thread that is started now is the outer one's.
    if cfg!(target_os = "linux") {
        thread::spawn(|| tracing::info!("on a thread")).join().unwrap();
        outer.record("on a thread");
    }
    let inner = capture();
    drop(outer);
    tracing::info!("d");
    assert_eq!(messages(&inner), ["d"]);
}

/// Guarantees: the thread's capture takes precedence over that of its runtime.
#[tokio::test]
async fn in_scope_holds_in_the_runtime_of_another_capture() {
    let other = thread::spawn(capture).join().unwrap();
    let capture = capture();
    let of_other = other.carry(|| tracing::info!("of the other"));
    tokio::spawn(async move {
        of_other();
        tracing::info!("of the runtime");
    })
    .await
    .unwrap();
    assert_eq!(
        (messages(&other), messages(&capture)),
        (vec!["of the other".to_owned()], vec!["of the runtime".to_owned()])
    );
}

#[test]
fn in_scope_and_carry_give_any_thread_to_the_capture() {
    let pool = Pool::new();
    let capture = capture();
    let carried = capture.carry(|| tracing::info!("carried"));
    pool.run(carried);
    thread::scope(|scope| {
        scope.spawn(|| capture.in_scope(|| tracing::info!("in scope")));
    });
    assert_eq!(messages(&capture), ["carried", "in scope"]);
    assert_no_loss!(capture);
}

/// Guarantees: what is carried beyond the end of its capture belongs to no other one.
#[test]
fn carried_work_that_outlives_its_capture_is_dropped() {
    let pool = Pool::new();
    let first = capture();
    let late = first.carry(|| tracing::info!("late"));
    let later = first.carry(|| tracing::info!("later"));
    drop(first);
    let second = capture();
    pool.run(late);
    later();
    assert!(second.records().is_empty());
    assert_eq!(second.unattributed(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn plain_threads_belong_to_the_test_that_started_them() {
    let capture = capture();
    let outer = thread::spawn(|| {
        tracing::info!("unnamed");
        let named = thread::Builder::new().name("worker".to_owned());
        let inner = named.spawn(|| {
            let _span = tracing::info_span!("nested span").entered();
            tracing::info!("named and nested");
        });
        inner.unwrap().join().unwrap();
    });
    outer.join().unwrap();
    assert_eq!(messages(&capture), ["unnamed", "named and nested"]);
    assert_record!(capture, "named and nested", in_span("nested span"));
    assert_no_loss!(capture);
}

/// Scenario: the code under test makes a runtime of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_runtime_that_is_made_in_a_test_belongs_to_it() {
    let capture = capture();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        tokio::spawn(async { tracing::info!("task") }).await.unwrap();
        tokio::task::spawn_blocking(|| tracing::info!("blocking")).await.unwrap();
    });
    assert_eq!(messages(&capture), ["task", "blocking"]);
    assert_no_loss!(capture);
}

/// Scenario: a thread of an ended capture logs while another one is alive.
#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_outlives_its_capture_is_no_others() {
    let first = capture();
    let pool = Pool::new();
    pool.run(|| tracing::info!("first"));
    assert_eq!(messages(&first), ["first"]);
    drop(first);
    let second = capture();
    pool.run(|| {
        let _span = tracing::info_span!("of the first").entered();
        tracing::info!("of the first");
    });
    assert!(second.records().is_empty() && second.spans().is_empty());
    assert_eq!(second.unattributed(), 0);
}
