//! The tool-call graph: what a job's run looked like, from its spans and records.
//!
//! Beside the walk: nothing here is needed to deliver logs and spans.
//!
//! 1. A [`Recorder`] listens to spans and records while jobs run, within a bound in memory;
//!    [`with_recorder`](crate::Builder::with_recorder) puts it where they come by. A [`Reader`] reads them back from
//!    OTLP files, ours and others'.
//! 2. Either gives a [`ToolCallGraph`]: the root `job.*`, its steps, the tool calls in them.
//! 3. A [`Node`] is a place in it: its [`Call`], which is the span as plain data, its parent and its children, its
//!    [`LogRecord`]s, and whether something failed there or below.
//! 4. [`Progress`] shows a recorder's graph on a terminal while it grows.
//! 5. A graph can be had as text ([`to_text`](ToolCallGraph::to_text), and [`text`](ToolCallGraph::text) for a
//!    terminal), as a flowchart ([`to_mermaid`](ToolCallGraph::to_mermaid)), and as one HTML file
//!    ([`to_html`](ToolCallGraph::to_html), [`write_html`](ToolCallGraph::write_html)).
//!
//! ```
//! use spanlog::graph::Recorder;
//! use spanlog::op;
//!
//! let recorder = Recorder::default();
//! let (dispatch, guard) = spanlog::builder()
//!     .with_recorder(recorder.clone())
//! #   .with_json_lines(std::env::temp_dir().join("spanlog-graph-doc"))
//!     .build()?;
//! tracing::dispatcher::with_default(&dispatch, || {
//!     op::run("git", "clone", [], || {
//!         tracing::warn!("a shallow clone");
//!         Ok::<_, std::io::Error>(())
//!     })
//! })?;
//!
//! let graph = recorder.graph();
//! for node in graph.nodes() {
//!     println!("{} {:?}", node.call().title(), node.call().duration());
//!     assert_eq!(node.records()[0].body, "a shallow clone");
//! }
//! assert!(graph.to_text().starts_with("✓ git clone"));
//! # drop(guard);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod live;
#[cfg(feature = "graph")]
#[cfg_attr(docsrs, doc(cfg(feature = "graph")))]
mod read;
mod call;
mod record;
mod tree;
#[cfg(feature = "terminal")]
mod progress;
mod duration;
mod escape;
mod text;
mod mermaid;
#[cfg(feature = "graph")]
#[cfg_attr(docsrs, doc(cfg(feature = "graph")))]
mod html;

use std::fmt;

use opentelemetry_sdk::trace::SpanData;

use self::tree::{Parts, Tree};
use crate::keys::Keys;

pub use self::call::{Call, Outcome};
pub use self::duration::{format_duration, format_nanoseconds};
pub use self::live::{JobId, LiveJob, Recorder, DEFAULT_JOBS, DEFAULT_JOB_BYTES};
#[cfg(feature = "terminal")]
#[cfg_attr(docsrs, doc(cfg(feature = "terminal")))]
pub use self::progress::{Progress, ProgressBuilder, ProgressWriter};
#[cfg(feature = "graph")]
#[cfg_attr(docsrs, doc(cfg(feature = "graph")))]
pub use self::read::{Reader, MEMORY_LIMIT};
pub use self::record::{Level, LogRecord, RecordCounts};
pub use self::text::Text;

/// The tree of a job's execution: its root `job.*`, steps, ops, and the spans between them.
///
/// Siblings stand in the order of their start; a span whose parent is unknown is a root. Of two spans
/// with one id the first stays, and a span that is its own ancestor becomes a root; [`notes`](Self::notes)
/// tells of both.
#[derive(Clone, Debug)]
pub struct ToolCallGraph {
    tree: Tree,
}

impl ToolCallGraph {
    /// The graph of finished spans, without records.
    pub fn of_spans<'a>(spans: impl IntoIterator<Item = &'a SpanData>, keys: &Keys) -> Self {
        let calls = spans.into_iter().map(|span| Call::of_span(span, false, keys)).collect();
        Self::of_parts(Parts { calls, ..Parts::default() })
    }

    fn of_parts(parts: Parts) -> Self {
        Self { tree: Tree::of(parts) }
    }

    /// Hides every span that `is_shown` refuses; what was hidden before is shown again if it is not
    /// refused.
    ///
    /// The children of a hidden span move up to the nearest ancestor that is shown, and so do its
    /// records. A failure in a hidden span still makes its ancestors red.
    #[must_use]
    pub fn showing(mut self, is_shown: impl Fn(&Call) -> bool) -> Self {
        self.tree.show(is_shown);
        self
    }

    /// Hides the spans that the runner made for itself: those of the tool `runner`, without the job
    /// and its steps.
    #[must_use]
    pub fn without_runner_spans(self) -> Self {
        self.showing(|call| !call.is_runner_internal())
    }

    /// The spans without a parent in the graph, by their start.
    pub fn roots(&self) -> impl DoubleEndedIterator<Item = Node<'_>> + ExactSizeIterator {
        self.tree.roots.iter().map(|index| self.node(*index))
    }

    /// Every shown span, each before its children: the order in which a tree is printed.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        // Not recursive: a hostile graph may be deep.
        let mut open: Vec<_> = self.roots().rev().collect();
        std::iter::from_fn(move || {
            let node = open.pop()?;
            open.extend(node.children().rev());
            Some(node)
        })
    }

    /// The records that belong to no shown span, by their time.
    pub fn unplaced_records(&self) -> impl ExactSizeIterator<Item = &LogRecord> {
        self.tree.unplaced.iter().map(|index| &self.tree.records[*index])
    }

    /// What a reader of the graph must know of it: what was let go, left out or could not be read.
    pub fn notes(&self) -> &[String] {
        &self.tree.notes
    }

    /// Whether anything in the graph failed, timed out or panicked, hidden spans included.
    pub fn is_red(&self) -> bool {
        self.tree.calls.iter().any(Call::is_red)
    }

    /// Whether nothing is in the graph.
    pub fn is_empty(&self) -> bool {
        self.tree.calls.is_empty()
    }

    fn node(&self, index: usize) -> Node<'_> {
        Node { graph: self, index }
    }
}

/// A span at its place in the graph.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    graph: &'a ToolCallGraph,
    index: usize,
}

impl<'a> Node<'a> {
    /// The span itself.
    pub fn call(&self) -> &'a Call {
        &self.graph.tree.calls[self.index]
    }

    /// The nearest ancestor that is shown.
    pub fn parent(&self) -> Option<Node<'a>> {
        self.place().shown_parent.map(|parent| self.graph.node(parent))
    }

    /// The shown spans below it, by their start.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = Node<'a>> + ExactSizeIterator + 'a {
        let graph = self.graph;
        self.place().children.iter().map(move |child| graph.node(*child))
    }

    /// The node and everything shown below it, each before its children.
    pub fn subtree(&self) -> impl Iterator<Item = Node<'a>> + 'a {
        let mut open = vec![*self];
        std::iter::from_fn(move || {
            let node = open.pop()?;
            open.extend(node.children().rev());
            Some(node)
        })
    }

    /// Whether the span or anything below it failed.
    pub fn is_red(&self) -> bool {
        self.fails() || self.contains_failure()
    }

    /// Whether the span itself failed.
    pub fn fails(&self) -> bool {
        self.call().is_red()
    }

    /// Whether anything below the span failed. A span that fails and contains no failure is where
    /// the trouble began.
    pub fn contains_failure(&self) -> bool {
        self.place().contains_red
    }

    /// The records emitted in this span itself, by their time.
    pub fn own_records(&self) -> impl ExactSizeIterator<Item = &'a LogRecord> + 'a {
        let records = &self.graph.tree.records;
        self.place().records.iter().map(move |index| &records[*index])
    }

    /// The records of the span and of everything below it, by their time.
    pub fn records(&self) -> Vec<&'a LogRecord> {
        let subtree = self.subtree();
        let mut indexes: Vec<_> = subtree.flat_map(|node| node.place().records.iter().copied()).collect();
        indexes.sort_unstable();
        indexes.into_iter().map(|index| &self.graph.tree.records[index]).collect()
    }

    /// How many records were emitted in this span itself, of each level; those are counted too of
    /// which only the number was kept.
    pub fn own_counts(&self) -> RecordCounts {
        self.place().counts
    }

    fn place(&self) -> &'a tree::Place {
        &self.graph.tree.places[self.index]
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("call", self.call()).finish_non_exhaustive()
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.graph, other.graph) && self.index == other.index
    }
}

impl Eq for Node<'_> {}
