//! Work started on other threads and tasks by the helpers has what is current where it is started:
//! the ids, the job and its stamps, the op, and the subscriber.

use std::sync::LazyLock;

use opentelemetry::trace::{TraceContextExt, Tracer};
use opentelemetry::Context;
use spanlog::{job, op, task, JobMetadata};
use tokio::runtime::{Builder, Runtime};

use crate::fixture::seen::Seen;
use crate::fixture::{Arrangement, Fixture, USUAL};

const HELPERS: [&str; 6] = ["carry", "thread", "in_scope", "in_scope_async", "spawn", "spawn_blocking"];

/// Starts `work` on a thread without subscriber, span or job, by one of the helpers, and waits for it.
fn start(helper: &str, work: impl FnOnce() + Send + 'static) {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).build().unwrap());
    let runtime = &*RUNTIME;
    let resumed = |work: Box<dyn FnOnce() + Send>| async {
        tokio::task::yield_now().await;
        work();
    };
    let handle = task::handle();
    match helper {
        "carry" => std::thread::spawn(task::carry(work)).join().unwrap(),
        "thread" => task::thread(work).join().unwrap(),
        "in_scope" => std::thread::spawn(move || handle.in_scope(work)).join().unwrap(),
        "in_scope_async" => {
            let future = handle.in_scope_async(resumed(Box::new(work)));
            std::thread::spawn(move || runtime.block_on(future)).join().unwrap();
        }
        "spawn" => {
            let _runtime = runtime.enter();
            runtime.block_on(task::spawn(resumed(Box::new(work)))).unwrap();
        }
        "spawn_blocking" => {
            let _runtime = runtime.enter();
            runtime.block_on(task::spawn_blocking(work)).unwrap();
        }
        other => unreachable!("{other}"),
    }
}

/// Logs a line here and one by each helper.
fn log_here_and_there(place: &'static str) {
    tracing::warn!("{place}");
    for helper in HELPERS {
        start(helper, move || tracing::warn!("{place}, {helper}"));
    }
}

fn in_every_place(fixture: &Fixture) {
    log_here_and_there("outside");
    let span = tracing::info_span!("span", tenant = "t1");
    span.in_scope(|| {
        log_here_and_there("span");
        op::run("git", "clone", [], || {
            log_here_and_there("op in span");
            Ok::<(), String>(())
        })
        .unwrap();
        let api = Context::current_with_span(fixture.tracer.start("api")).attach();
        log_here_and_there("api span in span");
        tracing::info_span!("inner").in_scope(|| log_here_and_there("span in api span in span"));
        drop(api);
        job::scope(JobMetadata::new("j", "e"), || {
            job::set("k", "v");
            log_here_and_there("job in span");
        });
    });
    let api = Context::current_with_span(fixture.tracer.start("api")).attach();
    log_here_and_there("api span");
    drop(api);
    job::scope(JobMetadata::new("outer", "e"), || {
        let span = tracing::info_span!("span in job");
        job::set("k", "v");
        log_here_and_there("job");
        span.in_scope(|| log_here_and_there("span in job"));
        job::scope(JobMetadata::new("inner", "e"), || {
            log_here_and_there("job in job");
            span.in_scope(|| log_here_and_there("span in job in job"));
        });
    });
}

/// What a line is correlated by.
fn correlation(
    record: &Seen,
) -> (Option<(opentelemetry::TraceId, opentelemetry::SpanId)>, Vec<Option<&str>>) {
    let keys = ["runner_job.id", "runner_job_execution.id", "nuon.tool", "nuon.op", "k", "tenant"];
    (record.ids, keys.map(|key| record.text(key)).to_vec())
}

/// Guarantees: a line that is logged by work started through a helper is correlated as one that is
/// logged where the work is started.
#[test]
fn work_started_by_a_helper_has_the_ids_the_job_and_the_op_of_where_it_is_started() {
    for arrangement in Arrangement::with_spans().into_iter().filter(|it| it.sampled) {
        let fixture = arrangement.build();
        fixture.run(|| in_every_place(&fixture));
        let records = fixture.records();
        let places: Vec<_> = records.iter().filter(|record| !record.body_text().contains(", ")).collect();
        assert_eq!((places.len(), records.len()), (11, 11 * (1 + HELPERS.len())));
        for here in places {
            for helper in HELPERS {
                let there = fixture.record(&format!("{}, {helper}", here.body_text()));
                assert_eq!(correlation(&there), correlation(here), "{arrangement:?}: {helper}, {here:?}");
            }
        }
        assert_eq!(fixture.record("op in span, spawn").text("nuon.tool"), Some("git"));
        assert_eq!(fixture.record("job in span, thread").text("k"), Some("v"));
        assert!(fixture.record("span, thread").ids.is_some());
    }
}

/// Guarantees: nothing stays on a thread that a handle was entered on, and plain `thread::spawn` has
/// nothing, so that the test above can fail.
#[test]
fn a_handle_leaves_nothing_behind_and_a_plain_thread_has_nothing() {
    let fixture = USUAL.build();
    fixture.run(|| {
        let handle =
            job::scope(JobMetadata::new("j", "e"), || tracing::info_span!("span").in_scope(task::handle));
        let dispatch = fixture.dispatch.clone();
        let thread = std::thread::spawn(move || {
            tracing::warn!("without a subscriber");
            handle.in_scope(|| tracing::warn!("inside"));
            tracing::dispatcher::with_default(&dispatch, || tracing::warn!("afterwards"));
        });
        thread.join().unwrap();
    });
    assert!(fixture.record("inside").ids.is_some());
    let afterwards = fixture.record("afterwards");
    assert_eq!((afterwards.ids, afterwards.text("runner_job.id")), (None, None));
    assert_eq!(fixture.records().len(), 2);
}
