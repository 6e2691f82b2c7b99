//! A record being filled for a capture, and the kind of records that the layer of captures makes.

use std::cell::RefCell;
use std::time::SystemTime;

use opentelemetry::logs::Severity;
use opentelemetry::{Key, SpanId, TraceId};

use crate::limits::Limits;
use crate::record::inherited::InheritedAttributes;
use crate::record::{Ids, Record as FillRecord, Records, Target};
use crate::stats::Thread;
use crate::testing::record::Record;
use crate::testing::{stamps, value};
use crate::value::Value;

thread_local! {
    /// The record of the event that is being dispatched on this thread, once it is complete.
    static EMITTED: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// The record that was emitted last on this thread. `None` if it was taken, or there is none.
pub(crate) fn take() -> Option<Record> {
    EMITTED.try_with(RefCell::take).ok().flatten()
}

/// Makes records that [`take`] returns.
#[derive(Debug)]
pub(crate) struct Drafts {
    /// The limit of values. It is applied here, because the layer counts what it truncates for all
    /// tests together.
    pub(crate) limits: Limits,
}

/// A record being filled.
#[derive(Debug)]
pub(crate) struct Draft {
    record: Record,
    limits: Limits,
}

impl Records for Drafts {
    type Record<'a> = Draft;
    type Permit<'a> = ();

    fn reserve(&self, _: Thread, _: Severity) -> Option<()> {
        Some(())
    }

    fn open<'a>(&'a self, _: (), target: Target<'a>) -> Draft {
        let (Target::Static(target) | Target::Borrowed(target)) = target;
        Draft { record: Record::new(target), limits: self.limits }
    }

    fn emit(&self, draft: Draft) -> bool {
        EMITTED.try_with(|emitted| emitted.replace(Some(draft.record))).is_ok()
    }
}

impl FillRecord for Draft {
    fn set_time(&mut self, time: SystemTime) {
        self.record.time = time;
    }

    fn set_severity(&mut self, severity: Severity) {
        self.record.severity = severity;
    }

    fn set_event_name(&mut self, name: &'static str) {
        name.clone_into(&mut self.record.event_name);
    }

    fn set_run_time_name(&mut self, name: &str) -> bool {
        name.clone_into(&mut self.record.event_name);
        true
    }

    fn set_trace_context(&mut self, ids: Option<&Ids>) {
        let (trace_id, span_id): (Option<TraceId>, Option<SpanId>) =
            ids.map(|ids| (ids.trace_id, ids.span_id)).unzip();
        (self.record.trace_id, self.record.span_id) = (trace_id, span_id);
    }

    fn set_body(&mut self, body: Value<'_>) {
        self.record.body = value::text(&body.to_owned());
    }

    fn add_attribute(&mut self, key: Key, value: Value<'_>) {
        let mut value = value.to_owned();
        if self.limits.would_truncate(&value) && !stamps::is_stamp(key.as_str()) {
            self.record.truncated_values += 1;
            value = self.limits.truncate(value);
        }
        self.record.attributes.push((key.to_string(), value));
    }

    fn add_inherited(&mut self, inherited: &InheritedAttributes) {
        let (stamps, fields) = inherited.attributes.split_at(inherited.stamps);
        let stamps = stamps.iter().map(|(key, value)| (key.to_string(), value.clone()));
        self.record.attributes.extend(stamps);
        for (key, value) in fields {
            self.add_attribute(key.clone(), Value::Any(value));
        }
    }

    fn set_dropped_attributes(&mut self, count: u32) {
        self.record.dropped_attributes = count;
    }
}
