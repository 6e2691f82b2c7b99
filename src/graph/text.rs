//! The graph as a tree of text lines.

pub(super) mod branch;
mod folded;
pub(super) mod line;
pub(super) mod pen;
pub(super) mod terminal;

use std::fmt;

use self::branch::Branch;
use self::folded::{folded, unfold_few, Folded};
use self::line::{Columns, Line};
use self::pen::{Pen, Style};
use self::terminal::Stream;
use super::counted::counted;
use super::escape;
use super::rows::SiblingRow;
use super::tool_call_graph::ToolCallGraph;

impl ToolCallGraph {
    /// A tree with one line per span: outcome, name, duration, numbers of records by level. Plain
    /// text, for files and tests; [`text`](Self::text) has options.
    ///
    /// Names come from programs and job definitions, so control characters are escaped.
    pub fn to_text(&self) -> String {
        self.text().to_string()
    }

    /// The same tree, with options for colour and width.
    ///
    /// ```
    /// # let graph = spanlog::graph::Recorder::default().graph();
    /// println!("{}", graph.text().with_width(80).with_color(true));
    /// ```
    pub fn text(&self) -> Text<'_> {
        Text { graph: self, color: false, width: None, is_folded: false }
    }
}

/// A graph as lines of text. Returned by [`ToolCallGraph::text`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Text<'a> {
    graph: &'a ToolCallGraph,
    color: bool,
    width: Option<usize>,
    is_folded: bool,
}

impl Text<'_> {
    /// Sets whether outcomes and levels are coloured. Default: off.
    pub fn with_color(self, color: bool) -> Self {
        Self { color, ..self }
    }

    /// Sets the maximum width of the lines of spans in columns: longer ones are truncated, names
    /// first. Notes are never truncated. Default: no limit.
    pub fn with_width(self, columns: usize) -> Self {
        Self { width: Some(columns), ..self }
    }

    /// Sets whether ten or more siblings that are alike have one line, and attempts at the same work
    /// too: `terraform apply ×26  2 failed, slowest prod-eu-25 3.00 s`, `git fetch  ok at the 3rd
    /// attempt`. Those that failed or are running keep their lines. Default: off.
    pub fn with_folding(self, is_folded: bool) -> Self {
        Self { is_folded, ..self }
    }

    /// Sets width and colour for standard output: the width of the terminal, and colour unless it
    /// is disabled. A file or a pipe gets plain text of any width.
    ///
    /// Colour is disabled by [`NO_COLOR`], by `CLICOLOR=0` and for terminals without colour;
    /// `CLICOLOR_FORCE` enables it everywhere.
    ///
    /// [`NO_COLOR`]: https://no-color.org
    pub fn for_stdout(self) -> Self {
        self.for_stream(Stream::Out)
    }

    /// Sets width and colour for standard error, as [`for_stdout`](Self::for_stdout) does.
    pub fn for_stderr(self) -> Self {
        self.for_stream(Stream::Err)
    }

    fn for_stream(self, stream: Stream) -> Self {
        let text = self.with_color(stream.wants_color());
        match stream.size() {
            Some((columns, _)) => text.with_width(columns),
            None => text,
        }
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = lines(self.graph, self.is_folded);
        let columns = Columns::of(&lines, self.width.unwrap_or(usize::MAX));
        for line in &lines {
            writeln!(f, "{}", line.row(&columns, self.color).text)?;
        }
        let unplaced = counted(
            self.graph.unplaced_records().len() as u64,
            "log record belongs to no span shown here",
            "log records belong to no span shown here",
        );
        for note in self.graph.notes().iter().chain(&unplaced) {
            let pen = Pen::new(usize::MAX, self.color);
            writeln!(f, "{}", pen.write(Style::Faint, &format!("({})", escape::line(note))).finish().text)?;
        }
        Ok(())
    }
}

/// A line for each row. Not recursive, because a graph may be deep.
fn lines(graph: &ToolCallGraph, is_folded: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut open: Vec<_> =
        graph.roots().rev().map(|root| (SiblingRow::One(root), Branch::default())).collect();
    while let Some((row, branch)) = open.pop() {
        let below = match (row, is_folded) {
            (SiblingRow::One(node), false) => {
                lines.push(Line::of(node, branch.of_name()));
                node.children().map(SiblingRow::One).collect()
            }
            (row, _) => {
                let Folded { line, below } = folded(row, branch.of_name());
                lines.push(line);
                unfold_few(below)
            }
        };
        let below = below.into_iter().rev().enumerate();
        open.extend(below.map(|(position, row)| (row, branch.child(position == 0))));
    }
    lines
}
