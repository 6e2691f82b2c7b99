//! From an event to its record: ids and inherited attributes, then the event's own fields, in the order in which
//! they are written.

use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::SystemTime;

use tracing::{Event, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::correlate::lookup::Lookup;
use crate::correlate::otel_context::OtelContext;
use crate::correlate::sidecar::{self, Sidecar};
use crate::correlate::stack::{self, ThreadStack};
use crate::event::callsite::CallsiteInfo;
use crate::event::merge::{write_merged, MergedAttributes};
use crate::event::visitor::{EventVisitor, MOST_EXTRA};
use crate::fields::Fields;
use crate::layer::LogLayer;
use crate::record::inherited::InheritedAttributes;
use crate::record::{severity_of_level, Ids, Record, Records, Target};
use crate::stats::Thread;

/// What happened to an event for which a record was wanted.
enum Outcome {
    Emitted,
    NoRoom,
    /// The thread's locals are gone.
    NoThread,
}

/// An event of an enabled callsite.
#[derive(Clone, Copy)]
struct Enabled<'a> {
    event: &'a Event<'a>,
    /// The real metadata, where that is a `log` record's.
    log: Option<&'a Metadata<'a>>,
    callsite: &'static CallsiteInfo,
}

impl<'a> Enabled<'a> {
    fn metadata(&self) -> &'a Metadata<'a> {
        self.log.unwrap_or_else(|| self.event.metadata())
    }

    fn target(&self) -> Target<'a> {
        match self.log {
            Some(log) => Target::Short(log.target()),
            None => Target::Static(self.event.metadata().target()),
        }
    }
}

impl<R: Records> LogLayer<R> {
    /// Makes the record of an event and emits it, or counts why not.
    pub(super) fn emit<S>(&self, event: &Event<'_>, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        // The callsite of a `log` record is tracing-log's.
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
        let event = Enabled { event, log: log.as_ref(), callsite };
        let make = || {
            let Some(permit) = self.records.reserve(thread) else { return Outcome::NoRoom };
            let mut record = self.records.open(permit, event.target());
            record.set_target(event.target());
            record.set_severity(severity);
            if stack::with_thread_stack(|stack| self.fill(&mut record, event, &cx, stack, ctx)).is_none() {
                return Outcome::NoThread;
            }
            let _emitting = Emitting::begin();
            self.records.emit(record);
            Outcome::Emitted
        };
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(Outcome::Emitted) => counters.delivered(1),
            Ok(Outcome::NoRoom) => counters.dropped_overflow(1),
            Ok(Outcome::NoThread) | Err(_) => counters.dropped_panicked(1),
        }
    }

    /// Fills the record of an event.
    #[inline(always)]
    fn fill<S>(
        &self,
        record: &mut R::Record<'_>,
        event: Enabled<'_>,
        cx: &OtelContext,
        stack: ThreadStack<'_>,
        ctx: &Context<'_, S>,
    ) where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        // The one clock read of an event.
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
                    (resolved.0.as_ref(), &resolved.1)
                }
            };
            self.begin(record, event.callsite, ids, inherited)
        };
        match merge {
            None => self.append_fields(record, event),
            Some(merge) => self.merge_fields(record, event, merge),
        }
    }

    /// Writes ids and, if nothing else can have the same keys and no limit can bite, inherited attributes. Else
    /// these are returned, to be merged.
    ///
    /// The thread's stack may be borrowed meanwhile, so this runs no user code.
    #[inline(always)]
    fn begin(
        &self,
        record: &mut R::Record<'_>,
        callsite: &CallsiteInfo,
        ids: Option<&Ids>,
        inherited: &std::sync::Arc<InheritedAttributes>,
    ) -> Option<Merge> {
        record.set_trace_context(ids);
        let extra = inherited.extra_keys.len() + MOST_EXTRA;
        let most = inherited.attributes.len() + callsite.len() + extra;
        let sidecar = if callsite.may_have_sidecar { sidecar::take() } else { None };
        let fits = most <= self.inherit.limits.attribute_count();
        if sidecar.is_none() && fits && callsite.can_append(inherited) {
            record.add_inherited(inherited);
            None
        } else {
            Some(Merge { inherited: inherited.clone(), sidecar })
        }
    }

    #[inline(always)]
    fn append_fields(&self, record: &mut R::Record<'_>, event: Enabled<'_>) {
        let visitor = EventVisitor::new(record, None, event.callsite, self.value_limit(), &self.counters);
        let mut fields = Fields(visitor);
        event.event.record(&mut fields);
        fields.0.finish();
        if !self.inherit.extras.keys.is_empty() {
            self.inherit.extras.write(event.metadata(), |key, value| record.add_attribute(key, value));
        }
    }

    fn merge_fields(&self, record: &mut R::Record<'_>, event: Enabled<'_>, merge: Merge) {
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
            fields.0.named_at_run_time(key, limits.cut(value.clone()));
        }
        fields.0.finish();
        self.inherit.extras.write(event.metadata(), |key, value| own.put(key, value.to_owned()));
        write_merged(record, &inherited, own, limits, &self.counters);
        if let Some(sidecar) = sidecar {
            sidecar::put_back(sidecar);
        }
    }
}

/// What must be merged with an event's own fields before any of it is written.
struct Merge {
    inherited: std::sync::Arc<InheritedAttributes>,
    sidecar: Option<Sidecar>,
}

#[inline]
fn may_be_log(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "log" && metadata.name() == "log event"
}

thread_local! {
    static EMITTING: Cell<bool> = const { Cell::new(false) };
}

/// While this lives, a record is being emitted on this thread. Events logged then, by a log processor, make no
/// records, or each would make the next. A `Debug` that logs is another matter: it runs while its record is
/// filled.
///
/// A guard, not a function that takes the work: a closure would move the record, which is half a kilobyte.
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
