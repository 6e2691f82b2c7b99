//! What the bodies of answers say.

use std::time::Duration;

/// The longest delay that a receiver can ask for. Longer ones are shortened to it: no batch waits
/// for so long, and sums of times stay far from overflow.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// An `ExportLogsPartialSuccess`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PartialSuccess {
    /// As received, so that it may be negative.
    pub(crate) rejected: i64,
    pub(crate) message: String,
}
