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
use crate::correlate::span_state::{OtelSpan, SpanState};
use crate::examined;
use crate::panic_message;
use crate::record::Ids;

/// The form of the console's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsoleFormat {
    /// Text for people. A message of several lines is indented, so that none of them looks like a line
    /// of its own.
    #[default]
    Text,
    /// One JSON object on each line.
    Json,
}

/// How the console shows events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    pub(crate) format: ConsoleFormat,
    /// Whether text has the ids of the event's span.
    pub(crate) ids: bool,
    pub(crate) level: LevelFilter,
}

impl Console {
    /// The console's layer. It uses colours only on a terminal, and not if `NO_COLOR` is set.
    pub(crate) fn layer(self, writer: BoxMakeWriter) -> Box<dyn Layer<Registry> + Send + Sync> {
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let ansi = !no_color && io::stderr().is_terminal();
        let writer = writer.with_filter(move |metadata| self.shows(metadata));
        let layer = tracing_subscriber::fmt::layer().with_writer(writer);
        match self.format {
            ConsoleFormat::Text => Box::new(layer.with_ansi(ansi).event_format(self)),
            ConsoleFormat::Json => Box::new(layer.with_ansi(false).json().event_format(self)),
        }
    }

    /// Whether an event is shown. An exporter's own events would make a dozen lines for each export,
    /// and the text of a panic is written by the hook that was set before ours.
    fn shows(self, metadata: &Metadata<'_>) -> bool {
        let is_told = self.format == ConsoleFormat::Text && metadata.target() == panic_message::TARGET;
        let is_checkup = metadata.name() == examined::NAME;
        *metadata.level() <= self.level && !is_told && !is_checkup && !ambient::is_suppressed()
    }
}

/// Formats events up to a level; nothing for others, which get no writer either.
///
/// A per-layer filter is no alternative: while any layer has one, a call of `log::log_enabled!` can
/// drop the next event for all layers (tokio-rs/tracing#2519), and it would hide spans from the
/// lines inside them.
impl<N: for<'writer> FormatFields<'writer> + 'static> FormatEvent<Registry, N> for Console {
    fn format_event(
        &self,
        ctx: &FmtContext<'_, Registry, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if !self.shows(event.metadata()) {
            return Ok(());
        }
        if self.format == ConsoleFormat::Json {
            return Format::default().json().format_event(ctx, writer, event);
        }
        let mut text = String::new();
        let format = Format::default().with_ansi(writer.has_ansi_escapes());
        format.format_event(ctx, Writer::new(&mut text), event)?;
        if let Some((name, id)) = job_of(ctx) {
            // The name of the outermost span is the first that can be it.
            text = text.replacen(name, &format!("{name} ({})", id.escape_debug()), 1);
        }
        let mut lines = text.lines();
        writer.write_str(lines.next().unwrap_or_default())?;
        for line in lines {
            write!(writer, "\n    {line}")?;
        }
        if let Some(Ids { trace_id, span_id, .. }) = ids_of(ctx).filter(|_| self.ids) {
            write!(writer, " trace_id={trace_id} span_id={span_id}")?;
        }
        writer.write_char('\n')
    }
}

/// The name of the span of the event's job, and the job's id: jobs of one kind that run side by side could
/// not be told apart.
fn job_of<N: for<'writer> FormatFields<'writer> + 'static>(
    ctx: &FmtContext<'_, Registry, N>,
) -> Option<(&'static str, String)> {
    let is_job = |name: &str| name.starts_with("job.");
    let span = ctx.event_scope()?.from_root().find(|span| is_job(span.name()))?;
    let state = SpanState::find(&span)?;
    let metadata = &state.job()?.metadata;
    let id = [metadata.job_id(), metadata.execution_id()].into_iter().find(|id| !id.is_empty())?;
    Some((span.metadata().name(), id.to_owned()))
}

/// The ids of the event's span, if they are known by now.
fn ids_of<N: for<'writer> FormatFields<'writer> + 'static>(ctx: &FmtContext<'_, Registry, N>) -> Option<Ids> {
    ctx.event_scope()?.find_map(|span| match SpanState::find(&span)?.otel_span()? {
        OtelSpan::Known(ids) => *ids,
        OtelSpan::Absent => None,
    })
}
