//! Builds the tree from spans and records in any order: parents, siblings and what tells them apart,
//! failures.

use std::collections::hash_map::{Entry, HashMap};
use std::iter::successors;
use std::sync::Arc;

use super::call::{Call, Ids};
use super::counted::counted;
use super::place::{Place, Retry};
use super::record::{LogRecord, RecordCounts};
use super::{attempts, causes, labels};
use crate::sorted::sort_by_key;

/// What a tree is built of.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    pub(super) calls: Vec<Arc<Call>>,
    pub(super) records: Vec<LogRecord>,
    /// Records that were counted but not kept, so that they are not in `records`.
    pub(super) counted: HashMap<Ids, RecordCounts>,
    /// What is missing: what was dropped, skipped or could not be read.
    pub(super) notes: Vec<String>,
}

/// All calls, ordered by start, each with its place.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) calls: Vec<Arc<Call>>,
    pub(super) places: Vec<Place>,
    /// Ordered by start.
    pub(super) roots: Vec<usize>,
    /// Ordered by time.
    pub(super) records: Vec<LogRecord>,
    /// The records of no call that is shown.
    pub(super) unplaced: Vec<usize>,
    index: HashMap<Ids, usize>,
    counted: HashMap<Ids, RecordCounts>,
    pub(super) notes: Vec<String>,
}

impl Tree {
    pub(super) fn of(parts: Parts, is_shown: impl Fn(&Call) -> bool) -> Self {
        let Parts { mut calls, mut records, counted, notes } = parts;
        sort_by_key(&mut calls, |call| call.start_unix_nano);
        sort_by_key(&mut records, |record| record.time_unix_nano);
        let mut tree = Self { records, counted, notes, ..Self::default() };
        tree.index_calls(calls);
        let parent_of = |call: &Call| tree.index.get(&(call.trace_id, call.parent_id)).copied();
        let places = tree.calls.iter().map(|call| Place { parent: parent_of(call), ..Place::default() });
        tree.places = places.collect();
        tree.break_cycles();
        tree.mark_red();
        tree.show(is_shown);
        tree
    }

    /// Skips spans that have the id of an earlier one.
    fn index_calls(&mut self, calls: Vec<Arc<Call>>) {
        let all = calls.len();
        for call in calls {
            if let Entry::Vacant(free) = self.index.entry(call.ids()) {
                free.insert(self.calls.len());
                self.calls.push(call);
            }
        }
        self.notes.extend(counted(
            (all - self.calls.len()) as u64,
            "span with the id of another was skipped",
            "spans with the ids of others were skipped",
        ));
    }

    /// Spans that are their own ancestors have no root: the first one of each cycle becomes a root.
    fn break_cycles(&mut self) {
        // The call from which each was first reached.
        let mut reached_from = vec![None; self.places.len()];
        let mut cycles = 0;
        for start in 0..self.places.len() {
            let mut at = Some(start);
            while let Some(index) = at.filter(|index| reached_from[*index].is_none()) {
                reached_from[index] = Some(start);
                at = self.places[index].parent;
            }
            if let Some(met) = at.filter(|index| reached_from[*index] == Some(start)) {
                let parent = |index: usize| self.places[index].parent;
                let cycle = successors(parent(met), |index| parent(*index).filter(|_| *index != met));
                // The first index is that of the earliest start.
                let first = cycle.min().unwrap_or(met);
                self.places[first].parent = None;
                cycles += 1;
            }
        }
        self.notes.extend(counted(
            cycles,
            "cycle of spans that are their own ancestors",
            "cycles of spans that are their own ancestors",
        ));
    }

    fn mark_red(&mut self) {
        for index in 0..self.calls.len() {
            if self.calls[index].is_red() {
                let mut above = self.places[index].parent;
                while let Some(parent) = above.filter(|parent| !self.places[*parent].contains_red) {
                    self.places[parent].contains_red = true;
                    above = self.places[parent].parent;
                }
            }
        }
    }

    /// Hides the calls for which `is_shown` is false: their children and records move to the
    /// nearest ancestor that is shown.
    pub(super) fn show(&mut self, is_shown: impl Fn(&Call) -> bool) {
        for (place, call) in self.places.iter_mut().zip(&self.calls) {
            // All else of a place depends on what is shown.
            let Place { parent, contains_red, .. } = *place;
            *place = Place { parent, contains_red, is_hidden: !is_shown(call), ..Place::default() };
        }
        self.find_shown_parents();
        self.roots.clear();
        for index in 0..self.places.len() {
            if self.places[index].is_hidden {
                continue;
            }
            match self.places[index].shown_parent {
                Some(parent) => self.places[parent].children.push(index),
                None => self.roots.push(index),
            }
        }
        self.compare_siblings();
        self.place_records();
        let order: Vec<_> = self.depth_first(self.roots.clone()).collect();
        causes::mark(&self.calls, &mut self.places, &order);
    }

    /// Labels siblings and recognises retries.
    fn compare_siblings(&mut self) {
        for parent in std::iter::once(None).chain((0..self.places.len()).map(Some)) {
            let siblings = parent.map_or(&self.roots, |parent| &self.places[parent].children);
            if siblings.is_empty() {
                continue;
            }
            let calls: Vec<&Call> = siblings.iter().map(|index| &*self.calls[*index]).collect();
            let labels = labels::of_siblings(&calls);
            let above = parent.map(|parent| &*self.calls[parent]);
            let runs = above.map_or_else(Vec::new, |above| attempts::of_siblings(above, &calls, &labels));
            let siblings = siblings.clone();
            for run in &runs {
                let last = siblings[run[run.len() - 1]];
                let retry = if self.calls[last].is_red() { Retry::InVain } else { Retry::Recovered };
                for position in &run[..run.len() - 1] {
                    self.places[siblings[*position]].retry = retry;
                }
            }
            for (index, label) in siblings.into_iter().zip(labels) {
                self.places[index].label = label;
            }
            if let Some(parent) = parent {
                self.places[parent].attempts = runs;
            }
        }
    }

    /// These calls and their descendants that are shown, each before its children. Not recursive, because a
    /// tree may be deep.
    pub(super) fn depth_first(&self, mut open: Vec<usize>) -> impl Iterator<Item = usize> + '_ {
        // The next one is the last.
        open.reverse();
        std::iter::from_fn(move || {
            let index = open.pop()?;
            open.extend(self.places[index].children.iter().rev());
            Some(index)
        })
    }

    /// Finds the nearest ancestor that is shown, visiting each call once: a chain of hidden calls
    /// may be long.
    fn find_shown_parents(&mut self) {
        let mut known = vec![false; self.places.len()];
        for start in 0..self.places.len() {
            let mut path = Vec::new();
            let mut at = start;
            let shown = loop {
                if known[at] {
                    break self.places[at].shown_parent;
                }
                path.push(at);
                match self.places[at].parent {
                    Some(parent) if self.places[parent].is_hidden => at = parent,
                    parent => break parent,
                }
            };
            for index in path {
                self.places[index].shown_parent = shown;
                known[index] = true;
            }
        }
    }

    fn place_records(&mut self) {
        self.unplaced.clear();
        for index in 0..self.records.len() {
            let LogRecord { level, .. } = self.records[index];
            match self.records[index].ids().and_then(|ids| self.shown(ids)) {
                Some(call) => {
                    self.places[call].records.push(index);
                    self.places[call].counts.add(level);
                }
                None => self.unplaced.push(index),
            }
        }
        let counted: Vec<_> = self.counted.iter().map(|(ids, counts)| (*ids, *counts)).collect();
        for (ids, counts) in counted {
            if let Some(call) = self.shown(ids) {
                self.places[call].counts += counts;
            }
        }
    }

    /// The call at which a span's records are shown: itself, or its nearest ancestor that is shown.
    fn shown(&self, ids: Ids) -> Option<usize> {
        let index = *self.index.get(&ids)?;
        match self.places[index].is_hidden {
            true => self.places[index].shown_parent,
            false => Some(index),
        }
    }
}
