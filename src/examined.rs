//! Counts the records that log layers make of the event that a [check-up](crate::doctor()) logs.

use std::cell::Cell;

/// The name of the event and its span.
pub(crate) const NAME: &str = "spanlog.check";

/// The event's control field.
pub(crate) const FIELD: &str = "otel.spanlog_check";

thread_local! {
    static RECORDS: Cell<usize> = const { Cell::new(0) };
}

/// A record has the field.
#[cold]
pub(crate) fn add_record() {
    let _ = RECORDS.try_with(|records| records.set(records.get() + 1));
}

/// How many records with the field are made on this thread during `work`.
pub(crate) fn records_of(work: impl FnOnce()) -> usize {
    let before = records();
    work();
    records() - before
}

/// Does work that reads the field, but makes no record.
pub(crate) fn not_counted<T>(work: impl FnOnce() -> T) -> T {
    let before = records();
    let result = work();
    let _ = RECORDS.try_with(|records| records.set(before));
    result
}

fn records() -> usize {
    RECORDS.try_with(Cell::get).unwrap_or_default()
}
