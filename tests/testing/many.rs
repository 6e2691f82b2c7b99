//! Many tests at once.

use std::collections::BTreeSet;
use std::thread;

use spanlog::testing::capture;
use spanlog::{assert_correlated, assert_no_loss, task};
use tracing::Instrument;

/// Scenario: 400 tests on eight threads, each in a multi-thread runtime, with tasks, tasks of
/// tasks, blocking work and threads, inside spans and outside.
///
/// Guarantees: each has exactly what it logged.
#[test]
fn hundreds_of_parallel_tests_get_their_own_and_nothing_else() {
    let threads: Vec<_> =
        (0..8).map(|thread| thread::spawn(move || (0..50).for_each(|n| one(thread * 50 + n)))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

fn one(test: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let capture = capture();
        let mut tasks = Vec::new();
        for number in 0..4 {
            tasks.push(tokio::spawn(async move {
                tracing::info!("{test} task {number}");
                tokio::task::yield_now().await;
                let inner = async move { tracing::info!("{test} nested {number}") };
                tokio::spawn(inner.instrument(tracing::info_span!("nested", test))).await.unwrap();
                let work = move || tracing::info!("{test} blocking {number}");
                tokio::task::spawn_blocking(work).await.unwrap();
                let span = tracing::info_span!("threads", test);
                let thread = span.in_scope(|| task::thread(move || tracing::info!("{test} thread {number}")));
                thread.join().unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let kinds = ["task", "nested", "blocking", "thread"];
        let expected: BTreeSet<_> =
            (0..4).flat_map(|number| kinds.map(|kind| format!("{test} {kind} {number}"))).collect();
        let records = capture.records();
        let found: BTreeSet<_> = records.iter().map(|record| record.body.clone()).collect();
        assert_eq!((found, records.len()), (expected, 16));
        let of_test = |span: spanlog::testing::Span| span.attribute("test").map(|value| format!("{value:?}"));
        let of: BTreeSet<_> = capture.spans().into_iter().filter_map(of_test).collect();
        assert_eq!((of.len(), capture.spans().len()), (1, 8), "{of:?}");
        assert_correlated!(capture);
        assert_no_loss!(capture);
    });
}
