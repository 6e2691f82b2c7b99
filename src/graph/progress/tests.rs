//! What a view looks like, as text, and that it is drawn in its place.

use opentelemetry::{SpanId, TraceId};

use super::super::call::{Call, Source};
use super::super::record::{Level, LogRecord};
use super::super::tree::Parts;
use super::super::ToolCallGraph;
use super::picture::{last, live, Space};
use super::region::Region;
use super::row::{fitted, Row};
use crate::keys::Keys;

const SECOND: u64 = 1_000_000_000;

/// Spans by number; number 0 is no parent.
#[derive(Default)]
struct Stage(Parts);

impl Stage {
    fn call(mut self, number: u64, parent: u64, name: &str, from: u64, to: Option<u64>) -> Self {
        let tool = name.split_once(' ').map(|(tool, operation)| {
            [("nuon.tool".to_owned(), tool.to_owned()), ("nuon.op".to_owned(), operation.to_owned())]
        });
        let source = Source {
            trace_id: TraceId::from(1),
            span_id: SpanId::from(number),
            parent_id: SpanId::from(parent),
            name: name.replace(' ', "."),
            service: None,
            start_unix_nano: from * SECOND,
            end_unix_nano: to.map(|to| to * SECOND),
            is_error: false,
            message: String::new(),
            attributes: tool.into_iter().flatten().collect(),
            is_live: true,
        };
        self.0.calls.push(Call::of_source(source, &Keys::default()));
        self
    }

    fn fails(mut self, message: &str) -> Self {
        if let Some(call) = self.0.calls.last_mut() {
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
                level: Level::Info,
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

fn space(columns: usize, rows: usize) -> Space {
    Space { columns, rows, color: false }
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

#[test]
fn a_deploy() {
    for (columns, rows) in [(79, 20), (199, 20), (79, 6)] {
        println!("{}", texts(&live(&deploy(), 104 * SECOND + 250_000_000, space(columns, rows))).join("\n"));
        println!("-----");
    }
    println!("{}", last(&deploy(), Some(79), false));
    println!("-----");
    let mut stage = Stage::default().call(1, 0, "job.deploy", 100, None).call(100, 1, "step.all", 100, None);
    for n in 2..52 {
        stage = stage.call(
            n,
            100,
            &format!("terraform apply-{n}"),
            100 + n,
            if n % 10 == 5 { Some(160) } else { None },
        );
        if n == 25 {
            stage = stage.fails("exit 1");
        }
        let line = format!("{n}: creating");
        stage = stage.lines(n, [line.as_str()]);
    }
    let graph = stage.graph();
    for (columns, rows) in [(79, 21), (199, 60), (199, 100), (79, 3)] {
        println!("{}", texts(&live(&graph, 161 * SECOND + 250_000_000, space(columns, rows))).join("\n"));
        println!("-----");
    }
    let _ = (fitted("", 0), Region::new(Vec::new()));
}
