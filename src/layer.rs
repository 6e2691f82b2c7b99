//! [`LogLayer`]: the first step of the walk. An event comes in, a record goes out.

mod make;
#[cfg(feature = "graph")]
pub(crate) mod recording;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::logs::{Logger, LoggerProvider};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_core::span::{Attributes, Id, Record as SpanRecord};
use tracing_log::NormalizeEvent;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Layer;

use crate::correlate::{self, Home, SpanState, Surroundings};
use crate::fields;
use crate::inherit::{Inheriting, Node, SpanFields};
use crate::keys::Keys;
use crate::limits::{Extras, Limits};
use crate::otlp::record::DirectRecords;
use crate::otlp::Pipeline;
use crate::record::{severity_of_level, Records};
use crate::sdk::{self, SdkRecords};
use crate::stats::{Counters, Thread};

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
        self.extras = self.extras.with_location(location);
        self
    }

    /// Adds `thread.id` and `thread.name`. Default: off.
    #[must_use]
    pub fn with_threads(mut self, threads: bool) -> Self {
        self.extras = self.extras.with_threads(threads);
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
            let plan = fields::plan(event.metadata(), None, self.extras.keys);
            plan.site.is_named.then(|| event.metadata().name())
        };
        if !self.records.is_enabled(severity, metadata.target(), name) {
            return;
        }
        let thread = Thread::current();
        let counters = self.counters.of(thread);
        counters.emitted(1);
        if sdk::is_handing_over() {
            counters.dropped_reentrant(1);
            return;
        }
        if !self.records.admit(thread) {
            counters.dropped_overflow(1);
            return;
        }
        let make = || {
            correlate::with_thread_stack(|stack| {
                self.make_record(event, of_log.as_ref(), severity, &around, stack, ctx);
            })
        };
        match catch_unwind(AssertUnwindSafe(make)) {
            Ok(Some(())) => counters.delivered(1),
            // The stack is gone only after what `alive` looks at.
            Ok(None) | Err(_) => {
                self.records.unmade();
                counters.dropped_panicked(1);
            }
        }
    }
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
