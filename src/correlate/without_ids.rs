//! Why a record of a span has no ids.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::correlate::span_state::OtelSpan;
use crate::diagnostics::report_once;

/// Why a record of a span has no ids.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WithoutIds {
    NoSpanLayer,
    InvalidContext,
    Starting,
    Unknown,
}

impl WithoutIds {
    /// `span`: what is known of the span. `is_starting`: a span is being started on this thread.
    pub(crate) fn of(span: Option<OtelSpan>, is_starting: bool) -> Self {
        match span {
            Some(OtelSpan::Absent) => Self::NoSpanLayer,
            Some(OtelSpan::Known(_)) => Self::InvalidContext,
            None if is_starting => Self::Starting,
            None => Self::Unknown,
        }
    }

    /// Reports it, unless it was reported before. Cheap the second time.
    pub(crate) fn report(self) {
        static REPORTED: [AtomicBool; 4] = [const { AtomicBool::new(false) }; 4];
        if REPORTED[self as usize].swap(true, Ordering::Relaxed) {
            return;
        }
        let reason = match self {
            Self::NoSpanLayer => {
                "no OpenTelemetryLayer knows the span: the subscriber has none, or has one of another version \
                 of tracing-opentelemetry, or a filter keeps the span from it"
            }
            Self::InvalidContext => {
                "the tracer gave the span no valid ids: it is shut down, or does nothing"
            }
            Self::Starting => "it was logged while its span was being started, by a sampler or a processor",
            Self::Unknown => {
                "the ids of the span could not be asked for: its dispatcher is not known yet, another layer is \
                 starting it, or a panic broke it"
            }
        };
        report_once(format_args!(
            "a record inside a span has no ids (Stats::without_ids counts such records): {reason}"
        ));
    }
}
