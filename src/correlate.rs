//! Which span, and which job, an event belongs to.
//!
//! Second step of the walk. [`layer`](crate::layer) asks here for the ids of an event:
//!
//! | event | asked of |
//! | --- | --- |
//! | `parent: &span` | that span |
//! | `parent: None` | nobody: there are none; an entry of [`trace`](crate::trace) brings its own ([`origin`]) |
//! | contextual | the innermost entry of this thread's stack ([`active`]), or an OpenTelemetry span that was attached to the `Context` after it was entered |
//!
//! A span's ids are kept in its [`SpanState`]. They become known when the span is entered, where
//! that starts it anyway, and else at its first record ([`ask`]): starting a span freezes its
//! parent, so nothing here may do it earlier.

pub(crate) mod ambient;
pub(crate) mod carry;
pub(crate) mod current;
pub(crate) mod dispatch;
pub(crate) mod layer_span;
pub(crate) mod lookup;
pub(crate) mod new_span;
pub(crate) mod pending_op;
pub(crate) mod origin;
pub(crate) mod otel_context;
pub(crate) mod queries;
pub(crate) mod resolve;
pub(crate) mod sidecar;
pub(crate) mod span_start;
pub(crate) mod span_state;
pub(crate) mod stack;
pub(crate) mod start_guard;
