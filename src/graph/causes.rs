//! Tells where a failure began from the spans that hand it on, and what was recovered from.

use std::sync::Arc;

use super::call::{Call, Outcome};
use super::place::{Part, Place};

/// Marks the shown spans of a tree, whose attempts are known, and those that contain a running one.
///
/// A failure reaches the parent of a span unless the span ended well or was retried. A failed span
/// that a failure reaches from below hands it on; any other failed span is a cause.
///
/// `order` has each span before its children.
pub(super) fn mark(calls: &[Arc<Call>], places: &mut [Place], order: &[usize]) {
    let mut reached = vec![false; places.len()];
    for index in order.iter().rev().copied() {
        let is_running_below = places[index].contains_running || calls[index].outcome == Outcome::Running;
        if let Some(parent) = places[index].shown_parent {
            places[parent].contains_running |= is_running_below;
        }
        let (call, place) = (&calls[index], &mut places[index]);
        let fails = call.is_red();
        let reaches_parent = (fails || reached[index] && !ended_well(call)) && !place.is_retried;
        if let Some(parent) = place.shown_parent.filter(|_| reaches_parent) {
            reached[parent] = true;
        }
        place.part = match (fails, reached[index]) {
            (false, _) => Part::None,
            (true, false) => Part::Cause,
            (true, true) => Part::HandsOn,
        };
    }
    for index in order.iter().copied() {
        let above = places[index].shown_parent;
        let is_below_recovery =
            above.is_some_and(|above| places[above].is_recovered || ended_well(&calls[above]));
        // Inherited by spans that did not fail, for those below them.
        places[index].is_recovered = is_below_recovery || places[index].is_retried;
    }
}

fn ended_well(call: &Call) -> bool {
    call.outcome == Outcome::Ok
}
