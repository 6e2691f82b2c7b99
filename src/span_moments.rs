//! What is known of a span that starts or ends on this thread, and that its processors cannot see.

use std::cell::Cell;

thread_local! {
    static ENDING: Cell<Option<u64>> = const { Cell::new(None) };
    static STARTS_OP: Cell<bool> = const { Cell::new(false) };
}

/// Lives while a span ends on this thread. Its data does not say which job it is of.
#[derive(Debug)]
pub(crate) struct Ending {
    outer: Option<u64>,
}

impl Ending {
    /// `job`: the id of its account; 0 is no job.
    pub(crate) fn of(job: u64) -> Self {
        Self { outer: ENDING.try_with(|ending| ending.replace(Some(job))).unwrap_or_default() }
    }

    /// The job of the span that is ending on this thread.
    pub(crate) fn job() -> u64 {
        ENDING.try_with(Cell::get).unwrap_or_default().unwrap_or_default()
    }

    /// Whether a span ends on this thread: its processors run, and the span may be locked.
    pub(crate) fn is_under_way() -> bool {
        ENDING.try_with(Cell::get).unwrap_or_default().is_some()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = ENDING.try_with(|ending| ending.set(self.outer));
    }
}

/// Lives while the span of an op, a step or an execution starts on this thread.
#[derive(Debug)]
pub(crate) struct StartingOp {
    outer: bool,
}

impl StartingOp {
    pub(crate) fn begin() -> Self {
        Self { outer: STARTS_OP.try_with(|starts| starts.replace(true)).unwrap_or_default() }
    }

    /// Whether the span that starts on this thread may be that of an op.
    pub(crate) fn is_under_way() -> bool {
        STARTS_OP.try_with(Cell::get).unwrap_or_default()
    }
}

impl Drop for StartingOp {
    fn drop(&mut self) {
        let _ = STARTS_OP.try_with(|starts| starts.set(self.outer));
    }
}
