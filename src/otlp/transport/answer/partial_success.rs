//! What the body of an answer says.

use std::time::Duration;

/// The longest `Retry-After` that is kept. No batch waits for so long, and sums of times stay far from overflow.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What a body says, of an `ExportLogsServiceResponse` or a `google.rpc.Status`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PartialSuccess {
    pub(crate) rejected: i64,
    pub(crate) message: String,
}
