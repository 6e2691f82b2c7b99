//! The console: `fmt`, with a level of its own.

use std::io::IsTerminal;
use std::{env, fmt, io};

use tracing::level_filters::LevelFilter;
use tracing::Event;
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::{Layer, Registry};

use crate::correlate::ambient;

/// The console's layer. It uses colours only on a terminal, and not if `NO_COLOR` is set.
pub(crate) fn layer(level: LevelFilter, writer: BoxMakeWriter) -> impl Layer<Registry> + Send + Sync {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let ansi = !no_color && io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(ansi);
    layer.event_format(EventsUpTo(level))
}

/// The default format of events up to a level; nothing for others.
///
/// A per-layer filter is no alternative: while any layer has one, a call of `log::log_enabled!` can
/// drop the next event for all layers (tokio-rs/tracing#2519), and it would hide spans from the
/// lines inside them.
struct EventsUpTo(LevelFilter);

impl<N: for<'writer> FormatFields<'writer> + 'static> FormatEvent<Registry, N> for EventsUpTo {
    fn format_event(
        &self,
        ctx: &FmtContext<'_, Registry, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // An exporter's own events would make a dozen lines for each export.
        if *event.metadata().level() > self.0 || ambient::is_suppressed() {
            return Ok(());
        }
        Format::default().format_event(ctx, writer, event)
    }
}
