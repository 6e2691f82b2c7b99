//! Siblings as rows of a picture: those that are alike, and attempts at the same work, are one row that
//! can be unfolded.

use std::collections::HashMap;

use super::tool_call_graph::Node;
use crate::sorted::sort_by_key;

/// How many siblings of one title are folded.
pub(super) const MIN_ALIKE: usize = 3;

/// A row for a span, or for several siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SiblingRow<'a> {
    /// One span.
    One(Node<'a>),
    /// Attempts at the same work, one after the other, at least two; all but the last failed.
    Attempts(Vec<Node<'a>>),
    /// At least three rows of spans with the same [title](super::Call::title), ordered by start.
    Alike(Vec<SiblingRow<'a>>),
}

impl<'a> SiblingRow<'a> {
    /// The span that the row is about: of attempts the last, of alike siblings the first.
    pub fn node(&self) -> Node<'a> {
        match self {
            Self::One(node) => *node,
            Self::Attempts(attempts) => attempts[attempts.len() - 1],
            Self::Alike(rows) => rows[0].node(),
        }
    }

    /// The spans of the row, ordered by start.
    pub fn nodes(&self) -> Vec<Node<'a>> {
        match self {
            Self::One(node) => vec![*node],
            Self::Attempts(attempts) => attempts.clone(),
            Self::Alike(rows) => {
                let mut nodes: Vec<_> = rows.iter().flat_map(SiblingRow::nodes).collect();
                sort_by_key(&mut nodes, |node| node.call().start_unix_nano);
                nodes
            }
        }
    }
}

impl<'a> Node<'a> {
    /// The children, with those that are alike in one row, and attempts at the same work too.
    pub fn child_rows(&self) -> Vec<SiblingRow<'a>> {
        let children: Vec<_> = self.children().collect();
        let mut rows: Vec<Option<SiblingRow<'a>>> =
            children.iter().map(|child| Some(SiblingRow::One(*child))).collect();
        for run in &self.place().attempts {
            run.iter().for_each(|position| rows[*position] = None);
            let attempts = run.iter().map(|position| children[*position]).collect();
            rows[run[0]] = Some(SiblingRow::Attempts(attempts));
        }
        fold(rows.into_iter().flatten().collect())
    }
}

/// Puts alike rows together, at the place of the first.
fn fold(rows: Vec<SiblingRow<'_>>) -> Vec<SiblingRow<'_>> {
    if rows.len() < MIN_ALIKE {
        return rows;
    }
    let titles: Vec<String> = rows.iter().map(|row| row.node().call().title()).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for title in &titles {
        *counts.entry(title).or_default() += 1;
    }
    let mut folded: Vec<SiblingRow<'_>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (row, title) in rows.into_iter().zip(&titles) {
        if counts[title.as_str()] < MIN_ALIKE {
            folded.push(row);
            continue;
        }
        let place = *places.entry(title).or_insert_with(|| {
            folded.push(SiblingRow::Alike(Vec::new()));
            folded.len() - 1
        });
        if let SiblingRow::Alike(alike) = &mut folded[place] {
            alike.push(row);
        }
    }
    folded
}
