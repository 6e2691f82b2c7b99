//! [`LogLayer`]: turns each event into a log record.

mod emit;
#[cfg(feature = "graph")]
pub(crate) mod recording;

use std::panic::{catch_unwind, AssertUnwindSafe};

use opentelemetry::logs::{Logger, LoggerProvider};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Subscriber};
use tracing_core::span::{Attributes, Id, Record as SpanRecord};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Layer;

use crate::correlate::dispatch::DispatchSlot;
use crate::correlate::layer_span::{InheritSettings, LayerId, LayerSpan};
use crate::correlate::new_span::create_state;
use crate::correlate::stack::OtelContext;
use crate::correlate::{ambient, resolve, stack};
use crate::event::extras::Extras;
use crate::fields::span;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::record::DirectRecords;
use crate::record::sdk::SdkRecords;
use crate::record::Records;
use crate::span_fields::SpanFields;
use crate::stats::Counters;

/// A `tracing-subscriber` layer that turns every event into an OpenTelemetry log record that
/// carries the ids of the event's span, and the metadata of its job.
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
/// Levels and targets are filtered inside the layer. Do not wrap it in a per-layer filter
/// (`with_filter`): while any layer has one, a call of `log::log_enabled!` can drop the next event
/// (tokio-rs/tracing#2519), and events do not inherit the fields of spans that the filter rejects.
#[derive(Debug)]
pub struct LogLayer<R> {
    /// Where records are emitted: an SDK logger, a pipeline, or a graph recorder.
    records: R,
    /// Marks this layer's entries on the thread's stack of spans.
    id: LayerId,
    level: LevelFilter,
    /// `None`: all targets.
    targets: Option<Targets>,
    /// Of targets that begin with these, only events at INFO and above make records.
    exporter_targets: Vec<String>,
    /// What records inherit from their span and job.
    inherit: InheritSettings,
    /// Needed to get a span's OpenTelemetry context.
    dispatch: DispatchSlot,
    counters: Counters,
}

impl<L: Logger + Send + Sync + 'static> LogLayer<SdkRecords<L>> {
    /// A layer that emits through any logger provider: the SDK's, with all its processors and
    /// exporters, or another implementation.
    pub fn new<P: LoggerProvider<Logger = L>>(provider: &P) -> Self {
        Self::of_records(SdkRecords::new(provider.logger(""))).with_exporter_targets(Self::EXPORTER_TARGETS)
    }

    /// The targets of the clients that exporters use. See
    /// [`with_exporter_targets`](Self::with_exporter_targets).
    pub const EXPORTER_TARGETS: [&'static str; 8] =
        ["h2", "hyper", "hyper_util", "reqwest", "rustls", "tonic", "tower", "ureq"];
}

impl LogLayer<DirectRecords> {
    /// A layer that encodes each record as OTLP and enqueues it in `pipeline`, which sends it.
    ///
    /// Several layers may share a pipeline.
    pub fn direct(pipeline: Pipeline) -> Self {
        let limits = pipeline.limits();
        Self::of_records(DirectRecords::new(pipeline)).with_limits(limits)
    }
}

impl<R: Records> LogLayer<R> {
    pub(crate) fn of_records(records: R) -> Self {
        Self {
            records,
            id: LayerId::next(),
            level: LevelFilter::TRACE,
            targets: None,
            exporter_targets: Vec::new(),
            inherit: InheritSettings {
                keys: Keys::default(),
                fields: SpanFields::all(),
                limits: Limits::from_env(),
                extras: Extras::default(),
                encode: R::encode_inherited(),
            },
            dispatch: DispatchSlot::default(),
            counters: Counters::default(),
        }
    }

    /// Makes records of events up to this verbosity. Default: all.
    ///
    /// This filters inside the layer: the event still reaches the other layers, and its fields are
    /// still evaluated. Only a global filter makes a disabled event free.
    #[must_use]
    pub fn with_level(self, level: impl Into<LevelFilter>) -> Self {
        Self { level: level.into(), ..self }
    }

    /// Makes records of events with these targets, at their levels. Default: all.
    #[must_use]
    pub fn with_targets(self, targets: impl Into<Targets>) -> Self {
        Self { targets: Some(targets.into()), ..self }
    }

    /// Makes no records of DEBUG and TRACE events of these targets and those below them. Default: those
    /// of the clients that exporters use, on the SDK path; none on the direct path.
    ///
    /// A client logs about each request on threads of its own, where nothing tells that it works for an
    /// exporter. Records of that would cause the next request, and so on for ever. The direct path's
    /// own clients log under suppression, and need no list.
    #[must_use]
    pub fn with_exporter_targets<T: Into<String>>(self, targets: impl IntoIterator<Item = T>) -> Self {
        Self { exporter_targets: targets.into_iter().map(Into::into).collect(), ..self }
    }

    /// Chooses which fields of the enclosing spans a record inherits. Default: all.
    #[must_use]
    pub fn with_span_fields(mut self, fields: SpanFields) -> Self {
        self.inherit.fields = fields;
        self
    }

    /// Adds `code.file.path`, `code.line.number` and `code.module.name`. Default: off.
    #[must_use]
    pub fn with_location(mut self, location: bool) -> Self {
        self.inherit.extras = self.inherit.extras.with_location(location);
        self
    }

    /// Adds `thread.id` and `thread.name`. Default: off.
    #[must_use]
    pub fn with_threads(mut self, threads: bool) -> Self {
        self.inherit.extras = self.inherit.extras.with_threads(threads);
        self
    }

    /// Sets the attribute names of job and tool metadata.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.inherit.keys = keys;
        self
    }

    /// Sets the limits of a record's attributes. Default: [`Limits::from_env`].
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.inherit.limits = limits;
        self
    }

    /// The counters of this layer. Clone them before the layer moves into a subscriber.
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }
}

impl<R, S> Layer<S> for LogLayer<R>
where
    R: Records,
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.dispatch.register(dispatch);
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        self.emit(event, &ctx);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        self.run_hook(|| {
            let Some(span) = ctx.span(id) else { return };
            create_state(&span, attributes);
            LayerSpan::of(&span, self.id, &self.inherit.fields);
        });
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, ctx: Context<'_, S>) {
        self.run_hook(|| {
            let Some(span) = ctx.span(id) else { return };
            let recorded = span::capture_fields(|visitor| values.record(visitor));
            LayerSpan::of(&span, self.id, &self.inherit.fields).record(&self.inherit.fields, recorded);
        });
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.run_hook(|| {
            let Some(span) = ctx.span(id) else { return };
            self.dispatch.find(id, span.metadata());
            let layer_span = LayerSpan::of(&span, self.id, &self.inherit.fields);
            if !layer_span.state.has_span_layer() {
                // A plain `OpenTelemetryLayer` does not announce that it starts a span, so an event
                // logged during that start (a sampler may log) looks like the span's first event,
                // and resolving its ids would deadlock. Resolve them now, while nobody holds the
                // span's lock, so that no event is the first.
                resolve::resolve_ids(&layer_span.state, id, &self.dispatch, &self.counters);
            }
            let state = layer_span.state.clone();
            let cx = OtelContext::read();
            let ambient_job = state.job().is_none().then(ambient::ambient_job).flatten();
            stack::enter_span(self.id, id, &state, Some(layer_span), cx, ambient_job);
            if !state.has_span_layer() {
                ambient::restore_innermost_job(self.id, cx, cx.suppressed);
            }
        });
    }

    fn on_exit(&self, id: &Id, _ctx: Context<'_, S>) {
        self.run_hook(|| stack::exit_span(self.id, id));
    }
}

impl<R: Records> LogLayer<R> {
    /// Runs a hook other than `on_event`, unless this thread's locals are destroyed. Catches
    /// panics: another layer may have poisoned the extension lock.
    fn run_hook(&self, hook: impl FnOnce()) {
        if stack::alive() && catch_unwind(AssertUnwindSafe(hook)).is_err() {
            self.counters.panicked_spans(1);
        }
    }
}
