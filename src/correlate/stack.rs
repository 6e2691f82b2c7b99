//! This thread's stack of entered spans and job scopes.
//!
//! Each layer that needs it pushes its own entries, marked with its owner number, so that two
//! layers, or two subscribers, on one thread never read each other's spans. Jobs are read across
//! owners: a job is the thread's, not a layer's.

use std::cell::{Ref, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use opentelemetry::{Context, ContextGuard};
use tracing_core::span::Id;

use crate::correlate::layer_span::LayerSpan;
use crate::correlate::otel_context::OtelContext;
use crate::correlate::span_state::SpanState;
use crate::job_scope::{JobScope, JobVersion};
use crate::record::inherited::InheritedAttributes;
use crate::record::Ids;

/// Whether OpenTelemetry's thread-locals, and ours, can still be used on this thread.
///
/// In a thread-local's destructor `Context::map_current` may abort the process. Destructors run in
/// the reverse order of first use, so this canary, made after touching the `Context`, dies before it.
#[inline]
pub(crate) fn alive() -> bool {
    struct Canary;
    impl Drop for Canary {
        fn drop(&mut self) {}
    }
    thread_local! {
        static CANARY: Canary = {
            Context::map_current(|_| ());
            touch();
            Canary
        };
    }
    CANARY.try_with(|_| ()).is_ok()
}

thread_local! {
    static ACTIVE: RefCell<Stack> = const { RefCell::new(Stack { entries: Vec::new(), jobs: 0 }) };
}

/// The innermost entry is the last.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) entries: Vec<Entry>,
    /// How many entries have a job: without one, no event searches the stack for it.
    jobs: usize,
}

impl Stack {
    fn push(&mut self, entry: Entry) {
        self.jobs += usize::from(entry.job.is_some());
        self.entries.push(entry);
    }

    /// Removes the innermost entry that `is_it`. The caller drops it outside the borrow of the stack.
    pub(crate) fn remove(&mut self, is_it: impl FnMut(&Entry) -> bool) -> Option<Entry> {
        let index = self.entries.iter().rposition(is_it)?;
        let left = self.entries.remove(index);
        self.jobs -= usize::from(left.job.is_some());
        Some(left)
    }

    #[inline]
    pub(crate) fn innermost_job(&self) -> Option<&Arc<JobScope>> {
        if self.jobs == 0 {
            return None;
        }
        let with_job = self.entries.iter().rev().filter(|entry| entry.job.is_some());
        with_job.filter(|entry| !entry.is_stale()).find_map(|entry| entry.job.as_ref())
    }
}

/// One entered span of one layer, or one job scope.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The layer's number; 0 for a scope.
    pub(crate) owner: u64,
    /// The span's id in its registry; 0 for a scope.
    pub(crate) span: u64,
    /// The span's own job, or the scope's.
    pub(crate) job: Option<Arc<JobScope>>,
    pub(crate) state: Option<Arc<SpanState>>,
    /// The log layer's node of the span.
    pub(crate) layer_span: Option<Arc<LayerSpan>>,
    /// The node's block as this thread last saw it.
    pub(crate) inherited: Option<Arc<InheritedAttributes>>,
    /// What the `Context` said when the entry was pushed: what differs later was attached further in.
    pub(crate) noted: OtelContext,
    /// Keeps the right job in the `Context` where entering the span took it out.
    pub(crate) correction: Option<ContextGuard>,
}

impl Entry {
    /// Whether the span is gone, and it was left while its layer was reloaded away.
    #[inline]
    pub(crate) fn is_stale(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.is_closed())
    }

    pub(crate) fn span_id(&self) -> Id {
        Id::from_u64(self.span)
    }

    /// Whether `now` is a span that was attached after this entry's span was entered.
    #[inline(always)]
    pub(crate) fn is_outside_of(&self, now: &Option<Ids>, own: &Option<Ids>) -> bool {
        // The span's own ids first: that is what the `Context` says inside most spans.
        now.is_some() && now != own && *now != self.noted.span
    }
}

pub(crate) fn touch() {
    let _ = ACTIVE.try_with(|_| ());
}

/// Runs `read` on the stack; `None` if the thread is too far gone or `read` is already running.
#[inline]
pub(crate) fn with_stack<T>(read: impl FnOnce(&mut Stack) -> T) -> Option<T> {
    ACTIVE.try_with(|stack| stack.try_borrow_mut().ok().map(|mut stack| read(&mut stack))).ok().flatten()
}

pub(crate) fn push(entry: Entry) {
    with_stack(|stack| stack.push(entry));
}

/// Pushes a span that a layer was told is entered. `around`: the job that was the innermost before, which
/// a span of no job passes on.
pub(crate) fn enter_span(
    owner: u64,
    id: &Id,
    state: &Arc<SpanState>,
    layer_span: Option<Arc<LayerSpan>>,
    noted: OtelContext,
    around: Option<Arc<JobScope>>,
) {
    push(Entry {
        owner,
        span: id.into_u64(),
        job: state.job().cloned().or(around),
        state: Some(state.clone()),
        layer_span,
        inherited: None,
        noted,
        correction: None,
    });
}

/// Removes the innermost entry of a span; spans may be left in any order.
pub(crate) fn exit_span(owner: u64, id: &Id) {
    let left = with_stack(|stack| stack.remove(|entry| entry.owner == owner && entry.span == id.into_u64()));
    // Dropped here, outside the borrow: an entry's guard touches the `Context`.
    drop(left);
}

/// Takes notice that the innermost entered span of `owner` was taken into a job when it was started.
pub(crate) fn note_adopted(owner: u64) {
    with_stack(|stack| {
        let Stack { entries, jobs } = stack;
        let Some(entry) = entries.iter_mut().rev().find(|entry| entry.owner == owner) else { return };
        if entry.job.is_none() {
            entry.job = entry.state.as_ref().and_then(|state| state.job().cloned());
            *jobs += usize::from(entry.job.is_some());
        }
    });
}

/// This thread's stack, as an event finds it.
#[derive(Debug)]
pub(crate) struct ThreadStack<'a>(&'a RefCell<Stack>);

/// Runs `work` with this thread's stack, not borrowed yet; `None` if the thread is too far gone.
#[inline(always)]
pub(crate) fn with_thread_stack<T>(work: impl FnOnce(ThreadStack<'_>) -> T) -> Option<T> {
    ACTIVE.try_with(|stack| work(ThreadStack(stack))).ok()
}

impl<'a> ThreadStack<'a> {
    /// Borrows it. Until that is over no user code runs.
    #[inline(always)]
    pub(crate) fn borrow(&self) -> Option<Ref<'a, Stack>> {
        self.0.try_borrow().ok()
    }
}

impl Stack {
    /// The innermost entered span of `owner`, and the version of the innermost job. `None` if there is no
    /// such span, or if the job is to be read from the `Context`, see [`ambient_job`].
    ///
    /// The span may be gone, see [`Entry::is_stale`]; [`live`] looks past such a one.
    #[inline(always)]
    pub(crate) fn innermost(&self, owner: u64, now: &OtelContext) -> Option<(&Entry, JobVersion)> {
        let noted = self.entries.last().map_or(0, |entry| entry.noted.job);
        if now.job != 0 && now.job != noted {
            return None;
        }
        let entry = self.entries.iter().rev().find(|entry| entry.owner == owner)?;
        Some((entry, JobVersion::of(self.innermost_job())))
    }
}

/// The number of a layer that has entries on the threads' stacks. 0 is no layer's.
pub(crate) fn next_owner() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
