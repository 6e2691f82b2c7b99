//! This thread's stack of entered spans and job scopes.
//!
//! Each layer pushes entries of its own, marked with its [`LayerId`], so that two layers or
//! subscribers on one thread do not see each other's spans. Jobs are shared by all layers, as a job
//! belongs to the thread.

use std::cell::{Ref, RefCell};
use std::sync::Arc;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, ContextGuard};
use tracing_core::span::Id;

use crate::correlate::layer_span::{LayerId, LayerSpan};
use crate::correlate::span_state::SpanState;
use crate::job_scope;
use crate::job_scope::{JobScope, JobVersion};
use crate::record::inherited::InheritedAttributes;
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
    /// Must only be called while [`alive`].
    #[inline]
    pub(crate) fn read() -> Self {
        Context::map_current(|cx| Self {
            span: cx.has_active_span().then(|| Ids::of(cx.span().span_context())).flatten(),
            job: job_scope::of_context(cx).map_or(0, |scope| scope.id),
            suppressed: cx.is_telemetry_suppressed(),
        })
    }
}

/// Whether the thread-locals of OpenTelemetry and this crate can still be used on this thread.
///
/// In the destructor of a thread-local, `Context::map_current` may abort the process. Destructors
/// run in the reverse order of first use, so this canary, which is initialised after the `Context`,
/// is destroyed before it.
#[inline]
pub(crate) fn alive() -> bool {
    struct Canary;
    impl Drop for Canary {
        fn drop(&mut self) {}
    }
    thread_local! {
        static CANARY: Canary = {
            Context::map_current(|_| ());
            let _ = STACK.try_with(|_| ());
            Canary
        };
    }
    CANARY.try_with(|_| ()).is_ok()
}

thread_local! {
    static STACK: RefCell<Stack> =
        const { RefCell::new(Stack { entries: Vec::new(), jobs: 0, outside_spans: Vec::new() }) };
}

/// The innermost entry is the last.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) entries: Vec<Entry>,
    /// How many entries have a job. If none has, events need not search the stack.
    jobs: usize,
    /// For each layer, what its last record outside any span inherited. A list, as a thread has few
    /// layers.
    outside_spans: Vec<(LayerId, Arc<InheritedAttributes>)>,
}

/// One entered span of one layer, or one job scope.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) kind: EntryKind,
    /// The span's own job, or the scope's.
    pub(crate) job: Option<Arc<JobScope>>,
    /// The `Context` when the entry was pushed. What differs later was attached after that.
    pub(crate) cx_at_push: OtelContext,
    /// Keeps the right job in the `Context` if entering the span replaced it.
    pub(crate) correction: Option<ContextGuard>,
}

#[derive(Debug)]
pub(crate) enum EntryKind {
    Span(EnteredSpan),
    JobScope,
}

/// A span that a layer has seen entered.
#[derive(Debug)]
pub(crate) struct EnteredSpan {
    pub(crate) layer: LayerId,
    /// The id in its registry.
    pub(crate) id: Id,
    pub(crate) state: Arc<SpanState>,
    /// The layer's own view of the span, if it is a log layer.
    pub(crate) layer_span: Option<Arc<LayerSpan>>,
    /// What this thread's last record in the span inherited.
    pub(crate) inherited: Option<Arc<InheritedAttributes>>,
}

impl Entry {
    #[inline(always)]
    pub(crate) fn span(&self) -> Option<&EnteredSpan> {
        match &self.kind {
            EntryKind::Span(span) => Some(span),
            EntryKind::JobScope => None,
        }
    }

    /// Its span, if it is one of this layer's.
    #[inline(always)]
    pub(crate) fn span_of(&self, layer: LayerId) -> Option<&EnteredSpan> {
        self.span().filter(|span| span.layer == layer)
    }

    /// Whether the span is closed: its layer missed the exit while it was reloaded away.
    #[inline]
    pub(crate) fn is_stale(&self) -> bool {
        self.span().is_some_and(|span| span.state.is_closed())
    }

    /// Whether the span `current` was attached after this entry's span, whose ids are `own`, was
    /// entered.
    #[inline(always)]
    pub(crate) fn encloses(&self, current: &Option<Ids>, own: &Option<Ids>) -> bool {
        // Its own ids first: inside most spans they are the current ones.
        current.is_some() && current != own && *current != self.cx_at_push.span
    }
}

impl Stack {
    fn push(&mut self, entry: Entry) {
        self.jobs += usize::from(entry.job.is_some());
        self.entries.push(entry);
    }

    /// Removes the innermost entry that `matches`. The caller drops it outside the borrow of the
    /// stack.
    pub(crate) fn remove(&mut self, matches: impl FnMut(&Entry) -> bool) -> Option<Entry> {
        let index = self.entries.iter().rposition(matches)?;
        let removed = self.entries.remove(index);
        self.jobs -= usize::from(removed.job.is_some());
        Some(removed)
    }

    #[inline]
    pub(crate) fn innermost_job(&self) -> Option<&Arc<JobScope>> {
        if self.jobs == 0 {
            return None;
        }
        let with_job = self.entries.iter().rev().filter(|entry| entry.job.is_some());
        with_job.filter(|entry| !entry.is_stale()).find_map(|entry| entry.job.as_ref())
    }

    /// The version of the innermost job. `None` if it must be read from the `Context`, to which a
    /// job was attached after the last entry.
    #[inline(always)]
    pub(crate) fn job_version(&self, cx: &OtelContext) -> Option<JobVersion> {
        let job_at_push = self.entries.last().map_or(0, |entry| entry.cx_at_push.job);
        let is_attached_further_in = cx.job != 0 && cx.job != job_at_push;
        (!is_attached_further_in).then(|| JobVersion::of(self.innermost_job()))
    }

    /// The layer's innermost entered span, with its entry, which may be [stale](Entry::is_stale).
    #[inline(always)]
    pub(crate) fn innermost(&self, layer: LayerId) -> Option<(&Entry, &EnteredSpan)> {
        self.entries.iter().rev().find_map(|entry| Some((entry, entry.span_of(layer)?)))
    }

    /// What the layer's last record outside any span inherited.
    #[inline]
    pub(crate) fn outside_spans(&self, layer: LayerId) -> Option<&Arc<InheritedAttributes>> {
        self.outside_spans.iter().find(|(known, _)| *known == layer).map(|(_, inherited)| inherited)
    }

    /// Caches that. Returns the previous value, to be dropped outside the borrow of the stack.
    pub(crate) fn set_outside_spans(
        &mut self,
        layer: LayerId,
        inherited: Arc<InheritedAttributes>,
    ) -> Option<Arc<InheritedAttributes>> {
        match self.outside_spans.iter_mut().find(|(known, _)| *known == layer) {
            Some((_, known)) => Some(std::mem::replace(known, inherited)),
            None => {
                self.outside_spans.push((layer, inherited));
                None
            }
        }
    }
}

/// This thread's stack, not borrowed yet.
#[derive(Debug)]
pub(crate) struct ThreadStack<'a>(&'a RefCell<Stack>);

/// Runs `work` with this thread's stack. `None` if the thread's locals are destroyed.
#[inline(always)]
pub(crate) fn with_thread_stack<T>(work: impl FnOnce(ThreadStack<'_>) -> T) -> Option<T> {
    STACK.try_with(|stack| work(ThreadStack(stack))).ok()
}

impl<'a> ThreadStack<'a> {
    /// Borrows it. User code must not run until the borrow ends.
    #[inline(always)]
    pub(crate) fn borrow(&self) -> Option<Ref<'a, Stack>> {
        self.0.try_borrow().ok()
    }
}

/// Runs `read` on the stack. `None` if the thread's locals are destroyed, or the stack is borrowed.
#[inline]
pub(crate) fn with_stack<T>(read: impl FnOnce(&mut Stack) -> T) -> Option<T> {
    STACK.try_with(|stack| stack.try_borrow_mut().ok().map(|mut stack| read(&mut stack))).ok().flatten()
}

pub(crate) fn push(entry: Entry) {
    with_stack(|stack| stack.push(entry));
}

/// Pushes a span that a layer has seen entered. `ambient`: the current job, which applies inside a
/// span that has none.
pub(crate) fn enter_span(
    layer: LayerId,
    id: &Id,
    state: &Arc<SpanState>,
    layer_span: Option<Arc<LayerSpan>>,
    cx_at_push: OtelContext,
    ambient: Option<Arc<JobScope>>,
) {
    let span = EnteredSpan { layer, id: id.clone(), state: state.clone(), layer_span, inherited: None };
    let job = state.job().cloned().or(ambient);
    push(Entry { kind: EntryKind::Span(span), job, cx_at_push, correction: None });
}

/// Removes the innermost entry of a span. Spans may be exited in any order.
pub(crate) fn exit_span(layer: LayerId, id: &Id) {
    let removed =
        with_stack(|stack| stack.remove(|entry| entry.span_of(layer).is_some_and(|span| span.id == *id)));
    // Dropped outside the borrow, as an entry's guard changes the `Context`.
    drop(removed);
}

/// Copies the job of the layer's innermost entered span to its entry, if the span got one when it
/// was started.
pub(crate) fn update_job(layer: LayerId) {
    with_stack(|stack| {
        let Stack { entries, jobs, .. } = stack;
        let mut entries = entries.iter_mut().rev();
        let Some(entry) = entries.find(|entry| entry.span_of(layer).is_some()) else { return };
        if entry.job.is_none() {
            entry.job = entry.span().and_then(|span| span.state.job().cloned());
            *jobs += usize::from(entry.job.is_some());
        }
    });
}
