//! The position of a span in the tree, and what its position makes of it.

use super::record::RecordCounts;

/// What a failed span is to the failure of its job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    /// It did not fail, or another attempt failed too and tells why.
    #[default]
    None,
    /// The failure began there.
    Cause,
    /// It failed because a descendant did, whose failure tells why.
    Propagates,
}

/// Whether another attempt follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Retry {
    #[default]
    None,
    /// The last attempt did not fail.
    Recovered,
    /// The last attempt failed too, and tells why.
    InVain,
}

/// The position of a call in the tree. Calls are referred to by index.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// The parent, hidden or not.
    pub(super) parent: Option<usize>,
    pub(super) is_hidden: bool,
    /// The nearest ancestor that is shown.
    pub(super) shown_parent: Option<usize>,
    /// The children that are shown, ordered by start.
    pub(super) children: Vec<usize>,
    pub(super) contains_red: bool,
    /// Whether a descendant that is shown has not ended.
    pub(super) contains_running: bool,
    /// What tells it apart from its siblings.
    pub(super) label: Option<String>,
    /// The runs of attempts among its children, as positions in their order.
    pub(super) attempts: Vec<Vec<usize>>,
    pub(super) retry: Retry,
    pub(super) part: Part,
    /// Whether it is below a span that ended well, or a later attempt did not fail.
    pub(super) is_recovered: bool,
    /// Its own records and those of hidden descendants, ordered by time.
    pub(super) records: Vec<usize>,
    pub(super) counts: RecordCounts,
}
