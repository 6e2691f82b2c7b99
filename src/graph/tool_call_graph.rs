//! [`ToolCallGraph`], and [`Node`], a place in it.

use std::fmt;

use opentelemetry_sdk::trace::SpanData;

use super::call::Call;
use super::record::{LogRecord, RecordCounts};
use super::tree::{Parts, Place, Tree};
use crate::keys::Keys;

/// The tree of a job's execution: its root `job.*`, steps, ops, and the spans between them.
///
/// Siblings stand in the order of their start; a span whose parent is unknown is a root. Of two spans
/// with one id the first stays, and a span that is its own ancestor becomes a root; [`notes`](Self::notes)
/// tells of both.
#[derive(Clone, Debug)]
pub struct ToolCallGraph {
    pub(super) tree: Tree,
}

impl ToolCallGraph {
    /// The graph of finished spans, without records.
    pub fn of_spans<'a>(spans: impl IntoIterator<Item = &'a SpanData>, keys: &Keys) -> Self {
        let calls = spans.into_iter().map(|span| Call::of_span(span, false, keys)).collect();
        Self::of_parts(Parts { calls, ..Parts::default() })
    }

    pub(super) fn of_parts(parts: Parts) -> Self {
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
    pub(super) index: usize,
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

    fn place(&self) -> &'a Place {
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
