//! The subscriber: a global filter, and the layers of spans, records and console above it.

use opentelemetry::trace::TracerProvider;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::Dispatch;
use tracing_subscriber::filter::{filter_fn, EnvFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use crate::error::Error;
use crate::keys::Keys;
use crate::otlp::settings::variables;
use crate::spans::SpanLayer;

pub(crate) type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// The level of each output, and the global filter, which enables what any of them needs.
pub(crate) struct Levels {
    pub(crate) filter: Boxed,
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
fn up_to(level: LevelFilter) -> Boxed {
    let of_spans = level.max(LevelFilter::INFO);
    let filter =
        filter_fn(move |metadata| *metadata.level() <= if metadata.is_span() { of_spans } else { level });
    Box::new(filter.with_max_level_hint(of_spans))
}

/// Stacks the layers on the filter, the first one lowest. As one layer: a `Vec` of layers would
/// have no maximum level, and an `Option` does not forward `on_register_dispatch` to its layer.
pub(crate) fn assemble(filter: Boxed, layers: Vec<Boxed>) -> Dispatch {
    let stack = layers.into_iter().fold(filter, |below, layer| Box::new(below.and_then(layer)));
    Dispatch::new(tracing_subscriber::registry().with(stack))
}

pub(crate) fn span_layer(provider: &SdkTracerProvider, keys: Keys) -> Boxed {
    let scope =
        InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(env!("CARGO_PKG_VERSION")).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer_with_scope(scope))
        // These attributes depend on how busy the thread was, which is of no use for the job.
        .with_tracked_inactivity(false);
    Box::new(SpanLayer::new(layer).with_keys(keys))
}

/// The maximum level of this process's subscribers, as a level of the `log` crate.
pub(crate) fn log_level() -> log::LevelFilter {
    // Both name their levels alike.
    LevelFilter::current().to_string().parse().unwrap_or(log::LevelFilter::Trace)
}
