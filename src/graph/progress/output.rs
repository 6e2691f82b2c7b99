//! Where a view is drawn, and what it leaves there.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::frame::Area;
use super::github;
use super::summary::{summary, Form};
use crate::graph::text::terminal::Stream;
use crate::graph::tool_call_graph::ToolCallGraph;

pub(super) struct Output {
    pub(super) stream: Stream,
    /// The maximum width that was asked for.
    pub(super) width: Option<usize>,
    pub(super) color: bool,
    /// Where the report is to be written.
    pub(super) report: Option<PathBuf>,
}

impl Output {
    /// What a live view may take.
    pub(super) fn area(&self) -> Area {
        let (columns, rows) = self.stream.size().unwrap_or((80, 24));
        let columns = self.width.unwrap_or(usize::MAX).min(columns);
        Area::of_terminal(columns, rows, self.color)
    }

    /// Writes the report, and prints the summary.
    pub(super) fn conclude(&self, graph: &ToolCallGraph, out: &mut dyn Write) -> io::Result<()> {
        let written = self.write_report(graph);
        let is_terminal = self.stream.is_terminal();
        let text = summary(
            graph,
            Form {
                columns: if is_terminal { Some(self.area().columns) } else { self.width },
                is_terminal,
                color: self.color,
                is_github: !is_terminal && github::is_workflow(),
                report: self.report.as_deref().filter(|_| written.is_ok()),
            },
        );
        out.write_all(text.as_bytes())?;
        out.flush()?;
        written
    }

    fn write_report(&self, graph: &ToolCallGraph) -> io::Result<()> {
        let Some(path) = &self.report else { return Ok(()) };
        let mut file = BufWriter::new(File::create(path)?);
        graph.write_html(&mut file)?;
        file.flush()
    }
}
