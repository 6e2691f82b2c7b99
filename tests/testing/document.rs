//! What docs/testing.md shows of failures, compared with what they say.

const DOCUMENT: &str = include_str!("../../docs/testing.md");

/// Asserts that the document shows this failure, whole, in a block of text.
#[track_caller]
pub(crate) fn assert_shows(failure: &str) {
    let block = format!("```text\n{}\n```", failure.trim_end());
    assert!(DOCUMENT.contains(&block), "docs/testing.md does not show this failure:\n{block}");
}

#[test]
fn a_failure_that_the_document_does_not_show_is_found() {
    // Its panic is a record, and others show what has no capture.
    let _capture = spanlog::testing::capture();
    let said = crate::failure(|| assert_shows("another failure"));
    assert!(said.contains("another failure"), "{said}");
    let shown = DOCUMENT.matches("```text\n").count();
    assert_eq!(shown, 3, "each block of text is shown by a test of its own");
}
