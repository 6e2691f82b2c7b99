//! The graph as a tree of text lines.

mod line;
#[cfg(feature = "graph")]
#[cfg_attr(docsrs, doc(cfg(feature = "graph")))]
mod terminal;

use std::fmt;

use unicode_width::UnicodeWidthStr;

pub(super) use self::line::escaped;
use self::line::{Line, Pen, Style};
use super::{Node, ToolCallGraph};

/// How many levels are drawn as branches. What is deeper says how deep it stands instead: a tree of
/// ten thousand levels would otherwise be a triangle of branches.
const DRAWN_LEVELS: usize = 32;

/// The most columns that a name makes every other line leave free for it.
const MOST_NAME_COLUMNS: usize = 100;

/// The columns that names leave to how a span ended, where there are few.
const KEPT_FOR_ENDS: usize = 24;

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
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = lines(self.graph);
        let columns = Columns::of(&lines, self.width);
        for line in &lines {
            let mut pen = Pen::new(f, self.color, self.width);
            line.write(&mut pen, columns.names, columns.durations)?;
            f.write_str("\n")?;
        }
        let unplaced = self.graph.unplaced_records().len();
        let unplaced = match unplaced {
            0 => None,
            1 => Some("1 log record belongs to none of these spans".to_owned()),
            many => Some(format!("{many} log records belong to none of these spans")),
        };
        for note in self.graph.notes().iter().chain(&unplaced) {
            let mut pen = Pen::new(f, self.color, None);
            pen.write(Style::Faint, &format!("({})", line::escaped(note)))?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

/// A line for each span. Not recursive: a hostile graph may be deep.
fn lines(graph: &ToolCallGraph) -> Vec<Line> {
    let mut lines = Vec::new();
    // With the level of each, and which of the ancestors that are drawn are the last of their siblings.
    let mut open: Vec<(Node<'_>, usize, u64)> = graph.roots().rev().map(|root| (root, 0, 0)).collect();
    while let Some((node, level, lasts)) = open.pop() {
        lines.push(Line::of(node, branch(level, lasts)));
        for (position, child) in node.children().rev().enumerate() {
            let is_last = position == 0 && level < DRAWN_LEVELS;
            open.push((child, level + 1, lasts | u64::from(is_last) << (level % 64)));
        }
    }
    lines
}

/// What is drawn before a name. Bit 0 of `lasts` is about level 1.
fn branch(level: usize, lasts: u64) -> String {
    let mut drawn = String::new();
    for above in 1..level.min(DRAWN_LEVELS) {
        drawn.push_str(if lasts >> (above - 1) & 1 == 1 { "   " } else { "│  " });
    }
    match level {
        0 => {}
        _ if level > DRAWN_LEVELS => drawn.push_str(&format!("⋯ level {level}: ")),
        _ if lasts >> (level - 1) & 1 == 1 => drawn.push_str("└─ "),
        _ => drawn.push_str("├─ "),
    }
    drawn
}

/// How wide the columns are.
struct Columns {
    names: usize,
    durations: usize,
}

impl Columns {
    fn of(lines: &[Line], width: Option<usize>) -> Self {
        let widest = |column: &dyn Fn(&Line) -> usize| lines.iter().map(column).max().unwrap_or(0);
        let durations = widest(&|line| line.took.width());
        let mut names = widest(&|line| line.name.width()).min(MOST_NAME_COLUMNS);
        if let Some(width) = width {
            let ends = widest(&|line| match line.records_width() + line.end.width().min(KEPT_FOR_ENDS) {
                0 => 0,
                columns => columns + 2,
            });
            let rest = width.saturating_sub("✓ ".width() + "  ".width() + durations + ends);
            names = names.min(rest.max(width / 3));
        }
        Self { names, durations }
    }
}
