//! Recognises retries: siblings that are the same work, one after the other, of which all but the last
//! failed.

use std::collections::HashMap;

use super::call::Call;
use crate::sorted::sort;

/// The runs of attempts among siblings, as positions in their order. A run has at least two.
///
/// A failure that is the parent's was not retried: its message is in the parent's, and that of what follows
/// is not.
pub(super) fn of_siblings(parent: &Call, siblings: &[&Call], labels: &[Option<String>]) -> Vec<Vec<usize>> {
    let mut same: HashMap<(String, Option<&str>), Vec<usize>> = HashMap::new();
    for (index, call) in siblings.iter().enumerate() {
        same.entry((call.title(), labels[index].as_deref())).or_default().push(index);
    }
    let is_handed_on = |call: &Call| parent.is_red() && parent.repeats(call);
    let mut runs = Vec::new();
    for indexes in same.into_values().filter(|indexes| indexes.len() > 1) {
        let mut run: Vec<usize> = Vec::new();
        for index in indexes {
            let follows = run.last().is_some_and(|last| {
                let before = siblings[*last];
                let has_ended =
                    before.end_unix_nano.is_some_and(|end| end <= siblings[index].start_unix_nano);
                let is_the_failure = is_handed_on(before) && !is_handed_on(siblings[index]);
                before.is_red() && has_ended && !is_the_failure
            });
            if !follows {
                keep(&mut runs, &mut run);
            }
            run.push(index);
        }
        keep(&mut runs, &mut run);
    }
    sort(&mut runs);
    runs
}

fn keep(runs: &mut Vec<Vec<usize>>, run: &mut Vec<usize>) {
    let ended = std::mem::take(run);
    if ended.len() > 1 {
        runs.push(ended);
    }
}
