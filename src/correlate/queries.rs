//! What is asked of a thread's stack where nothing is remembered of the last event.

use std::cell::RefCell;
use std::sync::Arc;

use tracing_core::span::Id;

use crate::correlate::ambient::ambient_job;
use crate::correlate::layer_span::{Inheriting, Node};
use crate::correlate::span_state::{SpanState, Traced};
use crate::correlate::stack::{with_stack, Entry};
use crate::job_scope::{JobScope, JobVersion};
use crate::record::inherited::Block;
use crate::record::Ids;

/// Shows `look` the innermost entered span of `owner` that is not gone.
pub(crate) fn live<T>(owner: u64, look: impl FnOnce(&mut Entry) -> T) -> Option<T> {
    with_stack(|stack| {
        let mut own = stack.entries.iter_mut().rev().filter(|entry| entry.owner == owner);
        own.find(|entry| !entry.is_stale()).map(look)
    })
    .flatten()
}

/// The owner's `nth` entered span, counted from the innermost.
pub(crate) fn enclosing_span(owner: u64, nth: usize) -> Option<(Id, Arc<SpanState>)> {
    with_stack(|stack| {
        let mut own = stack.entries.iter().rev().filter(|entry| entry.owner == owner && !entry.is_stale());
        let entry = own.nth(nth)?;
        Some((entry.span_id(), entry.state.clone()?))
    })
    .flatten()
}

/// The node of the span `id`, if the owner has entered it on this thread.
pub(crate) fn entered_node(owner: u64, id: &Id) -> Option<Arc<Node>> {
    with_stack(|stack| {
        let mut entries = stack.entries.iter().rev();
        let entry = entries.find(|entry| entry.owner == owner && entry.span == id.into_u64())?;
        entry.node.clone()
    })
    .flatten()
}

/// For each log layer, the node of the innermost span that it knows to be entered.
pub(crate) fn innermost_nodes() -> Vec<(u64, Arc<Node>)> {
    with_stack(|stack| {
        let mut nodes: Vec<(u64, Arc<Node>)> = Vec::new();
        for entry in stack.entries.iter().rev().filter(|entry| !entry.is_stale()) {
            if let Some(node) =
                entry.node.as_ref().filter(|_| nodes.iter().all(|(known, _)| *known != entry.owner))
            {
                nodes.push((entry.owner, node.clone()));
            }
        }
        nodes
    })
    .unwrap_or_default()
}

/// What records inherit outside any span: the current job's stamps.
pub(crate) fn block_without_span(owner: u64, inheriting: &Inheriting) -> Arc<Block> {
    block_of_job(owner, ambient_job().as_ref(), inheriting)
}

/// What records inherit that have a job and no span.
pub(crate) fn block_of_job(owner: u64, job: Option<&Arc<JobScope>>, inheriting: &Inheriting) -> Arc<Block> {
    thread_local! {
        // By owner, as this thread last saw it. A thread has few layers.
        static BLOCKS: RefCell<Vec<(u64, Arc<Block>)>> = const { RefCell::new(Vec::new()) };
    }
    let version = JobVersion::of(job);
    let known = BLOCKS.try_with(|blocks| {
        let blocks = blocks.borrow();
        let (_, block) = blocks.iter().find(|(known, _)| *known == owner)?;
        (block.version.job == version).then(|| block.clone())
    });
    if let Ok(Some(block)) = known {
        return block;
    }
    let block = Arc::new(Block::without_span(job, inheriting));
    let replaced = BLOCKS.try_with(|blocks| {
        let mut blocks = blocks.borrow_mut();
        match blocks.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, known)) => Some(std::mem::replace(known, block.clone())),
            None => {
                blocks.push((owner, block.clone()));
                None
            }
        }
    });
    drop(replaced);
    block
}

/// What is known of the span `id`, if a layer has entered it on this thread.
pub(crate) fn entered_state(id: &Id) -> Option<Arc<SpanState>> {
    with_stack(|stack| {
        let entry = stack.entries.iter().rev().find(|entry| entry.span == id.into_u64())?;
        entry.state.clone()
    })
    .flatten()
}

/// Whether `now` was attached after the span `id` was entered.
pub(crate) fn api_span_is_inside(id: &Id, now: Option<Ids>) -> bool {
    with_stack(|stack| {
        let entry = stack.entries.iter().rev().find(|entry| entry.span == id.into_u64())?;
        let own = entry.state.as_ref().and_then(|state| match state.traced() {
            Some(Traced::Yes(ids)) => *ids,
            _ => None,
        });
        Some(entry.is_outside_of(&now, &own))
    })
    .flatten()
    .unwrap_or(false)
}
