//! How often a view is drawn.

use std::time::Duration;

/// The interval between two drawings while nothing is printed above the view.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);

/// The minimum interval between two drawings.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// Drawing takes at most one in this many parts of a processor's time.
pub(super) const CPU_SHARE: u32 = 10;
