//! The spans that may be shown in a live view, and what kind of row each would be.

use std::cmp::Reverse;
use std::ops::Index;

use crate::graph::tool_call_graph::{Node, ToolCallGraph};
use crate::sorted::sort_by_key;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Is running, and none of its descendants is.
    Running,
    /// Ended, and is where a failure began.
    Failure,
    /// A failure that was recovered from.
    Recovered,
    /// Ended well, or stopped without a failure.
    Done,
    /// Shown because it is an ancestor of others.
    Enclosing,
}

/// A span that may be shown. Referred to by index.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) node: Node<'a>,
    pub(super) kind: Kind,
    pub(super) parent: Option<usize>,
}

impl Candidate<'_> {
    /// Whether a log line may be shown below it.
    pub(super) fn has_line(&self) -> bool {
        let is_shown_with_lines = matches!(self.kind, Kind::Running | Kind::Failure | Kind::Recovered);
        is_shown_with_lines && self.node.own_records().len() > 0
    }
}

/// All spans that may be shown, parents first.
pub(super) struct Candidates<'a>(Vec<Candidate<'a>>);

impl<'a> Candidates<'a> {
    pub(super) fn of(graph: &'a ToolCallGraph) -> Self {
        let mut all: Vec<Candidate<'_>> = Vec::new();
        let mut open: Vec<(Node<'_>, Option<usize>)> = graph.roots().rev().map(|root| (root, None)).collect();
        while let Some((node, parent)) = open.pop() {
            let kind = kind_of(node);
            if kind != Kind::Done {
                open.extend(node.children().rev().map(|child| (child, Some(all.len()))));
            }
            all.push(Candidate { node, kind, parent });
        }
        Self(all)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The roots: those that failed first, then those that are running, then those that ended last.
    pub(super) fn jobs(&self) -> Vec<usize> {
        let mut jobs: Vec<_> = (0..self.len()).filter(|index| self[*index].parent.is_none()).collect();
        sort_by_key(&mut jobs, |index| {
            let node = self[*index].node;
            let is_running = node.is_running();
            (!node.is_red(), !is_running, Reverse(node.call().end_unix_nano))
        });
        jobs
    }

    /// Those of a kind: what runs longest first, what ended last first.
    pub(super) fn of_kind(&self, kind: Kind) -> Vec<usize> {
        let mut indexes: Vec<_> = (0..self.len()).filter(|index| self[*index].kind == kind).collect();
        match kind {
            Kind::Running => sort_by_key(&mut indexes, |index| self[*index].node.call().start_unix_nano),
            _ => sort_by_key(&mut indexes, |index| Reverse(self[*index].node.call().end_unix_nano)),
        }
        indexes
    }
}

impl<'a> Index<usize> for Candidates<'a> {
    type Output = Candidate<'a>;

    fn index(&self, index: usize) -> &Candidate<'a> {
        &self.0[index]
    }
}

fn kind_of(node: Node<'_>) -> Kind {
    match node.is_running() {
        true if node.contains_running() => Kind::Enclosing,
        true => Kind::Running,
        false if node.is_cause() && node.is_recovered() => Kind::Recovered,
        false if node.is_cause() => Kind::Failure,
        false if node.is_red() => Kind::Enclosing,
        // A descendant is running although the span has ended.
        false if node.contains_running() => Kind::Enclosing,
        false => Kind::Done,
    }
}
