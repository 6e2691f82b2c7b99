//! The arrangements of layers in which the crate must behave alike, and the records and spans that
//! a test produced in one.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

#[path = "capture.rs"]
pub mod capture;
#[path = "finished.rs"]
pub mod finished;
#[path = "seen.rs"]
pub mod seen;
#[path = "spans.rs"]
pub mod spans;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{SpanId, TraceId, TracerProvider};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanProcessor,
    TracerProviderBuilder,
};
use spanlog::{Counters, JobSpanProcessor, LogLayer, SpanLayer};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{reload, Layer, Registry};

use self::capture::Capture;
pub use self::seen::Seen;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    LogFirst,
    SpanFirst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spans {
    /// Our `SpanLayer`.
    Ours,
    /// tracing-opentelemetry's layer as it is.
    Plain,
    /// No span layer at all.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    Bare,
    Option,
    /// Inside a `reload` layer from the start.
    Reload,
    /// Put in by `reload` after the subscriber was built.
    Reloaded,
    /// Inside `with_filter`, as the documentation advises against. Not in any list: a negative
    /// control.
    Filtered,
}

/// One way to put the layers together.
#[derive(Clone, Copy, PartialEq)]
pub struct Arrangement {
    pub order: Order,
    pub spans: Spans,
    pub activation: bool,
    pub wrap: Wrap,
    pub level: LevelFilter,
    pub sampled: bool,
    /// A dependency asks `log::log_enabled!` before each event, and a neighbouring layer has a
    /// per-layer filter that rejects the dependency: the arrangement of tokio-rs/tracing#2519.
    pub log_enabled: bool,
    /// Which events our span layer copies into spans.
    pub span_events: LevelFilter,
}

impl fmt::Debug for Arrangement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[{:?} spans:{:?} activation:{} {:?} level:{} sampled:{} log_enabled:{}]",
            self.order, self.spans, self.activation, self.wrap, self.level, self.sampled, self.log_enabled
        )
    }
}

/// Longer than anything that does not hang.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

pub const USUAL: Arrangement = Arrangement {
    order: Order::SpanFirst,
    spans: Spans::Ours,
    activation: true,
    wrap: Wrap::Bare,
    level: LevelFilter::TRACE,
    sampled: true,
    log_enabled: false,
    span_events: LevelFilter::OFF,
};

impl Arrangement {
    /// Every arrangement with a span layer.
    pub fn with_spans() -> Vec<Self> {
        let mut all = Vec::new();
        for order in [Order::LogFirst, Order::SpanFirst] {
            for spans in [Spans::Ours, Spans::Plain] {
                for activation in [true, false] {
                    for wrap in [Wrap::Bare, Wrap::Option, Wrap::Reload, Wrap::Reloaded] {
                        for (level, sampled, log_enabled) in [
                            (LevelFilter::TRACE, true, false),
                            (LevelFilter::WARN, true, true),
                            (LevelFilter::WARN, false, false),
                            (LevelFilter::TRACE, false, true),
                        ] {
                            let usual = Self { order, spans, activation, wrap, ..USUAL };
                            all.push(Self { level, sampled, log_enabled, ..usual });
                        }
                    }
                }
            }
        }
        all
    }

    /// Those with our own span layer, with which all of the contract is promised.
    pub fn with_span_layer() -> Vec<Self> {
        Self::with_spans().into_iter().filter(|arrangement| arrangement.spans == Spans::Ours).collect()
    }

    /// Those of them whose finished spans can be looked at.
    pub fn with_sampled_span_layer() -> Vec<Self> {
        Self::with_span_layer().into_iter().filter(|arrangement| arrangement.sampled).collect()
    }

    /// Those without any span layer.
    pub fn without_spans() -> Vec<Self> {
        [Wrap::Bare, Wrap::Option, Wrap::Reload, Wrap::Reloaded]
            .into_iter()
            .flat_map(|wrap| {
                [(LevelFilter::TRACE, false), (LevelFilter::WARN, true)].map(|(level, log_enabled)| Self {
                    spans: Spans::None,
                    wrap,
                    level,
                    log_enabled,
                    ..USUAL
                })
            })
            .collect()
    }

    pub fn all() -> Vec<Self> {
        Self::with_spans().into_iter().chain(Self::without_spans()).collect()
    }

    pub fn build(self) -> Fixture {
        self.build_with(LogSettings::default())
    }

    /// Builds the subscriber with these settings of the log layer.
    pub fn build_with(self, settings: LogSettings) -> Fixture {
        self.build_from(Capture::default(), settings, |provider| provider)
    }

    /// Builds the subscriber with a changed tracer provider.
    pub fn build_traced(
        self,
        processors: impl FnOnce(TracerProviderBuilder) -> TracerProviderBuilder,
    ) -> Fixture {
        self.build_from(Capture::default(), LogSettings::default(), processors)
    }

    /// Builds the subscriber with another processor of the SDK's records.
    pub fn build_capturing(self, capture: Capture) -> Fixture {
        self.build_from(capture, LogSettings::default(), |provider| provider)
    }

    fn build_from(
        self,
        capture: Capture,
        settings: LogSettings,
        processors: impl FnOnce(TracerProviderBuilder) -> TracerProviderBuilder,
    ) -> Fixture {
        let spans = InMemorySpanExporter::default();
        let sampler = if self.sampled { Sampler::AlwaysOn } else { Sampler::AlwaysOff };
        let builder =
            SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(JobSpanProcessor::new());
        let direct = (crate::KIND == Kind::Direct).then(spanlog::testing::pipeline);
        let builder = processors(builder);
        let builder = match &direct {
            Some((pipeline, _)) => builder.with_span_processor(pipeline.span_processor()),
            None => builder.with_simple_exporter(spans.clone()),
        };
        let tracer_provider = builder.build();
        let tracer = tracer_provider.tracer("test");
        let neighbour = Neighbour::default();
        if self.log_enabled {
            // Without a logger, `log_enabled!` returns false without consulting the layers.
            install_log_tracer();
        }
        let (logs, counters, dispatch) = match direct {
            None => {
                let provider = capture.provider();
                let layer = settings.apply(LogLayer::new(&provider).with_level(self.level));
                let counters = layer.counters();
                (Logs::Sdk(capture, provider), counters, self.assemble(layer, tracer.clone(), &neighbour))
            }
            Some((pipeline, requests)) => {
                let layer = settings.apply(LogLayer::direct(pipeline.clone()).with_level(self.level));
                let counters = layer.counters();
                (Logs::Direct(pipeline, requests), counters, self.assemble(layer, tracer.clone(), &neighbour))
            }
        };
        Fixture {
            arrangement: self,
            dispatch,
            logs,
            spans,
            tracer_provider,
            tracer,
            counters,
            neighbour,
            are_logs_shut_down: AtomicBool::new(false),
        }
    }

    fn assemble<L>(self, layer: L, tracer: SdkTracer, neighbour: &Neighbour) -> Dispatch
    where
        L: Layer<Base> + Layer<Layered<BoxedLayer<Base>, Base>> + Send + Sync + 'static,
    {
        let base = Registry::default().with(self.neighbour(neighbour));
        let (dispatch, reload) = match self.order {
            Order::LogFirst => {
                let (log, reload) = self.wrapped(layer);
                (Dispatch::new(base.with(log).with(self.span_layer(tracer))), reload)
            }
            Order::SpanFirst => {
                let base = base.with(self.span_layer(tracer));
                let (log, reload) = self.wrapped(layer);
                (Dispatch::new(base.with(log)), reload)
            }
        };
        // Under this default, by which tracing rebuilds its caches.
        tracing::dispatcher::with_default(&dispatch, reload);
        dispatch
    }

    fn neighbour(self, neighbour: &Neighbour) -> BoxedLayer<Registry> {
        match self.log_enabled {
            true => Box::new(neighbour.clone().with_filter(all_but_the_dependency())),
            false => Box::new(tracing_subscriber::layer::Identity::new()),
        }
    }

    fn wrapped<S, L>(self, layer: L) -> (BoxedLayer<S>, Box<dyn FnOnce()>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        L: Layer<S> + Send + Sync + 'static,
    {
        match self.wrap {
            Wrap::Bare => (Box::new(layer), Box::new(|| ())),
            Wrap::Option => (Box::new(Some(layer)), Box::new(|| ())),
            Wrap::Filtered => (Box::new(layer.with_filter(all_but_the_dependency())), Box::new(|| ())),
            Wrap::Reload => (Box::new(reload::Layer::new(layer).0), Box::new(|| ())),
            Wrap::Reloaded => {
                let (reloadable, handle) = reload::Layer::new(None::<L>);
                (Box::new(reloadable), Box::new(move || handle.reload(Some(layer)).unwrap()))
            }
        }
    }

    fn span_layer<S>(self, tracer: SdkTracer) -> BoxedLayer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let inner =
            tracing_opentelemetry::layer().with_tracer(tracer).with_context_activation(self.activation);
        match self.spans {
            Spans::Ours => Box::new(SpanLayer::new(inner).with_span_events(self.span_events)),
            Spans::Plain => Box::new(inner),
            Spans::None => Box::new(tracing_subscriber::layer::Identity::new()),
        }
    }
}

/// Runs `test` under the subscriber of each arrangement.
pub fn each(arrangements: Vec<Arrangement>, mut test: impl FnMut(&Fixture)) {
    assert!(!arrangements.is_empty());
    for arrangement in arrangements {
        let fixture = arrangement.build();
        fixture.run(|| test(&fixture));
    }
}

/// The kinds of record: each behaviour test runs on both, in a test binary for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sdk,
    Direct,
}

/// Settings of a log layer of either kind, as the layer names them. What is `None` is the layer's
/// own default.
#[derive(Default)]
pub struct LogSettings {
    pub span_fields: Option<spanlog::SpanFields>,
    pub limits: Option<spanlog::Limits>,
    pub targets: Option<Targets>,
    pub level: Option<LevelFilter>,
    pub location: bool,
    pub threads: bool,
}

impl LogSettings {
    fn apply<R: spanlog::Records>(self, layer: LogLayer<R>) -> LogLayer<R> {
        let mut layer = layer.with_location(self.location).with_threads(self.threads);
        if let Some(fields) = self.span_fields {
            layer = layer.with_span_fields(fields);
        }
        if let Some(limits) = self.limits {
            layer = layer.with_limits(limits);
        }
        if let Some(targets) = self.targets {
            layer = layer.with_targets(targets);
        }
        if let Some(level) = self.level {
            layer = layer.with_level(level);
        }
        layer
    }
}

/// Where a fixture's records arrive.
enum Logs {
    Sdk(Capture, SdkLoggerProvider),
    Direct(spanlog::otlp::Pipeline, spanlog::testing::Requests),
}

/// What the two layers are added to.
type Base = Layered<BoxedLayer<Registry>, Registry>;

type BoxedLayer<S> = Box<dyn Layer<S> + Send + Sync>;

/// A built arrangement, and where its records and spans arrive. A test that fails prints the
/// arrangement.
pub struct Fixture {
    pub arrangement: Arrangement,
    pub dispatch: Dispatch,
    logs: Logs,
    spans: InMemorySpanExporter,
    pub tracer_provider: SdkTracerProvider,
    pub tracer: SdkTracer,
    pub counters: Counters,
    neighbour: Neighbour,
    are_logs_shut_down: AtomicBool,
}

/// Counts the events that reach it.
#[derive(Clone, Default)]
struct Neighbour(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Neighbour {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Decides for a callsite once and for all, so that tracing does not consult it again at the event:
/// then its answer to `log_enabled!` counts for the next event.
fn all_but_the_dependency() -> Targets {
    Targets::new().with_default(LevelFilter::TRACE).with_target(DEPENDENCY, LevelFilter::OFF)
}

const DEPENDENCY: &str = "dependency";

impl Drop for Fixture {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed in {:?}", self.arrangement);
        }
    }
}

impl Fixture {
    /// Runs `script` under this subscriber.
    pub fn run<T>(&self, script: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch, script)
    }

    pub fn records(&self) -> Vec<Seen> {
        match &self.logs {
            Logs::Sdk(kept, _) => kept.map(Seen::of_sdk),
            Logs::Direct(pipeline, requests) => {
                // An error if a record was lost, which is for the test to find out.
                let _ = pipeline.flush(PATIENCE);
                assert!(pipeline.stats().pending == 0 || self.are_logs_shut_down.load(Ordering::Relaxed));
                requests.bytes().iter().flat_map(|request| Seen::of_request(request)).collect()
            }
        }
    }

    pub fn bodies(&self) -> Vec<String> {
        self.records().iter().map(|record| record.body_text().to_owned()).collect()
    }

    /// How many events have reached the neighbouring layer that has a per-layer filter.
    pub fn neighbours_events(&self) -> usize {
        self.neighbour.0.load(Ordering::Relaxed)
    }

    /// Shuts down the log provider or the pipeline.
    pub fn shut_down_logs(&self) {
        self.are_logs_shut_down.store(true, Ordering::Relaxed);
        match &self.logs {
            Logs::Sdk(_, provider) => provider.shutdown().unwrap(),
            Logs::Direct(pipeline, _) => {
                pipeline.shutdown(PATIENCE);
            }
        }
    }

    /// The one record with this body.
    pub fn record(&self, body: &str) -> Seen {
        let records = self.records();
        let mut found = records
            .iter()
            .filter(|record| matches!(&record.body, Some(AnyValue::String(text)) if text.as_str() == body));
        let Some(record) = found.next() else {
            let counted = self.counters.snapshot();
            panic!("no record {body:?} among {records:#?}, {counted:?}")
        };
        assert!(found.next().is_none(), "two records {body:?}");
        record.clone()
    }

    /// The finished spans: what the SDK exports, or what the pipeline's receiver gets.
    pub fn spans(&self) -> Vec<SpanData> {
        match &self.logs {
            Logs::Sdk(..) => self.spans.get_finished_spans().unwrap(),
            Logs::Direct(pipeline, requests) => {
                // An error if a record was lost, which is for the test to find out.
                let _ = pipeline.flush(PATIENCE);
                let stats = pipeline.span_stats();
                assert_eq!(stats.emitted, stats.delivered, "{stats:?}");
                requests.span_bytes().iter().flat_map(|request| finished::of_request(request)).collect()
            }
        }
    }

    /// The one finished span of this name.
    pub fn span(&self, name: &str) -> SpanData {
        let spans = self.spans();
        let mut found = spans.iter().filter(|span| span.name == name);
        let Some(span) = found.next() else {
            panic!("no span {name:?} among {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>())
        };
        assert!(found.next().is_none(), "two spans {name:?}");
        span.clone()
    }

    /// Asserts that the record has the ids of the span, which must have ids, and its sampled flag.
    #[track_caller]
    pub fn assert_in_span(&self, body: &str, span: &tracing::Span) {
        let record = self.record(body);
        let ids = self.ids_of(span);
        assert!(ids.is_some(), "the span has no ids");
        assert_eq!(record.ids, ids, "{body:?}");
        let sampled = record.flags.map(|flags| flags.is_sampled());
        assert_eq!(sampled, Some(self.arrangement.sampled), "{body:?}");
    }

    /// A span's ids according to tracing-opentelemetry.
    pub fn ids_of(&self, span: &tracing::Span) -> Option<(TraceId, SpanId)> {
        use opentelemetry::trace::TraceContextExt;
        let cx = tracing_opentelemetry::get_otel_context(&span.id()?, &self.dispatch)?;
        let span = cx.span().span_context().clone();
        span.is_valid().then(|| (span.trace_id(), span.span_id()))
    }

    #[track_caller]
    pub fn assert_no_ids(&self, body: &str) {
        let record = self.record(body);
        assert_eq!(record.ids, None, "{body:?}");
    }
}

/// Calls `log_enabled!`, as a dependency would, if the arrangement has one.
pub fn ask_log(arrangement: Arrangement) {
    if arrangement.log_enabled {
        // Some layer has no filter, so the answer is true. False would mean that no layer was
        // consulted.
        assert!(log::log_enabled!(target: DEPENDENCY, log::Level::Info), "no logger is installed");
    }
}

/// The attributes of a finished span; a duplicate key is a failure.
pub fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for attribute in &span.attributes {
        let twice = map.insert(attribute.key.to_string(), attribute.value.to_string());
        assert!(twice.is_none(), "{} is twice on {}: {:?}", attribute.key, span.name, span.attributes);
    }
    map
}

/// A processor that runs a function when a span starts, when one ends, and when it is shut down.
pub struct Hooks<S, E, D = fn()> {
    pub start: S,
    pub end: E,
    pub shutdown: D,
}

impl<S, E, D> fmt::Debug for Hooks<S, E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

impl<S, E, D> SpanProcessor for Hooks<S, E, D>
where
    S: Fn() + Send + Sync,
    E: Fn() + Send + Sync,
    D: Fn() + Send + Sync,
{
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {
        (self.start)();
    }

    fn on_end(&self, _: SpanData) {
        (self.end)();
    }

    fn force_flush(&self) -> opentelemetry_sdk::error::OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: std::time::Duration) -> opentelemetry_sdk::error::OTelSdkResult {
        (self.shutdown)();
        Ok(())
    }
}

/// Installs our `LogTracer` in this process, once.
pub fn install_log_tracer() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| spanlog::LogTracer::install(log::LevelFilter::Trace).unwrap());
}

/// Fails where the test would otherwise hang.
pub fn within<T: Send + 'static>(seconds: u64, what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || {
        let _ = sender.send(work());
    });
    match receiver.recv_timeout(std::time::Duration::from_secs(seconds)) {
        Ok(result) => result,
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("{what}: hangs"),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(worker.join().err().unwrap_or_else(|| Box::new("gone")))
        }
    }
}
