//! Receipts of jobs: the outcomes of everything that a job has emitted.

use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_sdk::trace::SdkTracerProvider;
use prost::Message;
use spanlog::job::{Receipt, Tally};
use spanlog::otlp::{Overflow, Pipeline};
use spanlog::{job, op, JobMetadata, LogLayer};
use tracing::Dispatch;

use crate::http::{ok, response, Act, Receiver};
use crate::otlp::{attributes, body};
use crate::port::Reserved;
use crate::spans::subscriber;

const LONG: Duration = Duration::from_secs(30);

fn dispatch(pipeline: &Pipeline) -> Dispatch {
    let provider = SdkTracerProvider::builder().with_span_processor(pipeline.span_processor()).build();
    subscriber(&provider, LogLayer::direct(pipeline.clone()))
}

fn adds_up(tally: &Tally) -> bool {
    let Tally { emitted, delivered, rejected, spooled, pending, .. } = *tally;
    emitted == delivered + rejected + tally.dropped() + spooled + pending
}

/// An execution with a step, an op in that, and `records` records.
fn run(number: usize, records: usize) -> job::Execution {
    let execution =
        job::execution(JobMetadata::new(format!("job-{number}"), format!("exec-{number}")), "deploy");
    let done: Result<(), String> = execution.in_scope(|| {
        execution.step("plan").run(|| {
            op::run("terraform", "plan", [], || {
                (0..records).for_each(|record| tracing::info!("{number}: {record}"));
                Ok(())
            })
        })
    });
    done.unwrap();
    execution
}

/// Guarantees: the receipt of each of some jobs that run at once counts its own records and spans, those of
/// its steps and ops included, and no others.
#[test]
fn each_job_has_a_receipt_of_its_own() {
    let receiver = Receiver::start();
    let pipeline = Pipeline::builder().with_endpoint(receiver.url()).build().unwrap();
    let dispatch = dispatch(&pipeline);
    let receipts: Vec<Receipt> = thread::scope(|scope| {
        let jobs: Vec<_> = (1..=4)
            .map(|number| {
                let dispatch = &dispatch;
                scope.spawn(move || {
                    tracing::dispatcher::with_default(dispatch, || run(number, 1_000 * number).close(LONG))
                })
            })
            .collect();
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    for (number, receipt) in (1..).zip(&receipts) {
        assert_eq!(
            (receipt.logs.emitted, receipt.logs.delivered),
            (1_000 * number, 1_000 * number),
            "{receipt}"
        );
        assert_eq!((receipt.spans.emitted, receipt.spans.delivered), (3, 3), "{receipt}");
        assert!(receipt.is_complete());
    }
    // What else there is belongs to no job.
    tracing::dispatcher::with_default(&dispatch, || {
        tracing::info!("outside");
        assert_eq!(job::close(LONG), None);
        job::scope(JobMetadata::new("job-9", "exec-9"), || {
            tracing::info!("inside");
            let receipt = job::close(LONG).unwrap();
            assert_eq!((receipt.logs.delivered, receipt.spans.emitted), (1, 0));
        });
    });
}

/// Guarantees: what is not delivered by the deadline is pending, and delivered in a later receipt.
#[test]
fn what_has_no_outcome_is_pending() {
    let port = Reserved::new();
    let pipeline = Pipeline::builder().with_endpoint(format!("http://{}", port.address)).build().unwrap();
    tracing::dispatcher::with_default(&dispatch(&pipeline), || {
        job::scope(JobMetadata::new("job-1", "exec-1"), || {
            (0..5_000).for_each(|number| tracing::info!("{number}"));
            let receipt = job::close(Duration::from_millis(50)).unwrap();
            assert_eq!((receipt.logs.emitted, receipt.logs.pending), (5_000, 5_000), "{receipt}");
            let _receiver = Receiver::at(port.listen(), |_| Some(ok()));
            let receipt = job::close(LONG).unwrap();
            assert_eq!((receipt.logs.emitted, receipt.logs.delivered), (5_000, 5_000), "{receipt}");
        });
    });
}

/// Scenario: two jobs, of which one logs more than memory holds while the receiver is away.
///
/// Guarantees: with each way to overflow, the receipt has every record, by its outcome; one record
/// says that some were lost.
#[test]
fn losses_are_counted_by_their_reason() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let port = Reserved::new();
        let builder = Pipeline::builder().with_endpoint(format!("http://{}", port.address));
        let pipeline = builder.with_memory_limit(256 * 1024).with_overflow(overflow).build().unwrap();
        tracing::dispatcher::with_default(&dispatch(&pipeline), || {
            let quiet = run(2, 10);
            let noisy = run(1, 5_000);
            let receiver = Receiver::at(port.listen(), |_| Some(ok()));
            let receipt = noisy.close(LONG);
            let Receipt { logs, spans, .. } = receipt;
            assert_eq!(
                (logs.emitted, logs.pending, spans.emitted, spans.lost()),
                (5_000, 0, 3, 0),
                "{receipt}"
            );
            assert!(adds_up(&logs) && logs.lost() > 1_000 && logs.delivered > 0, "{overflow:?}: {receipt}");
            // With `DropOldest`, what the worker has is not evicted: there may be nothing older.
            let of_overflow = logs.dropped_oldest + logs.dropped_queue_full;
            assert_eq!(of_overflow, logs.lost(), "{overflow:?}: {receipt}");
            let receipt = quiet.close(LONG);
            assert!(receipt.is_complete() && receipt.logs.emitted == 10, "{overflow:?}: {receipt}");

            pipeline.flush(LONG).ok();
            let records = receiver.records();
            let losses: Vec<_> =
                records.iter().filter(|(_, record)| record.event_name == "telemetry.loss").collect();
            let [(_, loss)] = losses[..] else { panic!("{} records of losses", losses.len()) };
            let stated = attributes(&loss.attributes);
            assert_eq!(stated["telemetry.lost_logs"], logs.lost().to_string(), "{stated:?}");
            assert!(stated.values().any(|value| value == "exec-1"), "it is of the job: {stated:?}");
            let spans = receiver.spans();
            let (_, own) = spans.iter().find(|(_, span)| span.span_id == loss.span_id).unwrap();
            assert_eq!(own.name, "job.deploy");
            assert!(body(loss).contains("were lost"));
        });
    }
}

/// Guarantees: what the receiver rejects, refuses, or takes in parts only, is in the receipt.
#[test]
fn the_answers_of_the_receiver_are_in_the_receipt() {
    let partial = ExportLogsServiceResponse {
        partial_success: Some(ExportLogsPartialSuccess {
            rejected_log_records: 3,
            error_message: "no".into(),
        }),
    };
    let partial = response(200, &[("content-type", "application/x-protobuf")], &partial.encode_to_vec());
    let refused = response(400, &[], b"");
    let too_large = response(413, &[], b"");
    type Expected = fn(&Tally) -> bool;
    let cases: [(Vec<Vec<u8>>, Expected); 3] = [
        (vec![partial], |logs| logs.rejected == 3 && logs.delivered == 7),
        (vec![refused.clone()], |logs| logs.dropped_refused == 10),
        (vec![too_large, refused], |logs| logs.dropped_refused == 5 && logs.delivered == 5),
    ];
    for (answers, expected) in cases {
        let receiver = Receiver::acting(move |number| match answers.get(number) {
            Some(answer) => Act::Send(answer.clone()),
            None => ok(),
        });
        // Spans go elsewhere.
        let elsewhere = Receiver::start();
        let builder = Pipeline::builder().with_endpoint(elsewhere.url());
        let pipeline = builder.with_logs_url(format!("{}/v1/logs", receiver.url())).build().unwrap();
        tracing::dispatcher::with_default(&dispatch(&pipeline), || {
            let receipt = run(1, 10).close_with(&Err::<(), _>("late"), LONG);
            assert!(receipt.logs.emitted == 10 && adds_up(&receipt.logs), "{receipt}");
            assert!(expected(&receipt.logs), "{receipt}");
            assert_eq!(receipt.spans.delivered, 3);
        });
    }
}
