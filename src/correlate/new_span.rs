//! Makes the state of a span that is being created.

use std::sync::Arc;

use tracing_core::span::Attributes;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::correlate::ambient::ambient_job;
use crate::correlate::pending_op::find_pending_op;
use crate::correlate::span_state::SpanState;

/// The state of a span that is being created. Whichever layer of this crate sees the span first
/// makes it.
pub(crate) fn create_state<'a, R: LookupSpan<'a>>(
    span: &SpanRef<'a, R>,
    attributes: &Attributes<'_>,
) -> Arc<SpanState> {
    if let Some(state) = SpanState::find(span) {
        return state;
    }
    let pending = find_pending_op(attributes.metadata());
    let op = pending.as_ref().map(|pending| (&pending.names, &*pending.attributes));
    let state = SpanState::create(span, attributes, ambient_job, op);
    if let Some(pending) = pending {
        pending.state.replace(Some(state.clone()));
    }
    state
}
