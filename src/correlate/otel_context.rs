//! What this crate reads from the current OpenTelemetry `Context`.

use opentelemetry::trace::TraceContextExt;
use opentelemetry::Context;

use crate::job_scope;
use crate::record::Ids;

/// The span, job and suppression of the current OpenTelemetry `Context`, read in one go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OtelContext {
    /// The active span, if it is valid.
    pub(crate) span: Option<Ids>,
    /// The id of the job scope in the `Context`; 0 if there is none.
    pub(crate) job: u64,
    /// Telemetry is suppressed, as on exporters' threads.
    pub(crate) suppressed: bool,
}

impl OtelContext {
    /// Must only be called while [`alive`](crate::correlate::stack::alive).
    #[inline]
    pub(crate) fn read() -> Self {
        Context::map_current(|cx| Self {
            span: cx.has_active_span().then(|| Ids::of(cx.span().span_context())).flatten(),
            job: job_scope::of_context(cx).map_or(0, |scope| scope.id),
            suppressed: cx.is_telemetry_suppressed(),
        })
    }
}
