//! `op::Command`, as a program tests it.
#![cfg(unix)]

use std::time::Duration;

use spanlog::op::{self, Command};
use spanlog::testing::capture;
use spanlog::{assert_correlated, assert_no_loss, assert_record, job, JobMetadata};

/// A shell script as the op `sh.test`.
fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script]).operation("test")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_run_side_by_side_on_a_multi_thread_runtime() {
    let capture = capture();
    let run = |number: usize| {
        let script = format!("for i in 1 2 3; do echo {number}; sleep 0.01; done");
        tokio::spawn(sh(&script).operation(format!("number-{number}")).run())
    };
    let runs: Vec<_> = (0..8).map(run).collect();
    for run in runs {
        let output = tokio::time::timeout(Duration::from_secs(120), run).await.expect("it hangs");
        assert_eq!(output.unwrap().unwrap().stdout_lines(), 3);
    }
    assert_eq!((capture.records().len(), capture.spans().len()), (24, 8));
    for span in capture.spans() {
        let number = span.name.strip_prefix("sh.number-").unwrap();
        let records = capture.records();
        let own: Vec<_> = records.iter().filter(|record| record.span_id == Some(span.span_id)).collect();
        assert!(own.len() == 3 && own.iter().all(|record| record.body == number), "{own:?}");
    }
    assert_correlated!(capture);
    assert_no_loss!(capture);
}

#[tokio::test]
async fn it_is_a_child_of_the_op_that_runs_it() {
    let capture = capture();
    let deployed = op::run_async("runner", "deploy", [], async {
        tracing::info!("before");
        sh("echo inside").run().await?;
        tracing::info!("after");
        Ok::<_, spanlog::Error>(())
    });
    deployed.await.unwrap();
    assert_record!(capture, "inside", in_span("sh.test"));
    assert_record!(capture, "before", in_span("runner.deploy"));
    assert_record!(capture, "after", in_span("runner.deploy"));
    assert_eq!(capture.span("sh.test").parent_span_id, Some(capture.span("runner.deploy").span_id));
}

#[tokio::test]
async fn span_and_records_carry_the_job_wherever_it_is_polled() {
    let capture = capture();
    let metadata = JobMetadata::new("job-1", "exec-1").with_step("plan");
    let run = job::scope(metadata, || {
        job::set("attempt", "2");
        sh("echo inside").run()
    });
    // No longer in the job, but in another one.
    job::scope(JobMetadata::new("job-2", "exec-2"), || tokio::spawn(run)).await.unwrap().unwrap();
    let record = assert_record!(
        capture,
        "inside",
        in_span("sh.test"),
        in_job("job-1"),
        runner_job_execution.id = "exec-1",
        runner_job_execution_step.name = "plan",
        attempt = "2",
    );
    let span = capture.span("sh.test");
    for key in ["runner_job.id", "runner_job_execution.id", "runner_job_execution_step.name", "attempt"] {
        assert_eq!(span.text(key), record.text(key), "{key}");
    }
}
