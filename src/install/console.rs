//! The console: `fmt`, with a level of its own.

use std::io::IsTerminal;
use std::{env, fmt, io};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata};
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::writer::{BoxMakeWriter, MakeWriterExt};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::{Layer, Registry};

use crate::correlate::ambient;

/// The console's layer. It uses colours only on a terminal, and not if `NO_COLOR` is set.
pub(crate) fn layer(level: LevelFilter, writer: BoxMakeWriter) -> impl Layer<Registry> + Send + Sync {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let ansi = !no_color && io::stderr().is_terminal();
    let writer = writer.with_filter(move |metadata| is_shown(metadata, level));
    tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(ansi).event_format(EventsUpTo(level))
}

/// Whether an event is shown. An exporter's own events would make a dozen lines for each export.
fn is_shown(metadata: &Metadata<'_>, level: LevelFilter) -> bool {
    *metadata.level() <= level && !ambient::is_suppressed()
}

/// The default format of events up to a level; nothing for others, which get no writer either.
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
        match is_shown(event.metadata(), self.0) {
            true => Format::default().format_event(ctx, writer, event),
            false => Ok(()),
        }
    }
}
