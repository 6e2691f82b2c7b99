//! Tells siblings of one name apart.
//!
//! 1. An op's own label, [`op.label`](crate::op::label).
//! 2. Of a job, its id, or if others have the same one, that of the execution.
//! 3. Of several siblings with the same title, the attribute in which they differ.

use std::collections::{HashMap, HashSet};

use super::call::Call;
use crate::keys;

/// A longer value is not a label.
const MAX_BYTES: usize = 120;

/// Attributes that differ between any two spans, or tell of the result, so that they do not tell what a
/// span is for: what a key begins with.
const INCIDENTAL_STARTS: [&str; 10] =
    ["code.", "error.", "exception.", "job.", "log.", "op.", "otel.", "process.exit.", "span.", "thread."];

/// The same: what a key contains.
const INCIDENTAL_PARTS: [&str; 8] = [
    ".response.",
    "status_code",
    "request_id",
    "request.id",
    "correlation",
    "duration",
    "elapsed",
    "resend_count",
];

/// The same: what a key ends with. Attempts are the same work.
const INCIDENTAL_ENDS: [&str; 7] =
    ["attempt", "attempts", "retry", "busy_ns", "idle_ns", "process.pid", "process.parent_pid"];

/// The labels of siblings, in their order.
pub(super) fn of_siblings(siblings: &[&Call]) -> Vec<Option<String>> {
    let mut labels: Vec<_> = siblings.iter().map(|call| own_label(call)).collect();
    label_jobs(siblings, &mut labels);
    let mut alike: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, call) in siblings.iter().enumerate().filter(|(index, _)| labels[*index].is_none()) {
        alike.entry(call.title()).or_default().push(index);
    }
    for indexes in alike.into_values().filter(|indexes| indexes.len() > 1) {
        let calls: Vec<_> = indexes.iter().map(|index| siblings[*index]).collect();
        let Some(key) = differing_key(&calls) else { continue };
        let values: Vec<_> = calls.iter().map(|call| call.attribute(key)).collect();
        for (index, label) in indexes.into_iter().zip(distinct_parts(&values)) {
            labels[index] = label;
        }
    }
    labels
}

fn own_label(call: &Call) -> Option<String> {
    let label = call.attribute(keys::LABEL).filter(|label| !label.is_empty())?;
    Some(cut(label))
}

fn cut(label: &str) -> String {
    label[..label.floor_char_boundary(MAX_BYTES)].to_owned()
}

fn label_jobs(siblings: &[&Call], labels: &mut [Option<String>]) {
    let mut executions: HashMap<&str, HashSet<&str>> = HashMap::new();
    let jobs: Vec<_> = (0..siblings.len()).filter(|index| siblings[*index].is_job()).collect();
    for index in &jobs {
        if let (Some(job), Some(execution)) = (siblings[*index].job(), siblings[*index].execution()) {
            executions.entry(job).or_default().insert(execution);
        }
    }
    for index in jobs.into_iter().filter(|index| labels[*index].is_none()).collect::<Vec<_>>() {
        let (job, execution) = (siblings[index].job(), siblings[index].execution());
        let is_unique = job.and_then(|job| executions.get(job)).is_none_or(|executions| executions.len() < 2);
        let id = if is_unique { job.or(execution) } else { execution };
        labels[index] = id.map(str::to_owned);
    }
}

/// The attribute in which calls differ most. Words tell more than numbers, which may be sizes or
/// ports; of equals, the first one counts.
fn differing_key<'a>(calls: &[&'a Call]) -> Option<&'a str> {
    let mut keys: Vec<&str> = Vec::new();
    let mut values: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut others: HashSet<&str> = HashSet::new();
    for (key, value) in calls.iter().flat_map(|call| &call.attributes) {
        let (key, value) = (key.as_str(), value.as_str());
        if is_incidental(key) {
            continue;
        }
        if !values.contains_key(key) {
            keys.push(key);
        }
        let is_list = value.starts_with('[');
        if value.len() > MAX_BYTES && !is_list || value.contains('\n') {
            others.insert(key);
        }
        values.entry(key).or_default().insert(value);
    }
    let is_number = |key: &str| values[key].iter().all(|value| value.parse::<f64>().is_ok());
    let differing = keys.into_iter().filter(|key| values[key].len() > 1 && !others.contains(key));
    // Of equals, the first one.
    differing.min_by_key(|key| (is_number(key), std::cmp::Reverse(values[key].len())))
}

fn is_incidental(key: &str) -> bool {
    key == "target"
        || INCIDENTAL_STARTS.iter().any(|start| key.starts_with(start))
        || INCIDENTAL_PARTS.iter().any(|part| key.contains(part))
        || INCIDENTAL_ENDS.iter().any(|end| key.ends_with(end))
}

/// Of values that are lists, as of arguments, only the elements that not all of them have.
fn distinct_parts(values: &[Option<&str>]) -> Vec<Option<String>> {
    let lists: Vec<Option<Vec<String>>> =
        values.iter().map(|value| value.and_then(|value| serde_json::from_str(value).ok())).collect();
    if lists.iter().zip(values).any(|(list, value)| list.is_none() && value.is_some()) {
        return values
            .iter()
            .map(|value| value.filter(|value| !value.is_empty()).map(str::to_owned))
            .collect();
    }
    let mut holders: HashMap<&str, usize> = HashMap::new();
    for list in lists.iter().flatten() {
        for element in list.iter().map(String::as_str).collect::<HashSet<_>>() {
            *holders.entry(element).or_default() += 1;
        }
    }
    let distinct = |list: &Vec<String>| {
        let own = list.iter().filter(|element| holders[element.as_str()] < lists.len());
        let text = own.map(String::as_str).collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then(|| cut(&text))
    };
    lists.iter().map(|list| list.as_ref().and_then(distinct)).collect()
}
