//! How often a view is drawn.

use std::time::Duration;

/// Between two drawings, while nothing is printed above.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);

/// The least between two drawings.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// What drawing may take of a processor: one part in this many.
pub(super) const CPU_SHARE: u32 = 10;
