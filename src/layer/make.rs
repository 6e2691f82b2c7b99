//! Making the record of an event: ids and what it inherits, then its own fields, in the order in which they
//! are written.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::logs::Severity;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::correlate::lookup::Lookup;
use crate::correlate::otel_context::OtelContext;
use crate::correlate::sidecar;
use crate::correlate::sidecar::Sidecar;
use crate::correlate::stack::ThreadStack;
use crate::event::callsite::CallsiteInfo;
use crate::event::visitor::EventVisitor;
use crate::event::{callsite, merge, visitor};
use crate::fields::Fields;
use crate::layer::LogLayer;
use crate::record::inherited::InheritedAttributes;
use crate::record::{Ids, Record, Records, Target};

impl<R: Records> LogLayer<R> {
    /// Makes the record of an event, and hands it over.
    pub(crate) fn make_record<S>(
        &self,
        event: &Event<'_>,
        of_log: Option<&Metadata<'_>>,
        severity: Severity,
        around: &OtelContext,
        stack: ThreadStack<'_>,
        ctx: &Context<'_, S>,
    ) where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let target = match of_log {
            Some(of_log) => Target::Short(of_log.target()),
            None => Target::Static(event.metadata().target()),
        };
        let mut memory = self.records.memory();
        let mut record = self.records.open(&mut memory, target);
        // The one clock read of an event.
        record.set_time(SystemTime::now());
        record.set_severity(severity);
        let lookup = Lookup {
            owner: self.owner,
            dispatch: &self.dispatch,
            inherit: &self.inherit,
            counters: &self.counters,
        };
        let (site, merged) = {
            let looked_up;
            let stack = stack.borrow().filter(|_| event.is_contextual());
            let (ids, inherited) = match stack.as_ref().and_then(|stack| lookup.remembered(stack, around)) {
                Some(remembered) => remembered,
                None => {
                    drop(stack);
                    looked_up = lookup.look_up(event, around, ctx);
                    (looked_up.0.as_ref(), &looked_up.1)
                }
            };
            self.begin(&mut record, event, ids, inherited)
        };
        let name = site.is_named.then(|| event.metadata().name());
        if let Some(name) = name {
            record.set_event_name(name);
        }
        let metadata = of_log.unwrap_or_else(|| event.metadata());
        let limits = &self.inherit.limits;
        let value_limit = limits.value_length();
        if let Some(Merged { inherited, beside }) = merged {
            let mut own = merge::MergedAttributes::default();
            let sink = EventVisitor::new(&mut record, Some(&mut own), site, value_limit, &self.counters);
            let mut fields = Fields(sink);
            match beside.as_ref().and_then(Sidecar::message) {
                Some(message) => fields.0.message(message),
                None => event.record(&mut fields),
            }
            for (key, value) in beside.iter().flat_map(|beside| beside.iter()) {
                fields.0.named_at_run_time(key, limits.cut(value.clone()));
            }
            fields.0.finish(name);
            self.extras.write(metadata, |key, value| own.put(key, value.to_owned()));
            merge::write_merged(&mut record, &inherited, own, *limits, &self.counters);
            if let Some(beside) = beside {
                sidecar::put_back(beside);
            }
        } else {
            let mut fields = Fields(EventVisitor::new(&mut record, None, site, value_limit, &self.counters));
            event.record(&mut fields);
            fields.0.finish(name);
            if !self.extras.keys.is_empty() {
                self.extras.write(metadata, |key, value| record.add_attribute(key, value));
            }
        }
        self.records.emit(record);
        self.records.keep(memory);
    }

    /// Begins a record with its ids and, if nothing else can have the same keys and no limit can bite, with
    /// what it inherits. Else that is returned, to be merged.
    ///
    /// The thread's stack may be borrowed meanwhile, so this runs no user code.
    #[inline(always)]
    fn begin(
        &self,
        record: &mut R::Record<'_>,
        event: &Event<'_>,
        ids: Option<&Ids>,
        inherited: &Arc<InheritedAttributes>,
    ) -> (&'static CallsiteInfo, Option<Merged>) {
        record.set_trace_context(ids);
        let extra = self.extras.keys;
        let plan = callsite::plan(event.metadata(), Some(inherited), extra);
        let most = inherited.attributes.len() + plan.site.len() + visitor::MOST_EXTRA + extra.len();
        let beside = sidecar::take(plan.site.may_carry);
        if beside.is_none() && plan.can_append && most <= self.inherit.limits.attribute_count() {
            self.records.add_inherited(record, inherited);
            (plan.site, None)
        } else {
            (plan.site, Some(Merged { inherited: inherited.clone(), beside }))
        }
    }
}

/// What is merged with an event's own fields before any of it is written.
struct Merged {
    inherited: Arc<InheritedAttributes>,
    beside: Option<Sidecar>,
}
