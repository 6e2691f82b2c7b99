//! The console: `fmt`, with a level of its own.

use std::io::IsTerminal;
use std::{env, io};

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{fmt, Layer};

use crate::correlate::ambient;

/// The console's layer. It uses colours only on a terminal, and not if `NO_COLOR` is set.
pub(crate) fn layer<S>(level: LevelFilter, writer: BoxMakeWriter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let ansi = !no_color && io::stderr().is_terminal();
    Box::new(EventsUpTo { level, inner: fmt::layer().with_writer(writer).with_ansi(ansi) })
}

/// Restricts a layer to events up to a level, but not to spans.
///
/// A per-layer filter is no alternative: while any layer has one, a call of `log::log_enabled!` can
/// drop the next event for all layers (tokio-rs/tracing#2519), and it would hide spans from the
/// lines inside them.
struct EventsUpTo<L> {
    level: LevelFilter,
    inner: L,
}

impl<S: Subscriber, L: Layer<S>> Layer<S> for EventsUpTo<L> {
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.inner.on_register_dispatch(dispatch);
    }

    fn on_layer(&mut self, subscriber: &mut S) {
        self.inner.on_layer(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.inner.register_callsite(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        self.inner.enabled(metadata, ctx)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.inner.max_level_hint()
    }

    fn event_enabled(&self, event: &Event<'_>, ctx: Context<'_, S>) -> bool {
        self.inner.event_enabled(event, ctx)
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        // An exporter's own events would make a dozen lines for each export.
        if *event.metadata().level() <= self.level && !ambient::is_suppressed() {
            self.inner.on_event(event, ctx);
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        self.inner.on_new_span(attributes, id, ctx);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        self.inner.on_record(id, values, ctx);
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        self.inner.on_follows_from(id, follows, ctx);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.inner.on_enter(id, ctx);
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        self.inner.on_exit(id, ctx);
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        self.inner.on_close(id, ctx);
    }

    fn on_id_change(&self, old: &Id, new: &Id, ctx: Context<'_, S>) {
        self.inner.on_id_change(old, new, ctx);
    }
}
