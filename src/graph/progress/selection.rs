//! Selects the spans to show where there are more of them than rows.
//!
//! A finished span takes one row, with all its descendants, unless one of them failed. Of the
//! others, running spans take precedence, the longest-running first, then failures, then those that
//! ended last. Each comes with its ancestors, and running spans and failures with a log line.
//! Omitted spans are counted at their nearest ancestor that is shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::call::Outcome;
use crate::graph::text::branch::Branch;
use crate::graph::tool_call_graph::{Node, ToolCallGraph};

#[derive(Debug)]
pub(super) struct Item<'a> {
    /// `None` for the row that counts omitted spans.
    pub(super) node: Option<Node<'a>>,
    pub(super) omitted: Omitted,
    pub(super) kind: Kind,
    pub(super) branch: Branch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Is running, and none of its children is.
    Running,
    /// Ended, and is where a failure started.
    Failure,
    /// Ended.
    Done,
    /// Shown because it is an ancestor of other items.
    Enclosing,
}

/// How many spans are not shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Omitted {
    pub(super) running: usize,
    pub(super) failed: usize,
    pub(super) done: usize,
}

/// A span that may be shown. Referred to by index.
struct Candidate<'a> {
    node: Node<'a>,
    kind: Kind,
    parent: Option<usize>,
}

/// The rows to show, in order.
pub(super) fn select(graph: &ToolCallGraph, rows: usize) -> Vec<Item<'_>> {
    let all = candidates(graph);
    let order = by_importance(&all, rows);
    let most = order.len().min(rows);
    let fits = |chosen: &Chosen| chosen.rows(&all) <= rows;
    let chosen = (1..=most)
        .rev()
        .map(|count| Chosen::of(&all, &order[..count], true))
        .find(fits)
        // Too deep to show the ancestors.
        .unwrap_or_else(|| Chosen::of(&all, &order[..most.min(rows.saturating_sub(1))], false));
    let mut items = chosen.items(&all);
    items.truncate(rows);
    items
}

/// All spans that may be shown, parents first.
fn candidates(graph: &ToolCallGraph) -> Vec<Candidate<'_>> {
    let mut all: Vec<Candidate<'_>> = Vec::new();
    let mut open: Vec<(Node<'_>, Option<usize>)> = graph.roots().rev().map(|root| (root, None)).collect();
    while let Some((node, parent)) = open.pop() {
        let is_running = node.call().outcome == Outcome::Running;
        let has_running = node.children().any(|child| child.call().outcome == Outcome::Running);
        let kind = match (is_running, node.is_red()) {
            (true, _) if has_running => Kind::Enclosing,
            (true, _) => Kind::Running,
            (false, true) if node.contains_failure() => Kind::Enclosing,
            (false, true) => Kind::Failure,
            // A child is running although the span has ended.
            (false, false) if has_running => Kind::Enclosing,
            (false, false) => Kind::Done,
        };
        if kind != Kind::Done {
            open.extend(node.children().rev().map(|child| (child, Some(all.len()))));
        }
        all.push(Candidate { node, kind, parent });
    }
    all
}

/// Candidates by importance, without those that are only ancestors of others.
fn by_importance(all: &[Candidate<'_>], rows: usize) -> Vec<usize> {
    let of_kind = |kind| {
        let indexes = (0..all.len()).filter(move |index| all[*index].kind == kind);
        indexes.collect::<Vec<usize>>()
    };
    let mut running = of_kind(Kind::Running);
    running.sort_by_key(|index| all[*index].node.call().start_unix_nano);
    let by_end = |kind| {
        let mut ended = of_kind(kind);
        ended.sort_by_key(|index| std::cmp::Reverse(all[*index].node.call().end_unix_nano));
        ended
    };
    // Running spans and failures must not crowd each other out. Each may take two rows.
    let mut order: Vec<_> = running.drain(..running.len().min(rows.div_ceil(4))).collect();
    let mut failures = by_end(Kind::Failure);
    order.extend(failures.drain(..failures.len().min(rows.div_ceil(8))));
    order.extend(running);
    order.extend(failures);
    order.extend(by_end(Kind::Done));
    order
}

struct Chosen {
    shown: BTreeSet<usize>,
    /// By the nearest ancestor that is shown.
    omitted: BTreeMap<Option<usize>, Omitted>,
}

impl Chosen {
    fn of(all: &[Candidate<'_>], chosen: &[usize], with_ancestors: bool) -> Self {
        let mut shown = BTreeSet::new();
        for index in chosen {
            let mut at = Some(*index);
            while let Some(index) = at.filter(|index| shown.insert(*index) && with_ancestors) {
                at = all[index].parent;
            }
        }
        let mut omitted: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (index, candidate) in all.iter().enumerate() {
            if candidate.kind == Kind::Enclosing || shown.contains(&index) {
                continue;
            }
            let mut ancestor = candidate.parent;
            while let Some(parent) = ancestor.filter(|parent| !shown.contains(parent)) {
                ancestor = all[parent].parent;
            }
            omitted.entry(ancestor).or_default().push(index);
        }
        // A single omitted span is shown itself, in the row that would count it.
        omitted.retain(|ancestor, indexes| match indexes[..] {
            [only] if all[only].kind == Kind::Done && all[only].parent == *ancestor => !shown.insert(only),
            _ => true,
        });
        let count = |indexes: Vec<usize>| {
            let of_kind = |kind| indexes.iter().filter(|index| all[**index].kind == kind).count();
            Omitted {
                running: of_kind(Kind::Running),
                failed: of_kind(Kind::Failure),
                done: of_kind(Kind::Done),
            }
        };
        let omitted = omitted.into_iter().map(|(ancestor, indexes)| (ancestor, count(indexes))).collect();
        Self { shown, omitted }
    }

    /// How many rows it takes, with a log line for each item that has one.
    fn rows(&self, all: &[Candidate<'_>]) -> usize {
        let has_line = |index: &&usize| {
            let Candidate { node, kind, .. } = &all[**index];
            matches!(kind, Kind::Running | Kind::Failure) && node.own_records().len() > 0
        };
        self.shown.len() + self.omitted.len() + self.shown.iter().filter(has_line).count()
    }

    fn items<'a>(&self, all: &[Candidate<'a>]) -> Vec<Item<'a>> {
        let mut below: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for index in &self.shown {
            let parent = all[*index].parent.filter(|parent| self.shown.contains(parent));
            below.entry(parent).or_default().push(*index);
        }
        // The last one first. The row of omitted spans comes after their siblings.
        let rows_below = |parent: Option<usize>| {
            let shown = below.get(&parent).into_iter().flatten().rev().map(|index| Ok(*index));
            let omitted = self.omitted.get(&parent).map(|omitted| Err(*omitted));
            omitted.into_iter().chain(shown)
        };
        let mut items = Vec::new();
        let mut open: Vec<(Result<usize, Omitted>, Branch)> =
            rows_below(None).map(|row| (row, Branch::default())).collect();
        while let Some((row, branch)) = open.pop() {
            items.push(match row {
                Ok(index) => {
                    let rows = rows_below(Some(index)).enumerate();
                    open.extend(rows.map(|(position, row)| (row, branch.child(position == 0))));
                    let Candidate { node, kind, .. } = all[index];
                    Item { node: Some(node), omitted: Omitted::default(), kind, branch }
                }
                Err(omitted) => Item { node: None, omitted, kind: Kind::Enclosing, branch },
            });
        }
        items
    }
}
