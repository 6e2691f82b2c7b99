//! Sixty-four jobs at once on two threads: no record and no span carries another job's stamp or
//! ids.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use proptest::prelude::*;
use spanlog::job::{self, FutureExt as _};
use spanlog::{op, JobMetadata};
use tracing::Instrument;

use crate::fixture::{attributes, Arrangement, Fixture, Order, USUAL};

const JOBS: usize = 64;

/// What a task does next. Everything that it logs says which job and which span it expects.
#[derive(Clone, Debug)]
enum Step {
    Log,
    Yield,
    /// Does the steps inside an op.
    Op(Vec<Step>),
    /// Does the steps inside an ordinary span.
    Span(Vec<Step>),
    /// Does the steps in their own task, and waits for it.
    Spawn(Vec<Step>),
    /// Does the steps on a thread of their own, which has no subscriber.
    Thread(Vec<Step>),
    /// Polls the steps on another thread, in what a handle says.
    Handle(Vec<Step>),
    /// Does the steps on a blocking thread.
    Blocking(Vec<Step>),
    /// Starts the steps and drops them at their first wait.
    Cancel(Vec<Step>),
    /// Does the steps in an op that panics after them; its task is lost.
    Panic(Vec<Step>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let leaf = prop_oneof![3 => Just(Step::Log), 2 => Just(Step::Yield)];
    let step = leaf.prop_recursive(3, 12, 4, |step| {
        let inner = prop::collection::vec(step, 1..4);
        prop_oneof![
            inner.clone().prop_map(Step::Op),
            inner.clone().prop_map(Step::Span),
            inner.clone().prop_map(Step::Spawn),
            inner.clone().prop_map(Step::Thread),
            inner.clone().prop_map(Step::Handle),
            inner.clone().prop_map(Step::Blocking),
            inner.clone().prop_map(Step::Cancel),
            inner.prop_map(Step::Panic),
        ]
    });
    prop::collection::vec(step, 1..5)
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs `steps` for job `job`, inside the span named `span`.
fn run(job: usize, span: String, steps: Vec<Step>) -> Work {
    Box::pin(async move {
        for (index, step) in steps.into_iter().enumerate() {
            let name = format!("{span}.{index}");
            match step {
                Step::Log => log(job, &span),
                Step::Yield => tokio::task::yield_now().await,
                Step::Op(steps) => {
                    let work = succeed(run(job, format!("t.{name}"), steps));
                    op::run_async("t", &name, [], work).await.unwrap();
                }
                Step::Span(steps) => {
                    let work = run(job, format!("s.{name}"), steps);
                    work.instrument(tracing::info_span!("span", otel.name = format!("s.{name}"))).await;
                }
                Step::Spawn(steps) => {
                    let _ = job::spawn(run(job, span.clone(), steps)).await;
                }
                Step::Thread(steps) => {
                    let work = run(job, span.clone(), steps);
                    let _ = job::thread(|| block_on(work)).join();
                }
                Step::Handle(steps) => {
                    let handle = job::handle();
                    let work = handle.clone().in_scope_async(run(job, span.clone(), steps));
                    let thread = std::thread::spawn(move || {
                        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| block_on(work)));
                        handle
                    });
                    thread.join().unwrap().in_scope(|| log(job, &span));
                }
                Step::Blocking(steps) => {
                    let span = span.clone();
                    let _ = job::spawn_blocking(move || {
                        for step in steps {
                            match step {
                                Step::Log => log(job, &span),
                                _ => op::run("t", &name, [], || {
                                    log(job, &format!("t.{name}"));
                                    Ok::<(), String>(())
                                })
                                .unwrap(),
                            }
                        }
                    })
                    .await;
                }
                Step::Cancel(steps) => {
                    let work = succeed(run(job, format!("t.{name}"), steps));
                    tokio::select! {
                        biased;
                        _ = op::run_async("t", &name, [], work) => {}
                        () = tokio::task::yield_now() => {}
                    }
                }
                Step::Panic(steps) => {
                    let work = run(job, format!("t.{name}"), steps);
                    let work = async move {
                        work.await;
                        std::panic::resume_unwind(Box::new("on purpose"));
                        #[expect(unreachable_code, reason = "names the type")]
                        Ok::<(), String>(())
                    };
                    let _ = job::spawn(op::run_async("t", &name, [], work)).await;
                }
            }
            log(job, &span);
        }
    })
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work);
}

async fn succeed(work: impl Future<Output = ()>) -> Result<(), String> {
    work.await;
    Ok(())
}

fn log(job: usize, span: &str) {
    tracing::info!(expected_job = format!("job {job}"), expected_span = span, "line");
}

fn check(fixture: &Fixture) -> Result<(), TestCaseError> {
    let spans: HashMap<_, _> = fixture
        .spans()
        .into_iter()
        .map(|span| (span.span_context.span_id(), (span.clone(), attributes(&span))))
        .collect();
    let mut traces = HashMap::new();
    for (span, attributes) in spans.values() {
        let job = &attributes["runner_job.id"];
        let trace = span.span_context.trace_id();
        prop_assert_eq!(traces.entry(trace).or_insert_with(|| job.clone()), job);
    }
    let records = fixture.records();
    prop_assert!(records.len() >= JOBS);
    for record in &records {
        let job = record.text("runner_job.id");
        prop_assert_eq!(job, record.text("expected_job"), "stamp");
        let (trace, id) = record.ids.ok_or_else(|| TestCaseError::fail(format!("no ids: {record:?}")))?;
        let Some((span, attributes)) = spans.get(&id) else {
            return Err(TestCaseError::fail(format!("no such span: {record:?}")));
        };
        prop_assert_eq!(trace, span.span_context.trace_id());
        prop_assert_eq!(Some(attributes["runner_job.id"].as_str()), job, "the span's job");
        prop_assert_eq!(Some(span.name.as_ref()), record.text("expected_span"), "the span");
    }
    let stats = fixture.counters.snapshot();
    prop_assert_eq!(stats.emitted, stats.delivered);
    prop_assert_eq!(stats.without_ids, 0);
    prop_assert_eq!(stats.delivered, records.len() as u64);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn sixty_four_jobs_on_two_threads_never_mix(
        programs in prop::collection::vec(steps(), 8),
        activation in any::<bool>(),
        log_first in any::<bool>(),
    ) {
        let order = if log_first { Order::LogFirst } else { Order::SpanFirst };
        let fixture = Arrangement { activation, order, ..USUAL }.build();
        let dispatch = fixture.dispatch.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            // For the whole thread: a task is dropped outside its own subscriber's scope, and
            // tracing-subscriber closes a span's parent through the default one.
            .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)))
            .build()
            .unwrap();
        fixture.run(|| {
            runtime.block_on(async {
                let jobs: Vec<_> = (0..JOBS)
                    .map(|id| {
                        let metadata = JobMetadata::new(format!("job {id}"), format!("execution {id}"));
                        let program = programs[id % programs.len()].clone();
                        let work = async move {
                            // The execution's span has no parent: jobs share no trace.
                            let execution = job::execution(job::current().unwrap(), "run");
                            let work = async move {
                                log(id, "job.run");
                                run(id, "job.run".to_owned(), program).await;
                            };
                            let _ = execution.instrument(succeed(work)).await;
                        };
                        tokio::spawn(work.with_job(metadata))
                    })
                    .collect();
                for job in jobs {
                    let _ = job.await;
                }
                // A cancelled task leaves the tasks that it spawned running.
                while runtime.metrics().num_alive_tasks() > 0 {
                    tokio::task::yield_now().await;
                }
            });
        });
        drop(runtime);
        check(&fixture)?;
    }
}

/// Guarantees: the check above can fail.
#[test]
fn the_check_notices_a_stamp_an_id_and_a_span_of_another_job() {
    let checked = |script: fn()| {
        let fixture = USUAL.build();
        fixture.run(|| {
            for id in 0..JOBS {
                let metadata = JobMetadata::new(format!("job {id}"), format!("execution {id}"));
                let execution = job::execution(metadata, "run");
                execution.in_scope(|| log(id, "job.run"));
                execution.end(&Ok::<(), String>(()));
            }
            script();
        });
        check(&fixture).is_ok()
    };
    assert!(checked(|| ()));
    assert!(!checked(|| log(3, "job.run")));
    assert!(!checked(|| {
        job::scope(JobMetadata::new("job 1", "execution 1"), || {
            tracing::info_span!("job.run").in_scope(|| log(3, "job.run"));
        });
    }));
    assert!(!checked(|| {
        job::scope(JobMetadata::new("job 1", "execution 1"), || {
            op::start("other", "op", []).in_scope(|| log(1, "job.run"));
        });
    }));
}
