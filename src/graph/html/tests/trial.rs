//! A run as in a trial: four jobs, 26 ops that are alike, retries, output of processes, and a failure.

use opentelemetry::trace::SpanKind;

use super::fixture::{op, span, Fixture, FixtureSpan};
use crate::graph::RecordLevel;

const HOUR: u64 = 3_600_000;

/// The title of the op that failed first, and what it wrote last to stderr.
pub(super) const CAUSE: &str = "terraform apply (prod-eu-17)";
pub(super) const LAST_WORDS: &str = "Error: creating EC2 Instance: InsufficientInstanceCapacity";

/// A job with its ids, in a trace of its own.
fn job(name: &str, number: u64) -> FixtureSpan {
    let execution = format!("exec-{number}");
    let job = span(&format!("job.{name}")).with("runner_job.id", &format!("{name}-{number}"));
    job.with("runner_job_execution.id", &execution).in_trace(number.into())
}

pub(super) fn trial() -> Fixture {
    let mut fixture = Fixture::default();
    plan(&mut fixture);
    apply(&mut fixture);
    smoke(&mut fixture);
    clean_up(&mut fixture);
    fixture
}

/// A good job, alone.
pub(super) fn fine() -> Fixture {
    let mut fixture = Fixture::default();
    plan(&mut fixture);
    fixture
}

fn plan(fixture: &mut Fixture) {
    let job = fixture.add(0, 0, 60_000, job("plan", 6));
    let fetch = fixture.add(job, 50, 4_000, span("step.fetch").in_trace(6));
    fixture.add(fetch, 60, 3_900, op("git", "clone").in_trace(6));
    let plan = fixture.add(job, 4_100, 59_000, span("step.plan").in_trace(6));
    let terraform = fixture.add(plan, 4_200, 58_000, op("terraform", "plan").in_trace(6));
    for line in 0..60 {
        output(
            fixture,
            terraform,
            5_000 + line * 800,
            "stdout",
            &format!("aws_instance.web[{line}]: Refreshing state..."),
        );
    }
}

/// The job that fails: one of 26, after a fetch that took three attempts.
fn apply(fixture: &mut Fixture) {
    let at = HOUR;
    let message = "step apply: terraform exited with code 1";
    let job = fixture.add(0, at, at + 90_000, job("apply", 7).failed(message));
    let fetch = fixture.add(job, at + 100, at + 9_000, span("step.fetch").in_trace(7));
    for attempt in 0..3 {
        let from = at + 200 + attempt * 2_900;
        let git = op("git", "fetch").in_trace(7).with("attempt", &(attempt + 1).to_string());
        let git = if attempt < 2 { git.failed("connection reset by peer") } else { git };
        let git = fixture.add(fetch, from, from + 2_800, git);
        output(fixture, git, from + 2_000, "stderr", "fetching origin");
    }
    let step = fixture.add(
        job,
        at + 9_100,
        at + 90_000,
        span("step.apply").in_trace(7).failed("terraform exited with code 1"),
    );
    for number in 1..=26 {
        let label = format!("prod-eu-{number:02}");
        let made = op("terraform", "apply").in_trace(7).with("op.label", &label);
        let made = made.with(
            "process.command_args",
            &format!("[\"terraform\",\"apply\",\"-var\",\"name={label} one\"]"),
        );
        let (from, took) = (at + 9_200 + number * 40, 30_000 + number * 7_919 % 20_000);
        match number {
            17 => failing_apply(fixture, step, from, made),
            23 => _ = fixture.add(step, from, from + 70_000, made.failed("no answer").ended("timed_out")),
            _ => {
                let made = fixture.add(step, from, from + took, made.with("process.exit.code", "0"));
                output(
                    fixture,
                    made,
                    from + took - 10,
                    "stdout",
                    "Apply complete! Resources: 3 added, 0 changed, 0 destroyed.",
                );
            }
        }
    }
}

/// It says why on stderr, at the level that all its output has, and ends with lines that say nothing.
fn failing_apply(fixture: &mut Fixture, step: u64, from: u64, span: FixtureSpan) {
    let stack = "Error: exit status 1\n    at apply (main.tf:12)\n    at run (runner.rs:88)";
    let exception = [
        ("exception.type", "spanlog::op::Error"),
        ("exception.message", "terraform exited with code 1"),
        ("exception.stacktrace", stack),
    ];
    let span = span.failed("terraform exited with code 1").with("process.exit.code", "1");
    let span = span.with("error.type", "spanlog::op::Error").event("exception", from + 40_000, &exception);
    let failing = fixture.add(step, from, from + 40_000, span);
    for line in 0..200 {
        output(
            fixture,
            failing,
            from + line * 150,
            "stdout",
            &format!("aws_instance.web: Still creating... [{line}s elapsed]"),
        );
    }
    output(fixture, failing, from + 39_000, "stderr", LAST_WORDS);
    output(fixture, failing, from + 39_001, "stderr", "  with aws_instance.web, on main.tf line 12");
    for line in 0..30 {
        output(fixture, failing, from + 39_100 + line, "stdout", &format!("Releasing state lock {line}"));
    }
}

fn smoke(fixture: &mut Fixture) {
    let at = 2 * HOUR;
    let job = fixture.add(0, at, at, job("smoke", 8).live());
    for number in 0..4 {
        let get = op("http", "get")
            .in_trace(8)
            .of_kind(SpanKind::Client)
            .with("url.path", &format!("/health/{number}"));
        fixture.add(job, at + 100 + number * 500, at + 500 + number * 500, get);
    }
    let probe = fixture.add(job, at + 3_000, at + 3_000, op("kubectl", "wait").in_trace(8).live());
    fixture.log(probe, at + 5_000, RecordLevel::Info, "waiting for 3 pods");
}

fn clean_up(fixture: &mut Fixture) {
    let at = 2 * HOUR + 600_000;
    // The job that it cleans up after.
    let job = fixture.add(
        0,
        at,
        at + 12_000,
        job("clean-up", 9).link(7, 6, &[("link.reason", "cleans up after it")]),
    );
    let wait = op("kubectl", "delete").in_trace(9).failed("no such namespace");
    let wait = fixture.add(job, at + 100, at + 2_000, wait);
    fixture.log(wait, at + 1_900, RecordLevel::Warn, "namespace was gone");
}

fn output(fixture: &mut Fixture, span: u64, at: u64, stream: &str, line: &str) {
    let record = fixture.log(span, at, RecordLevel::Info, line);
    record.target = "spanlog::op::command".to_owned();
    record.attributes = vec![("log.iostream".to_owned(), stream.to_owned())];
}
