//! The global filter: directives or a level choose the events; spans up to a level are kept anyway,
//! because a record without its span has no ids.

use std::cmp::max;

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_core::span::{Attributes, Id, Record};
use tracing_subscriber::filter::{filter_fn, EnvFilter, Targets};
use tracing_subscriber::layer::Context;
use tracing_subscriber::{Layer, Registry};

use crate::error::Error;

pub(crate) type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Events up to `level`, and spans up to `spans` or the same, if that is more.
pub(crate) fn up_to(level: LevelFilter, spans: LevelFilter) -> Boxed {
    let spans = max(level, spans);
    let filter =
        filter_fn(move |metadata| *metadata.level() <= if metadata.is_span() { spans } else { level });
    Box::new(filter.with_max_level_hint(spans))
}

/// What `directives` enable, and spans up to `spans` that no directive turns off. `name` is the
/// setting that the directives are from.
pub(crate) fn directed(name: &str, directives: &str, spans: LevelFilter) -> Result<Boxed, Error> {
    let events = EnvFilter::builder()
        .parse(directives)
        .map_err(|error| Error::setting(name, directives, "a list of target=level").with_source(error))?;
    Ok(Box::new(KeepSpans { directives: events, level: spans, off: Off::of(directives) }))
}

/// The directives, except that spans are kept. A directive about the spans of a name chooses the
/// events inside them, as in tracing-subscriber. That keeps such spans also with `[name]=off`; here
/// they are removed.
struct KeepSpans {
    directives: EnvFilter,
    level: LevelFilter,
    off: Off,
}

impl KeepSpans {
    fn keeps(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && *metadata.level() <= self.level && !self.off.has_target(metadata)
    }
}

impl<S: Subscriber> Layer<S> for KeepSpans {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Directives about spans are matched with the callsites that are registered.
        let interest = Layer::<S>::register_callsite(&self.directives, metadata);
        match metadata {
            _ if self.off.has_span(metadata) => Interest::never(),
            _ if self.keeps(metadata) => Interest::always(),
            _ => interest,
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Layer::<S>::max_level_hint(&self.directives).map(|hint| max(hint, self.level))
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        !self.off.has_span(metadata) && (self.keeps(metadata) || self.directives.enabled(metadata, ctx))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        self.directives.on_new_span(attributes, id, ctx);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        self.directives.on_record(id, values, ctx);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.directives.on_enter(id, ctx);
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        self.directives.on_exit(id, ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        self.directives.on_close(id, ctx);
    }
}

/// What directives turn off by name.
struct Off {
    targets: Targets,
    /// Targets, which may be empty, and names: of `target[name]=off`.
    spans: Vec<(String, String)>,
}

impl Off {
    /// `directives` can be parsed as such.
    fn of(directives: &str) -> Self {
        let parts = directives.split(',').filter(|part| !part.is_empty());
        let (of_spans, of_targets): (Vec<_>, Vec<_>) = parts.partition(|part| part.contains(['[', '{']));
        let targets: Targets = of_targets.join(",").parse().unwrap_or_default();
        // A directive for one target says nothing about others.
        let default = targets.default_level().unwrap_or(LevelFilter::TRACE);
        let spans = of_spans.into_iter().filter_map(|part| {
            let (span, level) = part.rsplit_once("]=")?;
            let (target, name) = span.split_once('[')?;
            let is_off = level.parse::<LevelFilter>().is_ok_and(|level| level == LevelFilter::OFF);
            // With fields, it is about some spans of that name.
            (is_off && !name.contains('{')).then(|| (target.to_owned(), name.to_owned()))
        });
        Self { targets: targets.with_default(default), spans: spans.collect() }
    }

    fn has_target(&self, metadata: &Metadata<'_>) -> bool {
        !self.targets.would_enable(metadata.target(), &Level::ERROR)
    }

    fn has_span(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
            && self.spans.iter().any(|(target, name)| {
                metadata.name() == name && metadata.target().starts_with(target.as_str())
            })
    }
}
