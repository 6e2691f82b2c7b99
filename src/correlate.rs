//! Which span and which job an event belongs to.
//!
//! [`lookup`] finds both for each event:
//!
//! | event | its span |
//! | --- | --- |
//! | `parent: &span` | that span |
//! | `parent: None` | none, except for an entry of [`trace`](crate::trace), whose [sidecar] may name a span ([`origin`]) |
//! | contextual | the innermost span on this thread's [`stack`], or an OpenTelemetry span that was attached to the `Context` after that was entered |
//!
//! A span's ids are kept in its [`span_state`]. They become known when the span is entered, if that
//! starts it, and otherwise at its first record, where [`resolve`] starts it. Nothing may start it
//! earlier, because a started span's parent can no longer be set.

pub(crate) mod ambient;
pub(crate) mod context_span;
pub(crate) mod current;
pub(crate) mod dispatch;
pub(crate) mod layer_span;
pub(crate) mod lookup;
pub(crate) mod new_span;
pub(crate) mod pending_op;
pub(crate) mod origin;
pub(crate) mod queries;
pub(crate) mod resolve;
pub(crate) mod sidecar;
pub(crate) mod span_start;
pub(crate) mod span_state;
pub(crate) mod stack;
pub(crate) mod start_guard;
pub(crate) mod with_job;
mod without_ids;
