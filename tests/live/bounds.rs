//! What a recorder keeps, and what it evicts.

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{Span, SpanContext, Tracer, TracerProvider};
use opentelemetry::KeyValue;
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use proptest::prelude::*;
use spanlog::graph::{JobId, RecordLevel, Recorder};

struct Fixture {
    recorder: Recorder,
    tracer: SdkTracer,
    logger: SdkLogger,
}

impl Fixture {
    fn new(recorder: Recorder) -> Self {
        let spans = SdkTracerProvider::builder().with_span_processor(recorder.clone()).build();
        let logs = SdkLoggerProvider::builder().with_log_processor(recorder.clone()).build();
        Self { recorder, tracer: spans.tracer("bounds"), logger: logs.logger("bounds") }
    }

    fn span(&self, job: &str, name: String) -> opentelemetry_sdk::trace::Span {
        let stamp = KeyValue::new("runner_job_execution.id", job.to_owned());
        self.tracer.span_builder(name).with_attributes([stamp]).start(&self.tracer)
    }

    fn log(&self, span: &SpanContext, severity: Severity, body: String) {
        let mut record = self.logger.create_log_record();
        record.set_severity_number(severity);
        record.set_body(AnyValue::from(body));
        record.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
        self.logger.emit(record);
    }

    fn assert_within(&self, job_bytes: usize, jobs: usize) {
        let kept = self.recorder.jobs();
        assert!(kept.len() <= jobs, "{kept:?}");
        for job in kept {
            assert!(job.bytes <= job_bytes, "{job:?}");
        }
    }
}

#[test]
fn the_oldest_records_go_and_stay_counted_and_warnings_outlive_quiet_lines() {
    const BYTES: usize = 64 * 1024;
    let fixture = Fixture::new(Recorder::default().with_job_bytes(BYTES));
    let mut span = fixture.span("e", "chatty".into());
    let ids = span.span_context().clone();
    fixture.log(&ids, Severity::Error, "the one that matters".into());
    for number in 0..2000 {
        fixture.log(&ids, Severity::Info, format!("line {number}"));
        fixture.assert_within(BYTES, 1);
    }
    span.end();
    let graph = fixture.recorder.graph();
    let node = graph.roots().next().unwrap();
    let bodies: Vec<_> = node.own_records().map(|record| record.body.as_str()).collect();
    assert!(bodies.len() > 50 && bodies.len() < 1000, "{}", bodies.len());
    assert_eq!((bodies[0], *bodies.last().unwrap()), ("the one that matters", "line 1999"));
    assert_eq!(node.own_counts().of(RecordLevel::Info), 2000);
    assert_eq!(node.own_counts().total(), 2001);
    assert_eq!(graph.notes(), [format!("{} older records were dropped", 2001 - bodies.len())]);

    // Endless errors leave room for other records.
    for number in 0..2000 {
        fixture.log(&ids, Severity::Error, format!("error {number}"));
        fixture.log(&ids, Severity::Info, format!("beside {number}"));
    }
    let graph = fixture.recorder.graph();
    let records = graph.roots().next().unwrap().records();
    for (level, last) in [(RecordLevel::Error, "error 1999"), (RecordLevel::Info, "beside 1999")] {
        let of_level: Vec<_> = records.iter().filter(|record| record.level == level).collect();
        assert!(of_level.len() > 20, "{level:?}: {}", of_level.len());
        assert_eq!(of_level.last().unwrap().body, last);
    }
    fixture.assert_within(BYTES, 1);
}

#[test]
fn a_record_that_is_larger_than_the_bound_is_counted_only() {
    let fixture = Fixture::new(Recorder::default().with_job_bytes(16 * 1024));
    let span = fixture.span("e", "call".into());
    fixture.log(span.span_context(), Severity::Info, "x".repeat(100_000));
    fixture.assert_within(16 * 1024, 1);
    let graph = fixture.recorder.graph();
    let node = graph.roots().next().unwrap();
    assert_eq!((node.own_records().len(), node.own_counts().total()), (0, 1));
}

#[test]
fn spans_that_never_end_are_bounded_and_finished_ones_go_first() {
    const BYTES: usize = 64 * 1024;
    let fixture = Fixture::new(Recorder::default().with_job_bytes(BYTES));
    let root = fixture.span("e", "root".into());
    for number in 0..500 {
        fixture.span("e", format!("done {number}")).end();
        fixture.assert_within(BYTES, 1);
    }
    let names =
        || -> Vec<String> { fixture.recorder.graph().nodes().map(|node| node.call().name.clone()).collect() };
    let kept = names();
    assert!(kept.len() > 10 && kept.len() < 200, "{}", kept.len());
    assert_eq!((kept[0].as_str(), kept.last().unwrap().as_str()), ("root", "done 499"));
    assert_eq!(fixture.recorder.graph().notes(), [format!("{} older spans were dropped", 501 - kept.len())]);

    let open: Vec<_> = (0..500)
        .map(|number| {
            let span = fixture.span("e", format!("open {number}"));
            fixture.assert_within(BYTES, 1);
            span
        })
        .collect();
    assert_eq!(names().last().unwrap(), "open 499");
    assert!(!names().contains(&"root".to_owned()));
    // Evicted spans end late, and are bounded as well.
    drop(open);
    drop(root);
    fixture.assert_within(BYTES, 1);
    assert_eq!(names().first().unwrap(), "root", "it ended last");
    assert!(fixture.recorder.jobs()[0].is_finished);
}

#[test]
fn the_number_of_jobs_is_bounded_and_finished_ones_go_first() {
    let fixture = Fixture::new(Recorder::default().with_jobs(3));
    let running = fixture.span("running", "job.a".into());
    for number in 0..10 {
        fixture.span(&number.to_string(), "job.b".into()).end();
        fixture.assert_within(usize::MAX, 3);
    }
    let ids = || fixture.recorder.jobs().into_iter().map(|job| job.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(), ["running", "8", "9"]);
    assert!(fixture.recorder.graph().notes().contains(&"8 older jobs were dropped".to_owned()));
    let more: Vec<_> = ["x", "y", "z"].map(|job| fixture.span(job, "job.c".into())).into();
    assert_eq!(ids(), ["x", "y", "z"]);
    drop((running, more));
    fixture.assert_within(usize::MAX, 3);
}

#[test]
fn a_runner_that_takes_its_jobs_keeps_nothing() {
    let fixture = Fixture::new(Recorder::default());
    for number in 0..1000 {
        let id = number.to_string();
        let mut span = fixture.span(&id, "job.deploy".into());
        fixture.log(&span.span_context().clone(), Severity::Info, "line".into());
        span.end();
        let graph = fixture.recorder.take(&JobId::execution(&id)).unwrap();
        assert_eq!(graph.roots().next().unwrap().records().len(), 1);
        assert!(fixture.recorder.jobs().is_empty());
    }
    assert!(fixture.recorder.graph().is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Start(u8),
    End(usize),
    Log(usize, bool, usize),
    Take(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0u8..6).prop_map(Step::Start),
        any::<usize>().prop_map(Step::End),
        (any::<usize>(), any::<bool>(), 0usize..4000)
            .prop_map(|(span, loud, len)| Step::Log(span, loud, len)),
        (0u8..12).prop_map(Step::Take),
    ];
    proptest::collection::vec(step, 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    /// In any sequence of steps the bounds hold, and no job is kept whose spans are all gone.
    #[test]
    fn the_bounds_hold_whatever_happens(steps in steps(), job_bytes in 0usize..40_000, jobs in 1usize..5) {
        let fixture = Fixture::new(Recorder::default().with_job_bytes(job_bytes).with_jobs(jobs));
        let mut open = Vec::new();
        for step in steps {
            match step {
                Step::Start(job) => open.push(fixture.span(&job.to_string(), "call".into())),
                Step::End(which) if !open.is_empty() => drop(open.swap_remove(which % open.len())),
                Step::Log(which, loud, len) if !open.is_empty() => {
                    let severity = if loud { Severity::Warn } else { Severity::Debug };
                    let ids = open[which % open.len()].span_context().clone();
                    fixture.log(&ids, severity, "x".repeat(len));
                }
                Step::Take(job) => drop(fixture.recorder.take(&JobId::execution(&job.to_string()))),
                Step::End(_) | Step::Log(..) => {}
            }
            fixture.assert_within(job_bytes, jobs);
        }
        drop(open);
        prop_assert!(fixture.recorder.jobs().iter().all(|job| job.running == 0));
    }
}
