//! The live source of the graph: what a recorder knows while jobs run, and what it keeps.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[path = "live/bounds.rs"]
mod bounds;
#[path = "support/spans.rs"]
mod spans;
#[path = "live/stress.rs"]
mod stress;

use std::sync::Arc;

use opentelemetry::trace::{Span, Status, Tracer, TracerProvider};
use opentelemetry::KeyValue;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use spanlog::graph::{JobId, Outcome, RecordLevel, Recorder, ToolCallGraph};
use spanlog::{job, op, JobMetadata, JobSpanProcessor, LogLayer};
use tracing::Dispatch;

/// A subscriber with the recorder as a log processor, or as a layer of its own.
fn subscriber(recorder: &Recorder, is_layer: bool) -> Dispatch {
    let provider = SdkTracerProvider::builder()
        .with_span_processor(JobSpanProcessor::new())
        .with_span_processor(recorder.clone())
        .build();
    if is_layer {
        return spans::subscriber(&provider, LogLayer::recording(recorder.clone()));
    }
    let logs = SdkLoggerProvider::builder().with_log_processor(recorder.clone()).build();
    spans::subscriber(&provider, LogLayer::new(&logs))
}

/// One node a line: depth, name, outcome and the records in it.
fn shape(graph: &ToolCallGraph) -> Vec<String> {
    let nodes = graph.nodes().map(|node| {
        let depth = std::iter::successors(node.parent(), |node| node.parent()).count();
        let records: Vec<_> = node.own_records().map(|record| record.body.as_str()).collect();
        format!("{depth} {} {} {records:?}", node.call().name, node.call().outcome.name())
    });
    nodes.collect()
}

#[test]
fn a_span_is_there_from_its_start_and_settled_at_its_end() {
    for is_layer in [false, true] {
        let recorder = Recorder::default();
        tracing::dispatcher::with_default(&subscriber(&recorder, is_layer), || {
            let execution = job::execution(JobMetadata::new("j", "e"), "deploy");
            let result = execution.in_scope(|| {
                execution.step("plan").run(|| {
                    let op = op::start("terraform", "plan", []);
                    op.in_scope(|| tracing::warn!(name: "slow", target: "tf", attempt = 2, "refreshing"));
                    let graph = recorder.graph();
                    assert_eq!(
                        shape(&graph),
                        [
                            "0 job.deploy running []",
                            "1 step.plan running []",
                            "2 terraform.plan running [\"refreshing\"]",
                        ]
                    );
                    let op_node = graph.nodes().last().unwrap();
                    assert_eq!(op_node.call().end_unix_nano, None);
                    let record = op_node.own_records().next().unwrap();
                    assert_eq!((record.level, record.target.as_str()), (RecordLevel::Warn, "tf"));
                    assert_eq!(record.event_name, "slow");
                    assert_eq!(record.span_id, Some(op_node.call().span_id));
                    assert!(record.time_unix_nano >= op_node.call().start_unix_nano);
                    let attribute = |key: &str| {
                        let found = record.attributes.iter().find(|(known, _)| known == key);
                        found.map(|(_, value)| value.clone()).unwrap()
                    };
                    assert_eq!(
                        (attribute("attempt"), attribute("nuon.tool")),
                        ("2".into(), "terraform".into())
                    );
                    op.set("exit", 1);
                    op.end(&Err::<(), _>("no state"));
                    Err::<(), _>("the plan failed")
                })
            });
            execution.end(&result);
        });
        let graph = recorder.graph();
        assert_eq!(
            shape(&graph),
            ["0 job.deploy failed []", "1 step.plan failed []", "2 terraform.plan failed [\"refreshing\"]",]
        );
        let op = graph.nodes().last().unwrap().call();
        assert_eq!(op.message, "no state");
        assert!(op.attributes.contains(&("exit".into(), "1".into())));
        assert!(op.end_unix_nano.unwrap() >= op.start_unix_nano);
        assert!(graph.notes().is_empty());
    }
}

#[test]
fn jobs_are_told_apart_and_handed_over_one_by_one() {
    let recorder = Recorder::default();
    tracing::dispatcher::with_default(&subscriber(&recorder, true), || {
        let other = op::start("request", "serve", []);
        other.in_scope(|| {
            for id in ["one", "two"] {
                let execution = job::execution(JobMetadata::new("j", id), "deploy");
                execution.in_scope(|| {
                    tracing::info!(parent: None, "{id} has no span");
                    tracing::info!("{id} begins");
                    if id == "two" {
                        return;
                    }
                    let jobs = recorder.jobs();
                    assert!(!jobs.iter().any(|job| job.is_finished), "{jobs:?}");
                });
                if id == "one" {
                    execution.end(&Ok::<(), String>(()));
                } else {
                    std::mem::forget(execution);
                }
            }
            tracing::info!("neither");
        });
        tracing::info!("no job and no span");
    });
    let jobs = recorder.jobs();
    let [request, one, two] = &jobs[..] else { panic!("{jobs:?}") };
    assert!(matches!(request.id, JobId::Trace(_)));
    assert_eq!((&one.id, &two.id), (&JobId::execution("one"), &JobId::execution("two")));
    assert_eq!((one.is_finished, two.is_finished), (true, false));
    assert_eq!((one.spans, one.running, two.running), (1, 0, 1));

    let graph = recorder.graph_of(&one.id).unwrap();
    assert_eq!(shape(&graph), ["0 job.deploy ok [\"one begins\"]"]);
    let unplaced: Vec<_> = graph.unplaced_records().map(|record| record.body.as_str()).collect();
    assert_eq!(unplaced, ["one has no span"]);
    let request = recorder.graph_of(&request.id).unwrap();
    assert_eq!(request.nodes().flat_map(|node| node.records()).count(), 1);
    assert_eq!(recorder.graph().nodes().count(), 3);

    assert_eq!(shape(&recorder.take(&one.id).unwrap()), shape(&graph));
    assert!(recorder.graph_of(&one.id).is_none() && recorder.take(&one.id).is_none());
    assert!(recorder.forget(&two.id) && !recorder.forget(&two.id));
    assert_eq!(recorder.jobs().len(), 1);
}

/// Scenario: the processor that stamps the job comes after the recorder, or is absent. Guarantees:
/// a span that is stamped later moves to its job when it ends; one that is never stamped stays in
/// its parent's.
#[test]
fn a_span_without_stamps_is_its_parents_jobs() {
    let recorder = Recorder::default();
    let provider = SdkTracerProvider::builder().with_span_processor(recorder.clone()).build();
    let tracer = provider.tracer("live");
    let stamp = || KeyValue::new("runner_job_execution.id", "e");
    let mut root = tracer.start("root");
    let mut stamped = tracer.span_builder("stamped").with_attributes([stamp()]).start(&tracer);
    let cx = opentelemetry::trace::TraceContextExt::with_remote_span_context(
        &opentelemetry::Context::new(),
        stamped.span_context().clone(),
    );
    let mut child = tracer.start_with_context("child", &cx);
    assert_eq!(recorder.jobs().len(), 2);
    root.set_attribute(stamp());
    root.end();
    assert_eq!(recorder.jobs().len(), 1, "{:?}", recorder.jobs());
    stamped.end();
    child.end();
    let graph = recorder.graph_of(&JobId::execution("e")).unwrap();
    assert_eq!(shape(&graph), ["0 root ok []", "0 stamped ok []", "1 child ok []"]);
}

#[test]
fn what_is_not_sampled_is_not_kept() {
    let recorder = Recorder::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOff)
        .with_span_processor(recorder.clone())
        .build();
    let dispatch = spans::subscriber(&provider, LogLayer::recording(recorder.clone()));
    tracing::dispatcher::with_default(&dispatch, || {
        let execution = job::execution(JobMetadata::new("j", "e"), "deploy");
        execution.in_scope(|| tracing::info!("in a span that nobody gets"));
        execution.end(&Ok::<(), String>(()));
    });
    assert!(recorder.jobs().is_empty());
}

#[test]
fn an_outcome_that_comes_with_the_end_is_the_one_that_counts() {
    let recorder = Recorder::default();
    let provider = SdkTracerProvider::builder().with_span_processor(recorder.clone()).build();
    let mut span = provider.tracer("live").start("call");
    span.set_status(Status::error("late"));
    assert_eq!(recorder.graph().roots().next().unwrap().call().outcome, Outcome::Running);
    span.end();
    assert_eq!(recorder.graph().roots().next().unwrap().call().outcome, Outcome::Failed);
}

/// Guarantees: one call connects the recorder, on the direct path and on the SDK's, and each record
/// arrives once.
#[cfg(feature = "install")]
#[test]
fn one_call_of_the_builder_lets_a_recorder_listen_on_either_road() {
    for sdk_logs in [false, true] {
        let recorder = Recorder::default();
        // Nothing listens there: a recorder needs no receiver.
        let builder = spanlog::builder().with_endpoint("http://127.0.0.1:9").with_console(false);
        let keys = spanlog::Keys::cicd();
        let builder = builder.with_sdk_logs(sdk_logs).with_keys(keys).with_recorder(recorder.clone());
        let (dispatch, guard) = builder.build().unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            let execution = job::execution(JobMetadata::new("j", "e"), "deploy");
            execution.in_scope(|| tracing::info!(target: "opentelemetry_sdk", "the SDK's own line"));
            execution.in_scope(|| tracing::info!("once"));
            execution.end(&Ok::<(), String>(()));
        });
        let graph = recorder.graph_of(&JobId::execution("e")).unwrap();
        assert_eq!(shape(&graph), ["0 job.deploy ok [\"once\"]"]);
        // Without waiting for the exporters, which are not tested here.
        drop(Arc::new(guard.shutdown(std::time::Duration::ZERO)));
    }
}
