//! Making the record of an event: ids and what it inherits, then its own fields, in the order in which they
//! are written.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::logs::Severity;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::correlate::lookup::Asker;
use crate::correlate::otel_context::Surroundings;
use crate::correlate::sidecar;
use crate::correlate::sidecar::Beside;
use crate::correlate::stack::ThreadStack;
use crate::event::callsite::Site;
use crate::event::visitor::EventSink;
use crate::event::{callsite, merge, visitor};
use crate::fields::Fields;
use crate::layer::LogLayer;
use crate::record::inherited::Block;
use crate::record::{Ids, Record, Records, Target};

impl<R: Records> LogLayer<R> {
    /// Makes the record of an event, and hands it over.
    pub(crate) fn make_record<S>(
        &self,
        event: &Event<'_>,
        of_log: Option<&Metadata<'_>>,
        severity: Severity,
        around: &Surroundings,
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
        let asker = Asker {
            owner: self.owner,
            home: &self.home,
            inheriting: &self.inheriting,
            counters: &self.counters,
        };
        let (site, merged) = {
            let looked_up;
            let stack = stack.borrow().filter(|_| event.is_contextual());
            let (ids, block) = match stack.as_ref().and_then(|stack| asker.remembered(stack, around)) {
                Some(remembered) => remembered,
                None => {
                    drop(stack);
                    looked_up = asker.look_up(event, around, ctx);
                    (looked_up.0.as_ref(), &looked_up.1)
                }
            };
            self.begin(&mut record, event, ids, block)
        };
        let name = site.is_named.then(|| event.metadata().name());
        if let Some(name) = name {
            record.set_event_name(name);
        }
        let metadata = of_log.unwrap_or_else(|| event.metadata());
        let limits = &self.inheriting.limits;
        let value_limit = limits.value_length();
        if let Some(Merged { block, beside }) = merged {
            let mut own = merge::Gathered::default();
            let sink = EventSink::new(&mut record, Some(&mut own), site, value_limit, &self.counters);
            let mut fields = Fields(sink);
            match beside.as_ref().and_then(Beside::message) {
                Some(message) => fields.0.message(message),
                None => event.record(&mut fields),
            }
            for (key, value) in beside.iter().flat_map(|beside| beside.iter()) {
                fields.0.named_at_run_time(key, limits.cut(value.clone()));
            }
            fields.0.finish(name);
            self.extras.write(metadata, |key, value| own.put(key, value.to_owned()));
            merge::write_gathered(&mut record, &block, own, *limits, &self.counters);
            if let Some(beside) = beside {
                sidecar::put_back(beside);
            }
        } else {
            let mut fields = Fields(EventSink::new(&mut record, None, site, value_limit, &self.counters));
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
        block: &Arc<Block>,
    ) -> (&'static Site, Option<Merged>) {
        record.set_trace_context(ids);
        let extra = self.extras.keys;
        let plan = callsite::plan(event.metadata(), Some(block), extra);
        let most = block.attributes.len() + plan.site.len() + visitor::MOST_EXTRA + extra.len();
        let beside = sidecar::take(plan.site.may_carry);
        if beside.is_none() && plan.is_straight && most <= self.inheriting.limits.attribute_count() {
            self.records.add_block(record, block);
            (plan.site, None)
        } else {
            (plan.site, Some(Merged { block: block.clone(), beside }))
        }
    }
}

/// What is merged with an event's own fields before any of it is written.
struct Merged {
    block: Arc<Block>,
    beside: Option<Beside>,
}
