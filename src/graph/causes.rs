//! Tells where a failure began from the spans that pass it on, and what was recovered from.

use std::sync::Arc;

use super::call::{Call, Outcome};
use super::place::{Part, Place, Retry};

/// Marks the shown spans of a tree, whose attempts are known, and those that contain a running one.
///
/// A failure reaches the parent of a span unless the span ended well or was retried. A failed span
/// that a failure reaches from below propagates it; any other failed span is a cause. So is one that
/// went on after the failures that reached it, and whose message has nothing of theirs.
///
/// `order` has each span before its children.
pub(super) fn mark(calls: &[Arc<Call>], places: &mut [Place], order: &[usize]) {
    let mut reached = vec![false; places.len()];
    for index in order.iter().rev().copied() {
        let is_running_below = places[index].contains_running || calls[index].outcome == Outcome::Running;
        if let Some(parent) = places[index].shown_parent {
            places[parent].contains_running |= is_running_below;
        }
        let call = &calls[index];
        let fails = call.is_red();
        let is_retried = places[index].retry != Retry::None;
        if (fails || reached[index] && !ended_well(call)) && !is_retried {
            if let Some(parent) = places[index].shown_parent {
                reached[parent] = true;
            }
        }
        places[index].part = match (fails, reached[index]) {
            (false, _) => Part::None,
            (true, _) if places[index].retry == Retry::InVain => Part::None,
            (true, false) => Part::Cause,
            (true, true) if went_on(index, calls, places) => Part::Cause,
            (true, true) => Part::Propagates,
        };
    }
    for index in order.iter().copied() {
        let above = places[index].shown_parent;
        let is_below_recovery =
            above.is_some_and(|above| places[above].is_recovered || ended_well(&calls[above]));
        // Inherited by spans that did not fail, for those below them.
        places[index].is_recovered = is_below_recovery || places[index].retry == Retry::Recovered;
    }
}

/// Whether a failed span went on after its children had failed, and failed for another reason: another child
/// started later, none was running at that time, and its message is not one of theirs.
fn went_on(index: usize, calls: &[Arc<Call>], places: &[Place]) -> bool {
    let call = &calls[index];
    let children = || places[index].children.iter().map(|child| &calls[*child]);
    let failed = || children().filter(|child| child.is_red());
    let end = |child: &Arc<Call>| child.end_unix_nano.unwrap_or(u64::MAX);
    let Some(last) = failed().map(end).max() else { return false };
    let is_theirs = failed().any(|child| child.message.is_empty() || call.repeats(child));
    let is_parallel = children().any(|child| child.start_unix_nano < last && end(child) > last);
    let starts_later = children().any(|child| child.start_unix_nano >= last);
    !call.message.is_empty() && !is_theirs && !is_parallel && starts_later
}

fn ended_well(call: &Call) -> bool {
    call.outcome == Outcome::Ok
}
