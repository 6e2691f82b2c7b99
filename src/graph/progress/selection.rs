//! Selects the spans to show where there are more of them than rows.
//!
//! Rows go to jobs first, then to failures, to running spans, to failures that were recovered from, and
//! then to a log line for each of these. What is left is for spans that ended well, the latest first,
//! and for the numbers of those that are not shown. A span comes with its ancestors if there is room
//! for those of all its kind, else below the nearest that is shown.
//!
//! A span that ended well takes one row, with all its descendants, unless one of them failed.

use std::collections::{BTreeSet, HashMap};

use super::candidates::{Candidate, Candidates, Kind};
use crate::graph::text::branch::Branch;
use crate::graph::tool_call_graph::{Node, ToolCallGraph};

#[derive(Debug)]
pub(super) struct Item<'a> {
    /// `None` for the row that counts omitted spans.
    pub(super) node: Option<Node<'a>>,
    /// Its ancestors that are not shown, up to the nearest that is.
    pub(super) skipped: Vec<Node<'a>>,
    pub(super) omitted: Omitted,
    pub(super) kind: Kind,
    pub(super) branch: Branch,
}

/// How many spans are not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Omitted {
    pub(super) running: usize,
    pub(super) failed: usize,
    pub(super) recovered: usize,
    pub(super) done: usize,
}

impl Omitted {
    pub(super) fn add(&mut self, kind: Kind) {
        match kind {
            Kind::Failure => self.failed += 1,
            Kind::Running => self.running += 1,
            Kind::Recovered => self.recovered += 1,
            Kind::Done => self.done += 1,
            Kind::Enclosing => {}
        }
    }
}

/// The rows to show, in order.
pub(super) fn select(graph: &ToolCallGraph, rows: usize) -> Vec<Item<'_>> {
    let all = Candidates::of(graph);
    let mut chosen = Chosen { shown: BTreeSet::new(), rows, rows_for_spans: rows };
    chosen.add_jobs(&all);
    for kind in [Kind::Failure, Kind::Running, Kind::Recovered] {
        chosen.add(&all, &all.of_kind(kind), kind == Kind::Failure);
    }
    let lines = chosen.shown.iter().filter(|index| all[**index].has_line()).count();
    let rows_for_done = rows - lines.min(rows - chosen.shown.len());
    let done = all.of_kind(Kind::Done);
    let with_done = |count: usize, rows| {
        let (chosen, omitted) = chosen.with(&all, &done[..count]).omitted(&all);
        (chosen.shown.len() + omitted.len() <= rows).then_some((chosen, omitted))
    };
    let most = done.len().min(rows_for_done.saturating_sub(chosen.shown.len()));
    let found = (0..=most).rev().find_map(|count| with_done(count, rows_for_done));
    let (chosen, omitted) = found.or_else(|| with_done(0, rows)).unwrap_or_else(|| {
        // In one row, if there is one.
        let mut sum = Omitted::default();
        let left_out = (0..all.len()).filter(|index| !chosen.shown.contains(index));
        left_out.for_each(|index| sum.add(all[index].kind));
        let has_row = chosen.shown.len() < rows && sum != Omitted::default();
        (chosen, has_row.then_some((None, sum)).into_iter().collect())
    });
    chosen.items(&all, &omitted)
}

/// By the nearest ancestor that is shown.
type OmittedBelow = HashMap<Option<usize>, Omitted>;

#[derive(Clone)]
struct Chosen {
    shown: BTreeSet<usize>,
    rows: usize,
    /// Less than `rows` once something did not fit: a row says how much.
    rows_for_spans: usize,
}

impl Chosen {
    /// All jobs, unless they leave no room: then those that ended well come last, with all else that
    /// did.
    fn add_jobs(&mut self, all: &Candidates<'_>) {
        let mut jobs = all.jobs();
        if jobs.len() + 2 > self.rows {
            jobs.retain(|index| all[*index].kind != Kind::Done);
        }
        if jobs.len() > self.rows {
            self.rows_for_spans = self.rows.saturating_sub(1);
        }
        self.shown.extend(jobs.into_iter().take(self.rows_for_spans));
    }

    /// As many of `wanted` as there is room for, with their ancestors if there is room for all. If there
    /// is not, even without ancestors, those that are shown have theirs, unless they are `urgent`.
    fn add(&mut self, all: &Candidates<'_>, wanted: &[usize], urgent: bool) {
        let with_ancestors = self.with(all, wanted);
        if with_ancestors.shown.len() <= self.rows_for_spans {
            *self = with_ancestors;
            return;
        }
        let new = wanted.iter().filter(|index| !self.shown.contains(index)).count();
        let fits = self.shown.len() + new <= self.rows_for_spans;
        if !fits {
            self.rows_for_spans = self.rows.saturating_sub(1);
        }
        if !fits && !urgent {
            for index in wanted {
                if self.shown.len() >= self.rows_for_spans {
                    break;
                }
                let with_ancestors = self.with(all, &[*index]);
                if with_ancestors.shown.len() <= self.rows_for_spans {
                    *self = with_ancestors;
                }
            }
        }
        for index in wanted {
            if self.shown.len() < self.rows_for_spans {
                self.shown.insert(*index);
            }
        }
    }

    fn with(&self, all: &Candidates<'_>, wanted: &[usize]) -> Self {
        let mut with = self.clone();
        for index in wanted {
            let mut at = Some(*index);
            while let Some(index) = at.filter(|index| with.shown.insert(*index)) {
                at = all[index].parent;
            }
        }
        with
    }

    /// What is not shown, each in a row below its nearest ancestor that is.
    fn omitted(mut self, all: &Candidates<'_>) -> (Self, OmittedBelow) {
        let mut below: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        let mut nearest = vec![None; all.len()];
        for index in 0..all.len() {
            // Parents come first.
            nearest[index] = all[index].parent.and_then(|parent| match self.shown.contains(&parent) {
                true => Some(parent),
                false => nearest[parent],
            });
            if all[index].kind != Kind::Enclosing && !self.shown.contains(&index) {
                below.entry(nearest[index]).or_default().push(index);
            }
        }
        // A single one is shown itself, in the row that would count it.
        below.retain(|ancestor, indexes| match indexes[..] {
            [only] if all[only].kind == Kind::Done && all[only].parent == *ancestor => {
                !self.shown.insert(only)
            }
            _ => true,
        });
        let count = |indexes: Vec<usize>| {
            let mut omitted = Omitted::default();
            indexes.into_iter().for_each(|index| omitted.add(all[index].kind));
            omitted
        };
        let omitted = below.into_iter().map(|(ancestor, indexes)| (ancestor, count(indexes))).collect();
        (self, omitted)
    }

    fn nearest_shown(&self, all: &Candidates<'_>, index: usize) -> Option<usize> {
        let mut ancestor = all[index].parent;
        while let Some(parent) = ancestor.filter(|parent| !self.shown.contains(parent)) {
            ancestor = all[parent].parent;
        }
        ancestor
    }

    fn items<'a>(&self, all: &Candidates<'a>, omitted: &OmittedBelow) -> Vec<Item<'a>> {
        let mut below: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        for index in &self.shown {
            below.entry(self.nearest_shown(all, *index)).or_default().push(*index);
        }
        // The last one first. The row of omitted spans comes after their siblings.
        let rows_below = |parent: Option<usize>| {
            let shown = below.get(&parent).into_iter().flatten().rev().map(|index| Ok(*index));
            let omitted = omitted.get(&parent).map(|omitted| Err(*omitted));
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
                    let Candidate { node, kind, parent } = all[index];
                    let skipped = std::iter::successors(parent, |index| all[*index].parent);
                    let skipped = skipped.take_while(|index| !self.shown.contains(index));
                    let skipped = skipped.map(|index| all[index].node).collect();
                    Item { node: Some(node), skipped, omitted: Omitted::default(), kind, branch }
                }
                Err(omitted) => {
                    Item { node: None, skipped: Vec::new(), omitted, kind: Kind::Enclosing, branch }
                }
            });
        }
        items
    }
}
