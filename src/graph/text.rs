//! The graph as a tree of text lines.

pub(super) mod branch;
pub(super) mod line;
pub(super) mod pen;
pub(super) mod terminal;

use std::fmt;

use self::branch::{branch, DRAWN_LEVELS};
use self::line::{Columns, Line};
use self::pen::{Pen, Style};
use self::terminal::Stream;
use super::escape;
use super::tool_call_graph::{Node, ToolCallGraph};

impl ToolCallGraph {
    /// A tree with one line a span: how it ended, its name, how long it took, how many records of
    /// each level were made in it. In plain text, for files and tests; [`text`](Self::text) has more.
    ///
    /// Names come from programs and job definitions, so what a terminal would obey is escaped.
    pub fn to_text(&self) -> String {
        self.text().to_string()
    }

    /// The same tree, in colour or cut to a width if asked for.
    ///
    /// ```
    /// # let graph = spanlog::graph::Recorder::default().graph();
    /// println!("{}", graph.text().with_width(80).with_color(true));
    /// ```
    pub fn text(&self) -> Text<'_> {
        Text { graph: self, color: false, width: None }
    }
}

/// A graph that is shown as lines of text. Made by [`ToolCallGraph::text`].
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Text<'a> {
    graph: &'a ToolCallGraph,
    color: bool,
    width: Option<usize>,
}

impl Text<'_> {
    /// Sets whether outcomes and levels are coloured. Default: no.
    pub fn with_color(self, color: bool) -> Self {
        Self { color, ..self }
    }

    /// Sets how many columns the lines of spans have at most: what is longer is cut, names first.
    /// Default: as many as they need. Notes are never cut.
    pub fn with_width(self, columns: usize) -> Self {
        Self { width: Some(columns), ..self }
    }

    /// Fits the text to where standard output goes: a terminal gets its width, and colour unless that
    /// is refused; a file or a pipe gets plain text.
    ///
    /// Colour is refused by [`NO_COLOR`], by `CLICOLOR=0` and by a terminal that says it has none, and
    /// is written anywhere with `CLICOLOR_FORCE`.
    ///
    /// [`NO_COLOR`]: https://no-color.org
    pub fn for_stdout(self) -> Self {
        self.for_stream(Stream::Out)
    }

    /// Fits the text to where standard error goes, as [`for_stdout`](Self::for_stdout) does.
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
        let lines = lines(self.graph);
        let columns = Columns::of(&lines, self.width.unwrap_or(usize::MAX));
        for line in &lines {
            writeln!(f, "{}", line.row(&columns, self.color).text)?;
        }
        let unplaced = self.graph.unplaced_records().len();
        let unplaced = match unplaced {
            0 => None,
            1 => Some("1 log record belongs to no span shown here".to_owned()),
            many => Some(format!("{many} log records belong to no span shown here")),
        };
        for note in self.graph.notes().iter().chain(&unplaced) {
            let pen = Pen::new(usize::MAX, self.color);
            writeln!(f, "{}", pen.write(Style::Faint, &format!("({})", escape::line(note))).finish().text)?;
        }
        Ok(())
    }
}

/// A line for each span. Not recursive: a hostile graph may be deep.
fn lines(graph: &ToolCallGraph) -> Vec<Line> {
    let mut lines = Vec::new();
    // With the level of each, and which of the ancestors that are drawn are the last of their siblings: bit 0 is about
    // level 1.
    let mut open: Vec<(Node<'_>, usize, u64)> = graph.roots().rev().map(|root| (root, 0, 0)).collect();
    while let Some((node, level, lasts)) = open.pop() {
        lines.push(Line::of(node, branch(level, |level| lasts >> (level - 1) & 1 == 0)));
        for (position, child) in node.children().rev().enumerate() {
            let is_last = position == 0 && level < DRAWN_LEVELS;
            open.push((child, level + 1, lasts | u64::from(is_last) << (level % 64)));
        }
    }
    lines
}
