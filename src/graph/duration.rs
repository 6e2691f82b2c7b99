//! Durations in a readable form.

use std::time::Duration;

/// Formats a duration: `999 ns`, `189.6 µs`, `1.0 ms`, `2.50 s`, `1m 30s`, `2h 5m`, `3d 4h`; `—` for
/// zero.
///
/// ```
/// use std::time::Duration;
/// use spanlog::graph::format_duration;
///
/// assert_eq!(format_duration(Duration::from_millis(2500)), "2.50 s");
/// ```
pub fn format_duration(duration: Duration) -> String {
    format_nanoseconds(duration.as_nanos() as f64)
}

/// Formats a number of nanoseconds as [`format_duration`] does; `—` if it is zero, negative, NaN or
/// infinite.
pub fn format_nanoseconds(nanos: f64) -> String {
    if !nanos.is_finite() || nanos <= 0.0 {
        return "—".to_owned();
    }
    // Rounded before the unit is chosen: 999.96 ms is `1.00 s`, not `1000.0 ms`.
    match nanos.round() {
        nanos if nanos < 1e3 => format!("{nanos} ns"),
        nanos if nanos < 999.95e3 => format!("{:.1} µs", nanos / 1e3),
        nanos if nanos < 999.95e6 => format!("{:.1} ms", nanos / 1e6),
        nanos if nanos < 59.995e9 => format!("{:.2} s", nanos / 1e9),
        nanos if nanos < 3599.5e9 => two_units((nanos / 1e9).round(), 60, "m", "s"),
        nanos if nanos < 86_370e9 => two_units((nanos / 60e9).round(), 60, "h", "m"),
        nanos => two_units((nanos / 3600e9).round(), 24, "d", "h"),
    }
}

fn two_units(rounded: f64, of_larger: u64, larger: &str, smaller: &str) -> String {
    let whole = rounded as u64;
    format!("{}{larger} {}{smaller}", whole / of_larger, whole % of_larger)
}
