//! Makes the record of an event: ids and inherited attributes first, then the event's own fields.

use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::SystemTime;

use tracing::{Event, Level, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::correlate::lookup::Lookup;
use crate::correlate::sidecar::Sidecar;
use crate::correlate::stack::{OtelContext, ThreadStack};
use crate::correlate::{ambient, sidecar, stack};
use crate::event::callsite::CallsiteInfo;
use crate::event::merge::{write_merged, MergedAttributes};
use crate::event::visitor::EventVisitor;
use crate::fields::Fields;
use crate::format::Limit;
use crate::layer::LogLayer;
use crate::record::inherited::InheritedAttributes;
use crate::record::{severity_of_level, Ids, Record, Records, Target};
use crate::stats::Thread;

/// How emitting a record ended.
enum Outcome {
    Emitted,
    /// The queue is full or closed.
    NoRoom,
    /// The thread is exiting: its locals are destroyed.
    ThreadExit,
}

/// An event that passed the filters.
#[derive(Clone, Copy)]
struct EnabledEvent<'a> {
    event: &'a Event<'a>,
    /// The metadata of a `log` record; the event's own describes tracing-log's callsite.
    log: Option<&'a Metadata<'a>>,
    callsite: &'static CallsiteInfo,
}

impl<'a> EnabledEvent<'a> {
    fn metadata(&self) -> &'a Metadata<'a> {
        self.log.unwrap_or_else(|| self.event.metadata())
    }

    fn target(&self) -> Target<'a> {
        match self.log {
            Some(log) => Target::Borrowed(log.target()),
            None => Target::Static(self.event.metadata().target()),
        }
    }
}

impl<R: Records> LogLayer<R> {
    /// Makes and emits the record of an event that the layer's own filters let pass, or counts why
    /// there is none.
    pub(super) fn emit<S>(&self, event: &Event<'_>, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        // The event of a `log` record has the metadata of tracing-log's callsite.
        let log = if may_be_log(event.metadata()) { event.normalized_metadata() } else { None };
        let metadata = log.as_ref().unwrap_or_else(|| event.metadata());
        if !self.is_enabled(metadata) {
            return;
        }
        if !stack::alive() {
            self.counters.emitted(1);
            self.counters.dropped_thread_exit(1);
            return;
        }
        let cx = OtelContext::read();
        if cx.suppressed {
            self.counters.emitted(1);
            self.counters.dropped_suppressed(1);
            return;
        }
        let callsite = CallsiteInfo::of(event.metadata());
        let severity = severity_of_level(*metadata.level());
        if !self.records.is_enabled(severity, metadata.target(), callsite.event_name) {
            return;
        }
        let thread = Thread::current();
        let counters = self.counters.of(thread);
        counters.emitted(1);
        if Emitting::is_under_way() {
            counters.dropped_reentrant(1);
            return;
        }
        let event = EnabledEvent { event, log: log.as_ref(), callsite };
        let emit = || {
            let Some(permit) = self.records.reserve(thread, severity) else {
                self.records.count_refused(ambient::ambient_job_id());
                return Outcome::NoRoom;
            };
            let mut record = self.records.open(permit, event.target());
            record.set_target(event.target());
            record.set_severity(severity);
            if stack::with_thread_stack(|stack| self.fill(&mut record, event, &cx, stack, ctx)).is_none() {
                return Outcome::ThreadExit;
            }
            let _emitting = Emitting::begin();
            match self.records.emit(record) {
                true => Outcome::Emitted,
                false => Outcome::NoRoom,
            }
        };
        match catch_unwind(AssertUnwindSafe(emit)) {
            Ok(Outcome::Emitted) => counters.delivered(1),
            Ok(Outcome::NoRoom) => counters.dropped_overflow(1),
            Ok(Outcome::ThreadExit) => counters.dropped_thread_exit(1),
            Err(_) => counters.dropped_panicked(1),
        }
    }

    fn is_enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
            && (*metadata.level() <= Level::INFO || !self.is_of_exporter(metadata.target()))
            && self
                .targets
                .as_ref()
                .is_none_or(|targets| targets.would_enable(metadata.target(), metadata.level()))
    }

    /// Whether an event may be about an exporter's request.
    fn is_of_exporter(&self, target: &str) -> bool {
        self.exporter_targets.iter().any(|own| {
            target.strip_prefix(&**own).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    }

    fn value_limit(&self) -> Limit {
        self.inherit.limits.value_length()
    }

    /// Fills the record of an event.
    #[inline(always)]
    fn fill<S>(
        &self,
        record: &mut R::Record<'_>,
        event: EnabledEvent<'_>,
        cx: &OtelContext,
        stack: ThreadStack<'_>,
        ctx: &Context<'_, S>,
    ) where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        // The only time the clock is read for an event.
        record.set_time(SystemTime::now());
        if let Some(name) = event.callsite.event_name {
            record.set_event_name(name);
        }
        let lookup = Lookup {
            layer: self.id,
            dispatch: &self.dispatch,
            inherit: &self.inherit,
            counters: &self.counters,
        };
        let merge = {
            let resolved;
            let stack = stack.borrow().filter(|_| event.event.is_contextual());
            let (ids, inherited) = match stack.as_ref().and_then(|stack| lookup.cached(stack, cx, ctx)) {
                Some(cached) => cached,
                None => {
                    drop(stack);
                    resolved = lookup.resolve(event.event, cx, ctx);
                    if resolved.is_without_ids {
                        self.counters.without_ids(1);
                        self.records.count_without_ids();
                    }
                    (resolved.ids.as_ref(), &resolved.inherited)
                }
            };
            self.begin(record, event.callsite, ids, inherited)
        };
        match merge {
            None => self.append_fields(record, event),
            Some(merge) => self.merge_fields(record, event, merge),
        }
    }

    /// Writes the ids, and also the inherited attributes unless a key could appear twice or the
    /// count limit could be exceeded. In that case they are returned, to be merged with the event's
    /// own.
    ///
    /// The thread's stack may be borrowed during this call, so it runs no user code.
    #[inline(always)]
    fn begin(
        &self,
        record: &mut R::Record<'_>,
        callsite: &CallsiteInfo,
        ids: Option<&Ids>,
        inherited: &std::sync::Arc<InheritedAttributes>,
    ) -> Option<Merge> {
        record.set_trace_context(ids);
        record.set_job(inherited.job);
        let sidecar = if callsite.may_have_sidecar { sidecar::take() } else { None };
        let fits = callsite.len() < inherited.append_below;
        if sidecar.is_none() && fits && callsite.can_append(inherited) {
            record.add_inherited(inherited);
            None
        } else {
            Some(Merge { inherited: inherited.clone(), sidecar })
        }
    }

    /// Appends the event's fields to the inherited attributes, which are already written.
    #[inline(always)]
    fn append_fields(&self, record: &mut R::Record<'_>, event: EnabledEvent<'_>) {
        let visitor = EventVisitor::new(record, None, event.callsite, self.value_limit(), &self.counters);
        let mut fields = Fields(visitor);
        event.event.record(&mut fields);
        fields.0.finish();
        if !self.inherit.extras.keys.is_empty() {
            self.inherit.extras.write(event.metadata(), |key, value| record.add_attribute(key, value));
        }
    }

    /// Collects the event's fields, then writes them together with the inherited attributes.
    fn merge_fields(&self, record: &mut R::Record<'_>, event: EnabledEvent<'_>, merge: Merge) {
        let Merge { inherited, sidecar } = merge;
        let limits = self.inherit.limits;
        let mut own = MergedAttributes::default();
        let merged = Some(&mut own);
        let visitor = EventVisitor::new(record, merged, event.callsite, self.value_limit(), &self.counters);
        let mut fields = Fields(visitor);
        match sidecar.as_ref().and_then(Sidecar::message) {
            Some(message) => fields.0.message(message),
            None => event.event.record(&mut fields),
        }
        for (key, value) in sidecar.iter().flat_map(|sidecar| sidecar.iter()) {
            fields.0.dynamic_attribute(key, value, limits);
        }
        fields.0.finish();
        self.inherit.extras.write(event.metadata(), |key, value| own.put(key, value.to_owned()));
        if inherited.truncated > 0 {
            self.counters.truncated_values(inherited.truncated as u64);
        }
        write_merged(record, &inherited, own, limits, &self.counters);
        if let Some(sidecar) = sidecar {
            sidecar::restore(sidecar);
        }
    }
}

/// What has to be merged with an event's own fields before anything is written.
struct Merge {
    inherited: std::sync::Arc<InheritedAttributes>,
    sidecar: Option<Sidecar>,
}

/// A cheap check before `normalized_metadata`.
#[inline]
fn may_be_log(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "log" && metadata.name() == "log event"
}

thread_local! {
    static EMITTING: Cell<bool> = const { Cell::new(false) };
}

/// Lives while a record is emitted on this thread. An event logged meanwhile, by a log processor,
/// makes no record, because that record would be processed too and log again. It does not cover a
/// `Debug` that logs: that runs earlier, while the record is filled.
///
/// A guard rather than a function taking a closure: the closure would move the record, which is
/// half a kilobyte.
struct Emitting;

impl Emitting {
    #[inline]
    fn is_under_way() -> bool {
        EMITTING.try_with(Cell::get).unwrap_or(true)
    }

    #[inline]
    fn begin() -> Self {
        let _ = EMITTING.try_with(|emitting| emitting.set(true));
        Self
    }
}

impl Drop for Emitting {
    #[inline]
    fn drop(&mut self) {
        let _ = EMITTING.try_with(|emitting| emitting.set(false));
    }
}
