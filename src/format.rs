//! Formats a user's value once, whatever its `Debug` or `Display` does: fail, panic, log, or write
//! too much.

use std::cell::Cell;
use std::fmt;
use std::fmt::Write;
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::stats::Counters;

/// The maximum length of a text in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) usize);

impl Limit {
    pub(crate) const NONE: Self = Self(usize::MAX);
}

/// A larger buffer is freed rather than cached, so that one huge value does not hold its memory
/// forever.
const MAX_CACHED_BYTES: usize = 64 * 1024;

thread_local! {
    // Taken while in use: a `Debug` that logs comes here again and gets a new buffer.
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
}

/// How formatting a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formatted {
    /// The text is complete.
    Complete,
    /// The text was truncated to the limit.
    Truncated,
    /// The formatting returned an error.
    Failed,
    /// The formatting panicked.
    Panicked,
}

impl Formatted {
    #[inline]
    pub(crate) fn count(self, counters: &Counters) {
        if self != Self::Complete {
            self.count_loss(counters);
        }
    }

    #[cold]
    fn count_loss(self, counters: &Counters) {
        match self {
            Self::Complete => {}
            Self::Truncated => counters.truncated_values(1),
            Self::Failed => counters.failed_values(1),
            Self::Panicked => counters.panicked_values(1),
        }
    }
}

/// Formats `text` and passes it to `read`. A panic is caught: `read` gets what was written before
/// it.
///
/// Returns how it ended rather than counting that: a caller whose counters `read` borrows would
/// have to clone them.
pub(crate) fn with_text(limit: Limit, text: fmt::Arguments<'_>, read: impl FnOnce(&str)) -> Formatted {
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    let mut writer = Writer { text: &mut buffer, limit, is_truncated: false };
    let formatted = match write_text(&mut writer, text) {
        _ if writer.is_truncated => Formatted::Truncated,
        formatted => formatted,
    };
    read(&buffer);
    if buffer.capacity() <= MAX_CACHED_BYTES {
        let _ = BUFFER.try_with(|slot| slot.set(buffer));
    }
    formatted
}

/// Formats `text` into `out`. A panic is caught, and what was written before it stays.
#[inline(always)]
pub(crate) fn write_text(out: &mut impl Write, text: fmt::Arguments<'_>) -> Formatted {
    match catch_unwind(AssertUnwindSafe(|| out.write_fmt(text))) {
        Ok(Ok(())) => Formatted::Complete,
        Ok(Err(fmt::Error)) => Formatted::Failed,
        Err(_) => Formatted::Panicked,
    }
}

/// Writes up to a limit, then returns an error, at which most formatting stops.
struct Writer<'a> {
    text: &'a mut String,
    limit: Limit,
    /// The limit was reached.
    is_truncated: bool,
}

impl Write for Writer<'_> {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.is_truncated {
            return Err(fmt::Error);
        }
        let capacity = self.limit.0 - self.text.len();
        if more.len() <= capacity {
            self.text.push_str(more);
            return Ok(());
        }
        self.text.push_str(truncate(more, Limit(capacity)));
        self.is_truncated = true;
        Err(fmt::Error)
    }
}

/// The longest prefix of `text` within `limit` that ends on a character boundary.
pub(crate) fn truncate(text: &str, limit: Limit) -> &str {
    &text[..text.floor_char_boundary(limit.0)]
}
