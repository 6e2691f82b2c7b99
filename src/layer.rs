//! [`LogLayer`]: the first step of the walk. An event comes in, a record goes out.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::logs::{Logger, LoggerProvider, Severity};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_core::span::{Attributes, Id, Record as SpanRecord};
use tracing_log::NormalizeEvent;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Layer;

use crate::beside::{self, Beside};
use crate::correlate::{self, Asker, Home, Ids, SpanState, Surroundings, ThreadStack};
use crate::fields::{self, EventSink, Fields, Site};
use crate::inherit::{Block, Inheriting, Node, SpanFields};
use crate::keys::Keys;
use crate::limits::{self, Extras, Limits};
use crate::otlp::record::DirectRecords;
use crate::otlp::Pipeline;
use crate::record::{severity_of_level, Record, Records, Target};
use crate::sdk::{self, SdkRecords};
use crate::stats::Counters;

/// A `tracing-subscriber` layer that turns every event into an OpenTelemetry log record whose own
/// ids are those of the event's span, and which carries the job that the event belongs to.
///
/// ```
/// use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
/// use spanlog::LogLayer;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let exporter = InMemoryLogExporter::default();
/// let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
/// let subscriber = tracing_subscriber::registry().with(LogLayer::new(&provider));
/// tracing::subscriber::with_default(subscriber, || tracing::info!(answer = 42, "asked"));
///
/// assert_eq!(exporter.get_emitted_logs().unwrap().len(), 1);
/// ```
///
/// Levels and targets are filtered inside the layer. A per-layer filter (`with_filter`) is not
/// needed and not advisable: while any layer has one, a call of `log::log_enabled!` can drop the
/// next event (tokio-rs/tracing#2519), and spans that it rejects pass nothing on to their events.
#[derive(Debug)]
pub struct LogLayer<R> {
    records: R,
    /// Tells this layer's spans on the thread's stack from those of others.
    owner: u64,
    level: LevelFilter,
    targets: Option<Targets>,
    inheriting: Inheriting,
    extras: Extras,
    home: Home,
    counters: Counters,
}

impl<L: Logger + Send + Sync + 'static> LogLayer<SdkRecords<L>> {
    /// A layer that writes through any logger provider: that of the SDK, with all its processors
    /// and exporters, or another.
    pub fn new<P: LoggerProvider<Logger = L>>(provider: &P) -> Self {
        Self::of_records(SdkRecords::new(provider.logger("")))
    }
}

impl LogLayer<DirectRecords> {
    /// A layer that writes straight to OTLP bytes and leaves them to `pipeline`, which sends them.
    ///
    /// Many layers may share a pipeline.
    pub fn direct(pipeline: Pipeline) -> Self {
        let limits = pipeline.limits();
        Self::of_records(DirectRecords::new(pipeline)).with_limits(limits)
    }
}

impl<R: Records> LogLayer<R> {
    pub(crate) fn of_records(records: R) -> Self {
        Self {
            records,
            owner: next_owner(),
            level: LevelFilter::TRACE,
            targets: None,
            inheriting: Inheriting {
                keys: Keys::default(),
                fields: SpanFields::all(),
                limits: Limits::from_env(),
                prepare: R::prepare(),
            },
            extras: Extras::default(),
            home: Home::default(),
            counters: Counters::default(),
        }
    }

    /// Makes records of events up to this verbosity. Default: all.
    ///
    /// The filter acts on this layer only, and inside it: the event still reaches the other layers.
    /// What makes a disabled event free is a global filter.
    #[must_use]
    pub fn with_level(self, level: impl Into<LevelFilter>) -> Self {
        Self { level: level.into(), ..self }
    }

    /// Makes records of events with these targets, at their levels. Default: all.
    #[must_use]
    pub fn with_targets(self, targets: impl Into<Targets>) -> Self {
        Self { targets: Some(targets.into()), ..self }
    }

    /// Chooses which fields of the enclosing spans a record inherits. Default: all.
    #[must_use]
    pub fn with_span_fields(mut self, fields: SpanFields) -> Self {
        self.inheriting.fields = fields;
        self
    }

    /// Adds `code.file.path`, `code.line.number` and `code.module.name`. Default: off.
    #[must_use]
    pub fn with_location(mut self, location: bool) -> Self {
        self.extras.location = location;
        self
    }

    /// Adds `thread.id` and `thread.name`. Default: off.
    #[must_use]
    pub fn with_threads(mut self, threads: bool) -> Self {
        self.extras.threads = threads;
        self
    }

    /// Sets the names of job and tool stamps.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.inheriting.keys = keys;
        self
    }

    /// Sets how much of a record is kept. Default: what [`Limits::from_env`] says.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.inheriting.limits = limits;
        self
    }

    /// The counters of this layer, to be read after the layer has gone into a subscriber.
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    fn is_enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
            && self
                .targets
                .as_ref()
                .is_none_or(|targets| targets.would_enable(metadata.target(), metadata.level()))
    }

    fn event<S>(&self, event: &Event<'_>, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        // The real metadata of a `log` record: its callsite is tracing-log's.
        let of_log = if may_be_log(event.metadata()) { event.normalized_metadata() } else { None };
        let metadata = of_log.as_ref().unwrap_or_else(|| event.metadata());
        if !self.is_enabled(metadata) {
            return;
        }
        if !correlate::alive() {
            self.counters.emitted(1);
            self.counters.dropped_thread_exit(1);
            return;
        }
        let around = Surroundings::read();
        let severity = severity_of_level(*metadata.level());
        if around.suppressed {
            self.counters.emitted(1);
            self.counters.dropped_suppressed(1);
            return;
        }
        let name = || {
            let plan = fields::plan(event.metadata(), None, self.extras.keys());
            plan.site.is_named.then(|| event.metadata().name())
        };
        if !self.records.is_enabled(severity, metadata.target(), name) {
            return;
        }
        self.counters.emitted(1);
        if sdk::is_handing_over() {
            self.counters.dropped_reentrant(1);
            return;
        }
        if !self.records.admit() {
            self.counters.dropped_overflow(1);
            return;
        }
        let make = || {
            correlate::with_thread_stack(|stack| {
                self.make_record(event, of_log.as_ref(), severity, &around, stack, ctx);
            })
        };
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(Some(())) => self.counters.delivered(1),
            // The stack is gone only after what `alive` looks at.
            Ok(None) | Err(_) => {
                self.records.unmade();
                self.counters.dropped_panicked(1);
            }
        }
    }

    /// Makes the record of an event, and hands it over.
    fn make_record<S>(
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
            let mut own = fields::Gathered::default();
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
            limits::write_gathered(&mut record, &block, own, *limits, &self.counters);
            if let Some(beside) = beside {
                beside::put_back(beside);
            }
        } else {
            let mut fields = Fields(EventSink::new(&mut record, None, site, value_limit, &self.counters));
            event.record(&mut fields);
            fields.0.finish(name);
            if !self.extras.keys().is_empty() {
                self.extras.write(metadata, |key, value| record.add_attribute(key, value));
            }
        }
        self.records.emit(record);
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
        let extra = self.extras.keys();
        let plan = fields::plan(event.metadata(), Some(block), extra);
        let most = block.attributes.len() + plan.site.len() + fields::MOST_EXTRA + extra.len();
        let beside = beside::take(plan.site.may_carry);
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

/// The number of a layer that has entries on the threads' stacks. 0 is no layer's.
pub(crate) fn next_owner() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[inline]
fn may_be_log(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "log" && metadata.name() == "log event"
}

impl<R, S> Layer<S> for LogLayer<R>
where
    R: Records,
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.home.register(dispatch);
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        self.event(event, &ctx);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        self.guarded(|| {
            let Some(span) = ctx.span(id) else { return };
            SpanState::create(&span, attributes);
            Node::of(&span, self.owner, &self.inheriting.fields);
        });
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, ctx: Context<'_, S>) {
        self.guarded(|| {
            let Some(span) = ctx.span(id) else { return };
            let recorded = fields::capture_later(values);
            Node::of(&span, self.owner, &self.inheriting.fields).record(&self.inheriting.fields, recorded);
        });
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.guarded(|| {
            let Some(span) = ctx.span(id) else { return };
            self.home.find(id, span.metadata());
            let node = Node::of(&span, self.owner, &self.inheriting.fields);
            if !node.state.has_span_layer() {
                // A plain `OpenTelemetryLayer` starts spans where we cannot see it, and a line logged
                // from inside that cannot be told from a span's first record. Asked here, it never
                // is the first: nobody holds the lock of a span that is being entered.
                correlate::ask(&node.state, id, &self.home, &self.counters);
            }
            let state = node.state.clone();
            let now = Surroundings::read();
            let around = state.job().is_none().then(correlate::ambient_job).flatten();
            correlate::enter_span(self.owner, id, &state, Some(node), now, around);
            if !state.has_span_layer() {
                correlate::note_inner(self.owner, now, now.suppressed);
            }
        });
    }

    fn on_exit(&self, id: &Id, _ctx: Context<'_, S>) {
        self.guarded(|| correlate::exit_span(self.owner, id));
    }
}

impl<R: Records> LogLayer<R> {
    /// Runs a hook other than `on_event`: not on a thread that is too far gone, and without letting
    /// a panic through. One can come from another layer's poisoned extension lock.
    fn guarded(&self, hook: impl FnOnce()) {
        if correlate::alive() && catch_unwind(AssertUnwindSafe(hook)).is_err() {
            self.counters.panicked_spans(1);
        }
    }
}
