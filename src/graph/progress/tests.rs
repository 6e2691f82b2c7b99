//! What a view looks like, as text, and that it is redrawn in place.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod end;
mod rule;

use std::sync::Arc;

use opentelemetry::{SpanId, TraceId};

use super::frame::{live, Area};
use super::region::Region;
use super::summary::{summary, Form};
use crate::graph::call::{Call, RawSpan};
use crate::graph::record::{LogRecord, RecordLevel};
use crate::graph::text::pen::{truncated, Row};
use crate::graph::tool_call_graph::ToolCallGraph;
use crate::graph::tree::Parts;
use crate::keys::Keys;

const SECOND: u64 = 1_000_000_000;

/// Spans with numbers as ids; 0 is no parent.
#[derive(Default)]
struct Stage(Parts);

impl Stage {
    fn call(mut self, number: u64, parent: u64, name: &str, from: u64, to: Option<u64>) -> Self {
        let tool = name.split_once(' ').map(|(tool, operation)| {
            [("nuon.tool".to_owned(), tool.to_owned()), ("nuon.op".to_owned(), operation.to_owned())]
        });
        let span = RawSpan {
            trace_id: TraceId::from(1),
            span_id: SpanId::from(number),
            parent_id: SpanId::from(parent),
            name: name.replace(' ', "."),
            start_unix_nano: from * SECOND,
            end_unix_nano: to.map(|to| to * SECOND),
            attributes: tool.into_iter().flatten().collect(),
            is_live: true,
            ..RawSpan::default()
        };
        self.0.calls.push(Arc::new(Call::from_raw(span, &[Keys::default()])));
        self
    }

    /// An attribute that the span has from its start.
    fn with(mut self, key: &str, value: &str) -> Self {
        if let Some(call) = self.0.calls.last_mut().map(Arc::make_mut) {
            call.attributes.push((key.to_owned(), value.to_owned()));
            match key {
                "runner_job.id" => call.job_id = Some(value.to_owned()),
                "runner_job_execution.id" => call.execution_id = Some(value.to_owned()),
                _ => {}
            }
        }
        self
    }

    fn executes(self, id: &str) -> Self {
        self.with("runner_job_execution.id", id)
    }

    /// Puts an error after `position` lines of a span.
    fn error(mut self, number: u64, position: usize, line: &str) -> Self {
        self = self.lines(number, [line]);
        if let Some(mut record) = self.0.records.pop() {
            record.level = RecordLevel::Error;
            self.0.records.insert(position, record);
        }
        for (index, record) in self.0.records.iter_mut().enumerate() {
            record.time_unix_nano = index as u64;
        }
        self
    }

    fn fails(mut self, message: &str) -> Self {
        if let Some(call) = self.0.calls.last_mut().map(Arc::make_mut) {
            call.outcome = super::super::Outcome::Failed;
            call.is_error = true;
            call.message = message.to_owned();
        }
        self
    }

    fn lines<'a>(mut self, number: u64, lines: impl IntoIterator<Item = &'a str>) -> Self {
        for line in lines {
            self.0.records.push(LogRecord {
                trace_id: Some(TraceId::from(1)),
                span_id: Some(SpanId::from(number)),
                time_unix_nano: self.0.records.len() as u64,
                level: RecordLevel::Info,
                body: line.to_owned(),
                ..LogRecord::default()
            });
        }
        self
    }

    fn graph(self) -> ToolCallGraph {
        ToolCallGraph::of_parts(self.0)
    }
}

fn space(columns: usize, rows: usize) -> Area {
    Area { columns, rows, color: false }
}

fn texts(rows: &[Row]) -> Vec<&str> {
    for row in rows {
        assert_eq!(row.columns, unicode_width::UnicodeWidthStr::width(row.text.as_str()), "{row:?}");
    }
    rows.iter().map(|row| row.text.as_str()).collect()
}

fn deploy() -> ToolCallGraph {
    Stage::default()
        .call(1, 0, "job.deploy", 100, None)
        .call(2, 1, "step.fetch", 100, Some(102))
        .call(3, 2, "git clone", 100, Some(101))
        .call(4, 1, "step.plan", 102, None)
        .call(5, 4, "terraform plan", 102, None)
        .lines(5, ["first", "refreshing state…", "aws_instance.web: Refreshing [id=i-0a1b2c3d4e5f67890]", "tab\there"])
        .call(6, 4, "helm template", 103, Some(104))
        .fails("chart not found:\n\u{1b}[31m/charts/web\u{1b}[0m, and a longer explanation of what could have been done about it")
        .lines(6, ["Error: \u{1b}[31mfailed\u{1b}[0m to download \"web\""])
        .graph()
}

/// Fifty ops in one step, started a second apart; every tenth has ended, and one of these has
/// failed.
fn fifty() -> ToolCallGraph {
    let mut stage =
        Stage::default().call(100, 0, "job.deploy", 100, None).call(101, 100, "step.all", 100, None);
    for number in 1..=50 {
        let end = (number % 10 == 5).then_some(160);
        stage = stage.call(number, 101, &format!("terraform apply-{number}"), 100 + number, end);
        if number == 25 {
            stage = stage.fails("exit code 1");
        }
        stage = stage.lines(number, [format!("{number}: creating").as_str()]);
    }
    stage.graph()
}

fn show(graph: &ToolCallGraph, seconds: u64, space: Area) -> String {
    format!("\n{}\n", texts(&live(graph, seconds * SECOND + 250_000_000, space)).join("\n"))
}

#[test]
fn a_deploy_that_runs_at_80_columns_and_at_200() {
    let at_80 = r#"
⠹ job.deploy             4.2 s
✓ ├─ step.fetch         2.00 s
⠹ └─ step.plan           2.2 s
⠹    ├─ terraform plan   2.2 s
     │  ┆ refreshing state…
     │  ┆ aws_instance.web: Refreshing [id=i-0a1b2c3d4e5f67890]
     │  ┆ tab    here
✗    └─ helm template   1.00 s  failed: chart not found: ⏎ \u{1b}[31m/charts/w…
        ┆ Error: \u{1b}[31mfailed\u{1b}[0m to download "web"
  1 running, 1 failed, 1 done  4.2 s
"#;
    assert_eq!(show(&deploy(), 104, space(79, 19)), at_80);
    let at_200 = r#"
⠹ job.deploy             4.2 s
✓ ├─ step.fetch         2.00 s
⠹ └─ step.plan           2.2 s
⠹    ├─ terraform plan   2.2 s
     │  ┆ refreshing state…
     │  ┆ aws_instance.web: Refreshing [id=i-0a1b2c3d4e5f67890]
     │  ┆ tab    here
✗    └─ helm template   1.00 s  failed: chart not found: ⏎ \u{1b}[31m/charts/web\u{1b}[0m, and a longer explanation of what could have been done about it
        ┆ Error: \u{1b}[31mfailed\u{1b}[0m to download "web"
  1 running, 1 failed, 1 done  4.2 s
"#;
    assert_eq!(show(&deploy(), 104, space(199, 39)), at_200);
}

#[test]
fn a_terminal_that_is_small() {
    let small = r#"
⠹ job.deploy      4.2 s
✓ ├─ step.fetch  2.00 s
⠹ └─ step.plan    2.2 s
⠹    ├─ terraform plan  2.2 s
     │  ┆ tab    here
✗    └─ helm t…  1.00 s  failed: chart…
        ┆ Error: \u{1b}[31mfailed\u{1b…
  1 running, 1 failed, 1 done  4.2 s
"#;
    assert_eq!(show(&deploy(), 104, space(39, 8)), small);
    for columns in 0..40 {
        for rows in 0..12 {
            for graph in [deploy(), fifty()] {
                let drawn = live(&graph, 104 * SECOND, space(columns, rows));
                assert!(drawn.len() <= rows, "{columns} {rows}");
                assert!(drawn.iter().all(|row| row.columns <= columns), "{columns} {rows}");
            }
        }
    }
}

/// Guarantees: what failed is shown, then those that run longest; the others are counted, and no log
/// line takes a row from them.
#[test]
fn fifty_ops_at_80_columns_and_at_200() {
    let at_80 = r#"
⠹ job.deploy                  1m 1s
⠹ └─ step.all                 1m 1s
⠹    ├─ terraform apply-1     1m 0s
⠹    ├─ terraform apply-2    59.2 s
⠹    ├─ terraform apply-3    58.2 s
⠹    ├─ terraform apply-4    57.2 s
⠹    ├─ terraform apply-6    55.2 s
⠹    ├─ terraform apply-7    54.2 s
⠹    ├─ terraform apply-8    53.2 s
⠹    ├─ terraform apply-9    52.2 s
⠹    ├─ terraform apply-10   51.2 s
⠹    ├─ terraform apply-11   50.2 s
⠹    ├─ terraform apply-12   49.2 s
⠹    ├─ terraform apply-13   48.2 s
⠹    ├─ terraform apply-14   47.2 s
⠹    ├─ terraform apply-16   45.2 s
✗    ├─ terraform apply-25  35.00 s  failed: exit code 1
     └─ … and 31 more running, 4 done
  45 running, 1 failed, 4 done  1m 1s
"#;
    assert_eq!(show(&fifty(), 161, space(79, 19)), at_80);
    let at_200 = show(&fifty(), 161, space(199, 39));
    assert_eq!(at_200.matches("apply-").count(), 35, "{at_200}");
    assert!(at_200.contains("✗    ├─ terraform apply-25  35.00 s  failed: exit code 1\n"), "{at_200}");
    assert!(at_200.contains("     └─ … and 11 more running, 4 done\n"), "{at_200}");
    assert!(!at_200.contains('┆'), "{at_200}");
    let all = show(&fifty(), 161, space(199, 200));
    assert!((1..=50).all(|number| all.contains(&format!("─ terraform apply-{number} "))), "{all}");
    assert!(!all.contains(" more "), "{all}");
}

#[test]
fn what_stays_is_the_whole_tree_and_the_failures_again() {
    let stays = r#"
… job.deploy                 —  running
✓ ├─ step.fetch         2.00 s
✓ │  └─ git clone       1.00 s
… └─ step.plan               —  running
…    ├─ terraform plan       —  4 info  running
✗    └─ helm template   1.00 s  1 info  failed: chart not found: ⏎ \u{1b}[31m/…

✗ job.deploy › step.plan › helm template  1.00 s
  failed: chart not found: ⏎ \u{1b}[31m/charts/web\u{1b}[0m, and a longer explanation of what could have been done about it
  ┆ Error: \u{1b}[31mfailed\u{1b}[0m to download "web"

… job.deploy (00000000000000000000000000000001) running
"#;
    assert_eq!(format!("\n{}", summary(&deploy(), Form { columns: Some(79), ..Form::default() })), stays);
    let colored = summary(&deploy(), Form { color: true, ..Form::default() });
    assert!(colored.contains("\u{1b}[31m✗\u{1b}[0m job.deploy › step.plan"), "{colored:?}");
    // The tree is in colour too.
    assert!(colored.contains("\u{1b}[32m✓\u{1b}[0m \u{1b}[2m├─ \u{1b}[0mstep.fetch"), "{colored:?}");
}

/// Scenario: everything is a level deeper than what is above it, more levels than there are rows.
#[test]
fn what_is_too_deep_for_its_place_is_shown_without_it() {
    let mut stage = Stage::default();
    for number in 1..=5000 {
        stage = stage.call(number, number - 1, "call", 100, None);
    }
    let shown = show(&stage.graph(), 100, space(79, 5));
    assert_eq!(
        shown,
        "\n⠹ call                       0.2 s\n⠹ └─ … › call › call › call  0.2 s\n  1 running  0.2 s\n"
    );
}

#[test]
fn colours_and_wide_characters_take_no_columns_that_are_not_there() {
    let graph = Stage::default().call(1, 0, "构建 镜像", 100, Some(102)).graph();
    let row = |columns, color| live(&graph, 0, Area { columns, rows: 5, color }).remove(0);
    assert_eq!(row(40, false), Row { text: "✓ 构建 镜像  2.00 s".into(), columns: 19 });
    assert_eq!(row(40, true).text, "\u{1b}[32m✓\u{1b}[0m 构建 镜像  \u{1b}[2m2.00 s\u{1b}[0m");
    assert_eq!(truncated("构建镜像", 5), "构建…");
    assert_eq!(truncated("构建镜像", 4), "构…");
    assert_eq!(
        (truncated("ab", 2), truncated("ab", 1), truncated("ab", 0)),
        ("ab".into(), "…".into(), String::new())
    );
}

/// Guarantees: one write a drawing; the cursor goes up over what was drawn, however it was broken
/// since.
#[test]
fn a_region_is_drawn_over_itself() {
    let row = |text: &str| Row { text: text.into(), columns: text.len() };
    let mut region = Region::new(Vec::new());
    region.draw(b"", &[row("one"), row("two, which is longer")], 80).unwrap();
    let first = String::from_utf8(std::mem::take(region.out())).unwrap();
    assert_eq!(
        first,
        "\u{1b}[?2026h\u{1b}[1Gone\u{1b}[K\r\ntwo, which is longer\u{1b}[K\r\n\u{1b}7\u{1b}[K\u{1b}[1B\u{1b}[J\u{1b}8\u{1b}[?2026l"
    );
    region.draw(b"above\n", &[row("three")], 80).unwrap();
    let second = String::from_utf8(std::mem::take(region.out())).unwrap();
    assert!(
        second.contains("\u{1b}[2A\u{1b}7\u{1b}[K\u{1b}[1B\u{1b}[J\u{1b}8above\nthree\u{1b}[K\r\n"),
        "{second:?}"
    );
    region.draw(b"", &[row("two, which is longer")], 80).unwrap();
    region.out().clear();
    region.draw(b"", &[], 7).unwrap();
    let narrow = String::from_utf8(std::mem::take(region.out())).unwrap();
    assert!(narrow.contains("\u{1b}[3A"), "{narrow:?}");
}
