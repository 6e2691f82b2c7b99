//! Numbers in words, for notes.

/// `1 span` or `2 spans`; `None` for 0.
pub(super) fn counted(count: u64, singular: &str, plural: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {singular}")),
        many => Some(format!("{many} {plural}")),
    }
}
