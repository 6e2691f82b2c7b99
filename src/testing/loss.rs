//! Whether anything of a test was lost.

use crate::testing::kept::Contents;
use crate::testing::table;

/// The text of the failure. `None`: nothing was lost.
pub(crate) fn failure(contents: &Contents) -> Option<String> {
    if contents.records.is_empty() && contents.spans.is_empty() && contents.unattributed.count == 0 {
        return Some("nothing was captured, so there is nothing to check\n".to_owned());
    }
    let mut text = String::new();
    for event in &contents.lost {
        text += &format!("  ✗ {event} made no record\n");
    }
    for record in &contents.records {
        let limits = [
            (record.dropped_attributes, "attributes dropped by the count limit"),
            (record.truncated_values, "values truncated to the length limit"),
        ];
        for (count, what) in limits.into_iter().filter(|(count, _)| *count > 0) {
            text += &format!("  ✗ the record {:?}: {count} {what}\n", record.body);
        }
    }
    for span in contents.spans.iter().filter(|span| span.dropped > 0) {
        let count = span.dropped;
        text += &format!("  ✗ the span {:?}: {count} attributes, events and links dropped\n", span.name);
    }
    match contents.unattributed.count {
        0 => {}
        count => text += &format!("  ✗ unattributed: {count}, which may be of this test\n"),
    }
    if text.is_empty() {
        return None;
    }
    Some(format!("telemetry was lost:\n{text}\n{}", table::of(contents)))
}
