//! Workflow commands of GitHub Actions: groups that are folded in a log, and annotations.
//!
//! See [workflow commands](https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands).

use std::env;

use super::frame::message_line;
use crate::graph::tail::Tail;
use crate::graph::text::line::{mark_and_outcome, path};
use crate::graph::tool_call_graph::Node;

/// GitHub keeps the first ten annotations of a step. See [its limits].
///
/// [its limits]: https://github.com/actions/toolkit/blob/main/docs/problem-matchers.md#limitations
pub(super) const MAX_ANNOTATIONS: usize = 10;

/// How many log lines an annotation has.
const MAX_LINES: usize = 5;

/// Whether the program runs in a workflow.
pub(super) fn is_workflow() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Lines that are folded under a title.
pub(super) fn group(title: &str, lines: &str) -> String {
    format!("::group::{}\n{lines}::endgroup::\n", data(title))
}

/// The annotation of a failure: its path, what it says, and its last lines.
pub(super) fn error(node: Node<'_>) -> String {
    let (_, outcome) = mark_and_outcome(node);
    let lines = Tail::of(node, MAX_LINES).texts(message_line);
    let text = std::iter::once(outcome).chain(lines).collect::<Vec<_>>().join("\n");
    format!("::error title={}::{}\n", property(&path(node)), data(&text))
}

/// The data of a command, on one line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which neither a colon nor a comma ends.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
