//! Many threads and many jobs at once.

use std::collections::BTreeMap;
use std::thread;

use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use spanlog::graph::{Call, JobId, Recorder, ToolCallGraph};
use spanlog::{job, op, JobMetadata, JobSpanProcessor, Keys, LogLayer};

use crate::spans::subscriber;

const THREADS: usize = 8;
const JOBS: usize = 40;

/// Each call with its parent and the order of its children.
fn tree(graph: &ToolCallGraph) -> BTreeMap<String, (Call, Option<SpanId>, Vec<SpanId>)> {
    let place = |node: spanlog::graph::Node<'_>| {
        let children = node.children().map(|child| child.call().span_id).collect();
        (node.call().clone(), node.parent().map(|parent| parent.call().span_id), children)
    };
    graph.nodes().map(|node| (node.call().span_id.to_string(), place(node))).collect()
}

/// Scenario: eight threads run forty jobs each, with ops inside ops, while another thread reads.
/// Guarantees: the tree of each job is that of its finished spans alone, its records are all there,
/// in their spans, and nothing of one job is in another.
#[test]
fn eight_threads_with_many_jobs_give_the_trees_of_the_finished_spans() {
    let recorder = Recorder::default().with_jobs(THREADS * JOBS);
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(JobSpanProcessor::new())
        .with_span_processor(recorder.clone())
        .with_simple_exporter(exporter.clone())
        .build();
    let dispatch = subscriber(&provider, LogLayer::recording(recorder.clone()));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let dispatch = dispatch.clone();
            scope.spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || {
                    for number in 0..JOBS {
                        run(&format!("{thread}-{number}"));
                    }
                });
            });
        }
        for _ in 0..200 {
            let graph = recorder.graph();
            assert!(graph.nodes().count() <= THREADS * JOBS * 12);
            thread::yield_now();
        }
    });
    let jobs = recorder.jobs();
    assert_eq!(jobs.len(), THREADS * JOBS);
    let mut finished: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for span in exporter.get_finished_spans().unwrap() {
        let id = span.attributes.iter().find(|pair| pair.key.as_str() == "runner_job_execution.id").unwrap();
        finished.entry(id.value.to_string()).or_default().push(span);
    }
    for job in jobs {
        assert!(job.is_finished && job.running == 0, "{job:?}");
        let graph = recorder.take(&job.id).unwrap();
        let JobId::Execution(id) = &job.id else { panic!("{job:?}") };
        let alone = ToolCallGraph::of_spans(&finished[&**id], &Keys::default());
        assert_eq!(tree(&graph), tree(&alone));
        assert_eq!(graph.notes(), alone.notes());
        assert_eq!(graph.nodes().count(), 12);
        let records = graph.roots().next().unwrap().records();
        assert_eq!(records.len(), 10);
        for node in graph.nodes().filter(|node| node.call().tool.as_deref() == Some("inner")) {
            let bodies: Vec<_> = node.own_records().map(|record| record.body.clone()).collect();
            assert_eq!(
                bodies,
                [format!("{id} {}", node.call().operation.as_deref().unwrap()), "done".to_owned()]
            );
        }
        assert_eq!(graph.unplaced_records().len(), 1);
    }
    assert!(recorder.graph().is_empty());
}

fn run(id: &str) {
    let execution = job::execution(JobMetadata::new("j", id.to_owned()), "stress");
    let result = execution.in_scope(|| {
        tracing::info!(parent: None, "unplaced");
        execution.step("all").run(|| {
            for number in 0..5 {
                let _ = op::run("outer", "call", [], || {
                    op::run("inner", &number.to_string(), [], || {
                        tracing::info!("{id} {number}");
                        tracing::debug!("done");
                        if number == 3 {
                            Err("once")
                        } else {
                            Ok(())
                        }
                    })
                });
            }
            Ok::<(), String>(())
        })
    });
    execution.end(&result);
}
