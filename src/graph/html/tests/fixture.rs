//! Graphs for reports: one with a case of everything, a large one, a deep one.

use std::sync::Arc;

use opentelemetry::trace::SpanKind;
use opentelemetry::{SpanId, TraceId};

use crate::graph::call::RawSpan;
use crate::graph::tree::Parts;
use crate::graph::{Call, LogRecord, RecordLevel, SpanEvent, SpanLink, ToolCallGraph};
use crate::keys::Keys;

pub(super) const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

/// 2026-01-02 03:04:05 UTC.
pub(super) const BEGIN: u64 = 1_767_323_045_000_000_000;
pub(super) const MILLISECOND: u64 = 1_000_000;

/// A graph being built. The ids of spans are numbers, from 1 on.
#[derive(Default)]
pub(super) struct Fixture {
    parts: Parts,
}

/// A span being built.
pub(super) struct FixtureSpan {
    raw: RawSpan,
}

/// A span that is an op: `tool.operation`.
pub(super) fn op(tool: &str, operation: &str) -> FixtureSpan {
    span(&format!("{tool}.{operation}")).with("nuon.tool", tool).with("nuon.op", operation)
}

pub(super) fn span(name: &str) -> FixtureSpan {
    FixtureSpan {
        raw: RawSpan {
            trace_id: TraceId::from(TRACE),
            name: name.to_owned(),
            service: Some("runner".to_owned()),
            ..RawSpan::default()
        },
    }
}

impl FixtureSpan {
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.raw.attributes.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn failed(mut self, message: &str) -> Self {
        self.raw.is_error = true;
        message.clone_into(&mut self.raw.message);
        self
    }

    pub(super) fn ended(self, outcome: &str) -> Self {
        self.with("op.outcome", outcome)
    }

    pub(super) fn in_trace(mut self, trace: u128) -> Self {
        self.raw.trace_id = TraceId::from(trace);
        self
    }

    pub(super) fn of_kind(mut self, kind: SpanKind) -> Self {
        self.raw.kind = kind;
        self
    }

    /// With an event, so many milliseconds after the beginning.
    pub(super) fn event(mut self, name: &str, at: u64, attributes: &[(&str, &str)]) -> Self {
        let (name, time_unix_nano) = (name.to_owned(), BEGIN + at * MILLISECOND);
        self.raw.events.push(SpanEvent { name, time_unix_nano, attributes: owned(attributes) });
        self
    }

    /// With a link to a span of the fixture, or to an unknown one.
    pub(super) fn link(mut self, trace: u128, span: u64, attributes: &[(&str, &str)]) -> Self {
        let (trace_id, span_id) = (TraceId::from(trace), SpanId::from(span));
        self.raw.links.push(SpanLink { trace_id, span_id, attributes: owned(attributes) });
        self
    }

    pub(super) fn live(mut self) -> Self {
        self.raw.is_live = true;
        self
    }
}

fn owned(attributes: &[(&str, &str)]) -> Vec<(String, String)> {
    attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Fixture {
    /// Adds a span from one millisecond after the beginning to another; both the same: it has no
    /// end.
    pub(super) fn add(&mut self, parent: u64, from: u64, to: u64, mut span: FixtureSpan) -> u64 {
        let number = self.parts.calls.len() as u64 + 1;
        span.raw.span_id = SpanId::from(number);
        span.raw.parent_id = SpanId::from(parent);
        span.raw.start_unix_nano = BEGIN + from * MILLISECOND;
        span.raw.end_unix_nano = (to > from).then_some(BEGIN + to * MILLISECOND);
        self.parts.calls.push(Arc::new(Call::from_raw(span.raw, &[Keys::nuon()])));
        number
    }

    pub(super) fn log(&mut self, span: u64, at: u64, level: RecordLevel, body: &str) -> &mut LogRecord {
        let call = usize::try_from(span).ok().and_then(|span| self.parts.calls.get(span.checked_sub(1)?));
        let ids = call.map(|call| call.ids()).unzip();
        self.parts.records.push(LogRecord {
            trace_id: ids.0,
            span_id: ids.1,
            time_unix_nano: BEGIN + at * MILLISECOND + 250_000,
            level,
            target: "runner::steps".to_owned(),
            body: body.to_owned(),
            attributes: vec![("runner_job.id".to_owned(), "job-1".to_owned())],
            ..LogRecord::default()
        });
        let last = self.parts.records.len() - 1;
        &mut self.parts.records[last]
    }

    /// Adds records that are counted but not kept.
    pub(super) fn count(&mut self, span: u64, level: RecordLevel, records: u64) {
        let counts = self.parts.counted.entry((TraceId::from(TRACE), SpanId::from(span))).or_default();
        for _ in 0..records {
            counts.add(level);
        }
    }

    pub(super) fn note(&mut self, note: &str) {
        self.parts.notes.push(note.to_owned());
    }

    pub(super) fn graph(self) -> ToolCallGraph {
        ToolCallGraph::of_parts(self.parts)
    }
}

/// A deployment with one of everything: every outcome, runner-internal spans, records of all levels
/// and of no span, counts without records, notes. Ids are given where tests refer to them.
pub(super) fn everything() -> Fixture {
    let mut fixture = Fixture::default();
    let execution = "runner_job_execution.id";
    let root = span("job.deploy").with(execution, "exec-7f3a").with("nuon.tool", "runner");
    let job = fixture.add(0, 0, 92_400, root.failed("step plan: terraform plan: exit status 1"));
    assert_eq!(job, 1);
    let step = |name: &str| span(&format!("step.{name}")).with(execution, "exec-7f3a");

    let fetch = fixture.add(job, 20, 9_300, step("fetch"));
    let workspace = fixture.add(fetch, 30, 9_200, op("runner", "workspace"));
    assert_eq!(workspace, 3);
    let clone = fixture.add(workspace, 60, 6_100, op("git", "clone").with("process.exit.code", "0"));
    fixture.add(workspace, 6_150, 9_000, op("oci", "pull").with("oci.image", "registry/modules:1.4.2"));
    fixture.add(fetch, 9_210, 9_210, op("cache", "restore"));

    let plan = fixture.add(job, 9_400, 61_000, step("plan").failed("terraform plan: exit status 1"));
    let init = fixture.add(plan, 9_450, 21_700, op("terraform", "init"));
    fixture.add(init, 9_500, 14_000, op("http", "get").with("url.path", "/v1/providers"));
    let failing = op("terraform", "plan").with("process.exit.code", "1").with("runner_job.id", "job-1");
    let failing = fixture.add(plan, 21_800, 60_900, failing.failed("exit status 1\nError: no such subnet"));
    assert_eq!(failing, 10);
    fixture.add(failing, 22_000, 52_000, op("aws", "describe-subnets").failed("").ended("timed_out"));
    fixture.add(failing, 52_100, 55_000, op("http", "get"));

    let probes = fixture.add(job, 61_100, 92_000, step("probes"));
    fixture.add(probes, 61_200, 70_000, op("kubectl", "wait").ended("cancelled"));
    fixture.add(probes, 61_200, 66_000, op("helm", "test").failed("index out of bounds").ended("panicked"));
    fixture.add(probes, 62_000, 62_500, op("docker", "inspect").ended("dropped"));
    fixture.add(probes, 70_100, 70_100, op("helm", "upgrade").live());

    fixture.log(job, 1, RecordLevel::Info, "job deploy begins");
    fixture.log(fetch, 25, RecordLevel::Debug, "workspace is empty");
    fixture.log(workspace, 40, RecordLevel::Trace, "made the workspace");
    for (at, line) in
        [(400, "Cloning into 'modules'..."), (2_000, "remote: Counting objects: 100% (1284/1284)")]
    {
        fixture
            .log(clone, at, RecordLevel::Info, line)
            .attributes
            .push(("process.pid".to_owned(), "4711".to_owned()));
    }
    fixture.log(clone, 5_900, RecordLevel::Warn, "warning: redirecting to another host");
    fixture.log(
        init,
        20_000,
        RecordLevel::Info,
        "\u{1b}[32mTerraform has been successfully initialized!\u{1b}[0m",
    );
    let body = "Error: no such subnet\n\n  on main.tf line 12, in resource \"aws_instance\" \"web\":\n  12:   subnet_id = var.subnet";
    fixture.log(failing, 60_800, RecordLevel::Error, body).event_name = "terraform.diagnostic".to_owned();
    fixture.log(failing, 60_850, RecordLevel::Fatal, "terraform exited with 1");
    fixture.log(probes, 80_000, RecordLevel::Unspecified, "a line without a level");
    fixture.log(0, 92_399, RecordLevel::Info, "a line outside any span");
    fixture.count(probes, RecordLevel::Info, 41);
    fixture.note("3 older spans were dropped");
    fixture
}

/// `spans` ops in steps of 100, with `records` records.
pub(super) fn large(spans: u64, records: u64) -> Fixture {
    let mut fixture = Fixture::default();
    let job = fixture.add(0, 0, spans * 12, span("job.build").with("nuon.tool", "runner"));
    let mut step = job;
    let mut ops = Vec::new();
    for number in 1..spans {
        let at = number * 10;
        if number % 100 == 1 {
            step = fixture.add(job, at, at + 1_000, span(&format!("step.part-{}", number / 100)));
        } else {
            let span = op("cargo", &format!("build-{number}")).with("crate.name", &format!("crate-{number}"));
            let span = if number % 997 == 0 { span.failed("exit status 101") } else { span };
            ops.push((fixture.add(step, at, at + 5 + number * 7919 % 600, span), at));
        }
    }
    let levels = [
        RecordLevel::Info,
        RecordLevel::Debug,
        RecordLevel::Info,
        RecordLevel::Info,
        RecordLevel::Warn,
        RecordLevel::Trace,
        RecordLevel::Info,
        RecordLevel::Error,
    ];
    for number in 0..records {
        let (span, at) = ops[(number * ops.len() as u64 / records) as usize];
        let level = levels[(number * 31 % 1009 % 8) as usize];
        let body = format!("   Compiling crate-{number} v1.{}.0 (registry)", number % 40);
        let record = fixture.log(span, at + number % 5, level, &body);
        record.attributes.push(("code.line.number".to_owned(), (number % 700).to_string()));
    }
    fixture
}

/// Each span is the parent of the next.
pub(super) fn deep(levels: u64) -> Fixture {
    let mut fixture = Fixture::default();
    let mut parent = 0;
    for level in 0..levels {
        parent = fixture.add(parent, level, 2 * levels - level + 1, span(&format!("level-{level}")));
    }
    fixture.log(parent, levels, RecordLevel::Info, "at the bottom");
    fixture
}
