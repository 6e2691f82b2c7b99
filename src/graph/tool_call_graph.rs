//! [`ToolCallGraph`], and [`Node`], a position in it.

use std::fmt;
use std::sync::Arc;

use opentelemetry_sdk::trace::SpanData;

use super::call::{Call, Outcome};
use super::place::{Part, Place, Retry};
use super::record::{LogRecord, RecordCounts};
use super::tree::{Parts, Tree};
use crate::keys::Keys;
use crate::sorted::sort_by_key;

/// The tree of a job's execution: its root `job.*`, steps, ops, and the spans between them.
///
/// Siblings are ordered by start, and a span whose parent is unknown is a root. Of two spans with
/// the same id the second one is skipped, and a span that is its own ancestor becomes a root; there
/// is a [note](Self::notes) about either.
#[derive(Clone, Debug)]
pub struct ToolCallGraph {
    pub(super) tree: Tree,
}

impl ToolCallGraph {
    /// The graph of finished spans, without records.
    pub fn of_spans<'a>(spans: impl IntoIterator<Item = &'a SpanData>, keys: &Keys) -> Self {
        let calls = spans.into_iter().map(|span| Arc::new(Call::of_span(span, false, keys))).collect();
        Self::of_parts(Parts { calls, ..Parts::default() })
    }

    pub(super) fn of_parts(parts: Parts) -> Self {
        Self::of_parts_showing(parts, |_| true)
    }

    /// [`of_parts`](Self::of_parts) and [`showing`](Self::showing) in one.
    pub(super) fn of_parts_showing(parts: Parts, is_shown: impl Fn(&Call) -> bool) -> Self {
        Self { tree: Tree::of(parts, is_shown) }
    }

    /// Shows the spans for which `is_shown` returns true and hides all others, whatever was hidden
    /// before.
    ///
    /// The children and records of a hidden span move up to the nearest ancestor that is shown. A
    /// failure in a hidden span still makes its ancestors red.
    #[must_use]
    pub fn showing(mut self, is_shown: impl Fn(&Call) -> bool) -> Self {
        self.tree.show(is_shown);
        self
    }

    /// Hides the runner's own spans: those of the tool `runner`, except for the job and its steps.
    #[must_use]
    pub fn without_runner_spans(self) -> Self {
        self.showing(|call| !call.is_runner_internal())
    }

    /// The spans without a parent in the graph, ordered by start.
    pub fn roots(&self) -> impl DoubleEndedIterator<Item = Node<'_>> + ExactSizeIterator {
        self.tree.roots.iter().map(|index| self.node(*index))
    }

    /// All spans that are shown, each before its children: the order in which a tree is printed.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.tree.depth_first(self.tree.roots.clone()).map(|index| self.node(index))
    }

    /// Where failures began: the [causes](Node::is_cause). The failure that ended its job comes first,
    /// those that were [recovered](Node::is_recovered) from come last.
    ///
    /// Of several, those in which nothing else failed come first, then the one that its root's status
    /// contains, then the one that ended first.
    pub fn failures(&self) -> Vec<Node<'_>> {
        let mut failures = Vec::new();
        for root in self.roots() {
            for node in root.subtree().filter(Node::is_cause) {
                let is_named = root.call().repeats(node.call());
                let end = node.call().end_unix_nano.unwrap_or(u64::MAX);
                failures.push(((node.is_recovered(), node.contains_failure(), !is_named, end), node));
            }
        }
        sort_by_key(&mut failures, |(rank, _)| *rank);
        failures.into_iter().map(|(_, node)| node).collect()
    }

    /// The records that belong to no span that is shown, ordered by time.
    pub fn unplaced_records(&self) -> impl ExactSizeIterator<Item = &LogRecord> {
        self.tree.unplaced.iter().map(|index| &self.tree.records[*index])
    }

    /// What is missing from the graph: what was dropped, skipped or could not be read.
    pub fn notes(&self) -> &[String] {
        &self.tree.notes
    }

    /// Whether anything in the graph failed, timed out or panicked, hidden spans included.
    pub fn is_red(&self) -> bool {
        self.tree.calls.iter().any(|call| call.is_red())
    }

    /// Whether the graph has no spans.
    pub fn is_empty(&self) -> bool {
        self.tree.calls.is_empty()
    }

    pub(super) fn node(&self, index: usize) -> Node<'_> {
        Node { graph: self, index }
    }
}

/// A span and its position in the graph.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub(super) graph: &'a ToolCallGraph,
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

    /// The child spans that are shown, ordered by start.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = Node<'a>> + ExactSizeIterator + 'a {
        let graph = self.graph;
        self.place().children.iter().map(move |child| graph.node(*child))
    }

    /// The node and all its descendants that are shown, each before its children.
    pub fn subtree(&self) -> impl Iterator<Item = Node<'a>> + 'a {
        let graph = self.graph;
        graph.tree.depth_first(vec![self.index]).map(|index| graph.node(index))
    }

    /// What tells the span apart from its siblings: the [label](crate::op::label) of an op, the id of a
    /// job, or the attribute in which siblings of the same name differ.
    pub fn label(&self) -> Option<&'a str> {
        self.place().label.as_deref()
    }

    /// The service, where it is not the parent's.
    pub fn other_service(&self) -> Option<&'a str> {
        let service = self.call().service.as_deref()?;
        let above = self.parent()?.call().service.as_deref();
        (above != Some(service)).then_some(service)
    }

    /// The span's [title](Call::title) with what tells it apart: `terraform apply (prod-eu-25)`,
    /// `job.plan (plan 6)`, `GET /cart (cart-service)`.
    pub fn title(&self) -> String {
        let (name, details) = self.title_parts();
        name + &details
    }

    /// The title without what is in parentheses, and that: `GET /cart` and ` (cart-service)`.
    pub(super) fn title_parts(&self) -> (String, String) {
        self.call().title_parts(self.label().into_iter().chain(self.other_service()))
    }

    /// Whether the span has not ended.
    pub fn is_running(&self) -> bool {
        self.call().outcome == Outcome::Running
    }

    /// Whether a descendant that is shown has not ended.
    pub fn contains_running(&self) -> bool {
        self.place().contains_running
    }

    /// Whether the span or one of its descendants failed.
    pub fn is_red(&self) -> bool {
        self.fails() || self.contains_failure()
    }

    /// Whether the span itself failed.
    pub fn fails(&self) -> bool {
        self.call().is_red()
    }

    /// Whether the failure of the span began there: none reached it from below, or it went on after those
    /// that did, and failed with a message of its own.
    ///
    /// The failure of a span reaches its parent, unless another attempt follows.
    pub fn is_cause(&self) -> bool {
        self.place().part == Part::Cause
    }

    /// Whether the span failed because a descendant did, whose failure tells why.
    pub fn propagates_failure(&self) -> bool {
        self.place().part == Part::Propagates
    }

    /// Whether the span failed, and another attempt, which tells why.
    pub fn is_retried_in_vain(&self) -> bool {
        self.place().retry == Retry::InVain
    }

    /// Whether its message only repeats what the failure of a child says, as where an error is
    /// wrapped on its way up.
    pub fn repeats_a_child(&self) -> bool {
        let call = self.call();
        let is_repeated = |child: &Call| call.message == child.message || call.repeats(child);
        self.children().any(|child| child.fails() && is_repeated(child.call()))
    }

    /// Whether the span failed, but a later attempt did not, or it is below a span that ended well.
    pub fn is_recovered(&self) -> bool {
        self.fails() && self.place().is_recovered
    }

    /// Whether a descendant of the span failed.
    pub fn contains_failure(&self) -> bool {
        self.place().contains_red
    }

    /// The records of the span itself, ordered by time.
    pub fn own_records(&self) -> impl ExactSizeIterator<Item = &'a LogRecord> + 'a {
        let records = &self.graph.tree.records;
        self.place().records.iter().map(move |index| &records[*index])
    }

    /// The records of the span and its descendants, ordered by time.
    pub fn records(&self) -> Vec<&'a LogRecord> {
        let subtree = self.subtree();
        let mut indexes: Vec<_> = subtree.flat_map(|node| node.place().records.iter().copied()).collect();
        sort_by_key(&mut indexes, |index| *index);
        indexes.into_iter().map(|index| &self.graph.tree.records[index]).collect()
    }

    /// How many records of each level the span itself has, including those that were counted but
    /// not kept.
    pub fn own_counts(&self) -> RecordCounts {
        self.place().counts
    }

    pub(super) fn place(&self) -> &'a Place {
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
