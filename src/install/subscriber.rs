//! The subscriber: a global filter, and the layers of spans, records and console above it.

use opentelemetry::trace::TracerProvider;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::Layer;

use crate::error::Error;
use crate::install::filter::{directed, up_to, Boxed};
use crate::keys::Keys;
use crate::otlp::settings::variables;
use crate::spans::SpanLayer;

/// The level of each output, and the global filter, which enables what any of them needs.
pub(crate) struct Levels {
    /// The directives, or the level, for people.
    pub(crate) name: String,
    pub(crate) filter: Boxed,
    pub(crate) records: LevelFilter,
    pub(crate) console: LevelFilter,
}

impl Levels {
    pub(crate) fn find(
        level: LevelFilter,
        console: Option<LevelFilter>,
        spans: LevelFilter,
        directives: Option<&str>,
    ) -> Result<Self, Error> {
        let variable = variables::try_text("RUST_LOG")?;
        let variable = variable.as_deref().map(|directives| ("RUST_LOG", directives));
        Ok(match variable.or(directives.map(|directives| ("with_filter", directives))) {
            Some((setting, directives)) => Self {
                name: format!("{directives} ({setting})"),
                filter: directed(setting, directives, spans)?,
                records: LevelFilter::TRACE,
                console: console.unwrap_or(LevelFilter::TRACE),
            },
            None => {
                let console = console.unwrap_or(level);
                let most = level.max(console);
                let name = format!("{most}");
                Self { name, filter: up_to(most, spans), records: level, console }
            }
        })
    }
}

/// Stacks the layers on the filter, the first one lowest. As one layer: a `Vec` of layers would
/// have no maximum level, and an `Option` does not forward `on_register_dispatch` to its layer.
pub(crate) fn assemble(filter: Boxed, layers: Vec<Boxed>) -> Dispatch {
    let stack = layers.into_iter().fold(filter, |below, layer| Box::new(below.and_then(layer)));
    Dispatch::new(tracing_subscriber::registry().with(stack))
}

pub(crate) fn span_layer(
    provider: &SdkTracerProvider,
    keys: Keys,
    instrument_err: bool,
    span_events: LevelFilter,
) -> Boxed {
    let scope =
        InstrumentationScope::builder(env!("CARGO_PKG_NAME")).with_version(env!("CARGO_PKG_VERSION")).build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer_with_scope(scope))
        // These attributes depend on how busy the thread was, which is of no use for the job.
        .with_tracked_inactivity(false);
    let layer = SpanLayer::new(layer).with_keys(keys);
    Box::new(layer.with_instrument_err(instrument_err).with_span_events(span_events))
}

/// The maximum level of this process's subscribers, as a level of the `log` crate.
pub(crate) fn log_level() -> log::LevelFilter {
    // Both name their levels alike.
    LevelFilter::current().to_string().parse().unwrap_or(log::LevelFilter::Trace)
}
