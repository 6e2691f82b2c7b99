//! Running a user's `Debug` or `Display` once, and living with whatever it does.

use std::cell::Cell;
use std::fmt;
use std::fmt::Write;
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::stats::Counters;

/// The most bytes of a text that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) usize);

impl Limit {
    pub(crate) const NONE: Self = Self(usize::MAX);
}

/// A buffer larger than this is given back to the allocator: one 50 MiB value must not stay for ever.
const MAX_CACHED_BYTES: usize = 64 * 1024;

thread_local! {
    // Taken out while in use: a `Debug` that logs comes here again, and finds an empty one.
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formatted {
    /// All of it is there.
    Complete,
    /// It was cut to a limit.
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

/// Formats `text` and shows it to `read`. A panic goes no further, and what was written by then is shown.
///
/// What became of it is returned, not counted: a caller whose counters `read` borrows would have to clone them.
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

/// Formats `text` into `out`. A panic goes no further, and what was written by then stays.
#[inline(always)]
pub(crate) fn write_text(out: &mut impl Write, text: fmt::Arguments<'_>) -> Formatted {
    match catch_unwind(AssertUnwindSafe(|| out.write_fmt(text))) {
        Ok(Ok(())) => Formatted::Complete,
        Ok(Err(fmt::Error)) => Formatted::Failed,
        Err(_) => Formatted::Panicked,
    }
}

/// Keeps up to a limit, then refuses: most formatting stops there.
struct Writer<'a> {
    text: &'a mut String,
    limit: Limit,
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

/// The part of `text` that `limit` leaves, ending on a character boundary.
pub(crate) fn truncate(text: &str, limit: Limit) -> &str {
    &text[..text.floor_char_boundary(limit.0)]
}
