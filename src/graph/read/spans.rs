//! Adds spans and records to the store, from either format.

use opentelemetry::{SpanId, TraceId};

use super::notes::{Cause, Notes};
use super::store::Store;
use crate::graph::call::RawSpan;
use crate::graph::record::LogRecord;

/// `STATUS_CODE_ERROR`.
pub(super) const STATUS_ERROR: i64 = 2;

/// Adds a span. One without ids can be neither identified nor a parent, so it is skipped.
pub(super) fn add_span(span: RawSpan, is_truncated: bool, place: &str, store: &mut Store, notes: &mut Notes) {
    if span.trace_id == TraceId::INVALID || span.span_id == SpanId::INVALID {
        return notes.add(Cause::Unusable, || {
            format!("{place}: a span without a valid trace_id and span_id was skipped")
        });
    }
    if is_truncated {
        notes.add(Cause::TruncatedItem, || {
            format!("{place}: attributes of the span {:?} were truncated", span.name)
        });
    }
    store.add_span(span);
}

/// Adds a record.
pub(super) fn add_record(
    record: LogRecord,
    is_truncated: bool,
    place: &str,
    store: &mut Store,
    notes: &mut Notes,
) {
    if is_truncated {
        notes.add(Cause::TruncatedItem, || format!("{place}: a log record was truncated"));
    }
    store.add_record(record);
}

/// The time of a record, or else the time at which it was observed.
pub(super) fn first_known(time_unix_nano: u64, observed_unix_nano: u64) -> u64 {
    match time_unix_nano {
        0 => observed_unix_nano,
        known => known,
    }
}
