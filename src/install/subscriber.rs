//! The subscriber: a global filter, and the layers of spans, records and console above it.

use opentelemetry::trace::TracerProvider;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::logs::SdkLogger;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level, Subscriber};
use tracing_subscriber::filter::{filter_fn, EnvFilter};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Identity, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::error::Error;
use crate::install::console;
use crate::install::recording::RecordingLayer;
use crate::keys::Keys;
use crate::layer::LogLayer;
use crate::otlp::record::DirectRecords;
use crate::otlp::settings::variables;
use crate::record::sdk::SdkRecords;
use crate::spans::SpanLayer;

type Boxed<S> = Box<dyn Layer<S> + Send + Sync>;

/// The level of each output, and the global filter, which enables what any of them needs.
pub(crate) struct Levels {
    pub(crate) filter: Boxed<Registry>,
    pub(crate) records: LevelFilter,
    pub(crate) console: LevelFilter,
}

impl Levels {
    pub(crate) fn find(
        level: LevelFilter,
        console: Option<LevelFilter>,
        directives: Option<&str>,
    ) -> Result<Self, Error> {
        let variable = variables::try_text("RUST_LOG")?;
        let directives = match &variable {
            Some(variable) => Some(parse("RUST_LOG", variable)?),
            None => directives.map(|directives| parse("with_filter", directives)).transpose()?,
        };
        Ok(match directives {
            Some(filter) => Self {
                filter: Box::new(filter),
                records: LevelFilter::TRACE,
                console: console.unwrap_or(LevelFilter::TRACE),
            },
            None => {
                let console = console.unwrap_or(level);
                Self { filter: up_to(level.max(console)), records: level, console }
            }
        })
    }
}

fn parse(name: &str, directives: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder()
        .parse(directives)
        .map_err(|error| Error::setting(name, directives, "a list of target=level").with_source(error))
}

/// Keeps spans up to INFO at any level, for the ids of the records inside.
fn up_to(level: LevelFilter) -> Boxed<Registry> {
    let of_spans = level.max(LevelFilter::INFO);
    let filter =
        filter_fn(move |metadata| *metadata.level() <= if metadata.is_span() { of_spans } else { level });
    Box::new(filter.with_max_level_hint(of_spans))
}

/// The log layers, on either path.
pub(crate) enum Logs {
    /// One layer for each pipeline; none if there is no destination.
    Direct(Vec<LogLayer<DirectRecords>>),
    Sdk(Box<LogLayer<SdkRecords<SdkLogger>>>),
}

/// The layers above the filter.
pub(crate) struct Layers<'a> {
    pub(crate) spans: Option<&'a SdkTracerProvider>,
    pub(crate) keys: Keys,
    pub(crate) logs: Logs,
    /// The recorder's own layer, if its records do not come through `logs`.
    pub(crate) recording_layer: Option<RecordingLayer>,
    pub(crate) console: Option<(LevelFilter, BoxMakeWriter)>,
}

/// Absent layers are `Identity`, as an `Option` does not forward `on_register_dispatch` to its
/// layer.
pub(crate) fn assemble(filter: Boxed<Registry>, layers: Layers<'_>) -> Dispatch {
    let subscriber = tracing_subscriber::registry().with(filter);
    let subscriber = subscriber.with(span_layer(layers.spans, layers.keys));
    let subscriber = subscriber.with(log_layer(layers.logs));
    let subscriber = subscriber.with(match layers.recording_layer {
        Some(layer) => Box::new(layer) as Boxed<_>,
        None => Box::new(Identity::new()),
    });
    Dispatch::new(subscriber.with(match layers.console {
        Some((level, writer)) => console::layer(level, writer),
        None => Box::new(Identity::new()),
    }))
}

fn span_layer<S>(provider: Option<&SdkTracerProvider>, keys: Keys) -> Boxed<S>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let Some(provider) = provider else { return Box::new(Identity::new()) };
    let scope =
        InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(env!("CARGO_PKG_VERSION")).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer_with_scope(scope))
        // These attributes depend on how busy the thread was, which is of no use for the job.
        .with_tracked_inactivity(false);
    Box::new(SpanLayer::new(layer).with_keys(keys))
}

fn log_layer<S>(logs: Logs) -> Boxed<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let layers = match logs {
        Logs::Direct(layers) => layers,
        Logs::Sdk(layer) => return layer,
    };
    layers
        .into_iter()
        .map(|layer| Box::new(layer) as Boxed<S>)
        .reduce(|first, second| Box::new(first.and_then(second)))
        .unwrap_or_else(|| Box::new(Identity::new()))
}

/// The maximum level of this process's subscribers, as a level of the `log` crate.
pub(crate) fn log_level() -> log::LevelFilter {
    match LevelFilter::current().into_level() {
        None => log::LevelFilter::Off,
        Some(Level::ERROR) => log::LevelFilter::Error,
        Some(Level::WARN) => log::LevelFilter::Warn,
        Some(Level::INFO) => log::LevelFilter::Info,
        Some(Level::DEBUG) => log::LevelFilter::Debug,
        Some(Level::TRACE) => log::LevelFilter::Trace,
    }
}
