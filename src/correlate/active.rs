//! This thread's stack of entered spans and job scopes.
//!
//! Each layer that needs it pushes its own entries, marked with its owner number, so that two
//! layers, or two subscribers, on one thread never read each other's spans. Jobs are read across
//! owners: a job is the thread's, not a layer's.

mod asked;

use std::cell::{Ref, RefCell};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use opentelemetry::{Context, ContextGuard};
use tracing_core::span::Id;

pub(super) use self::asked::{
    api_span_is_inside, block_of_job, block_without_span, enclosing_span, entered_node, entered_state,
    innermost_nodes, live,
};
use super::{Ids, SpanState, Surroundings};
use crate::inherit::{Block, Node};
use crate::job::{self, JobScope, JobValue};

thread_local! {
    static ACTIVE: RefCell<Stack> = const { RefCell::new(Stack { entries: Vec::new(), jobs: 0 }) };
}

/// The innermost entry is the last.
#[derive(Debug)]
pub(crate) struct Stack {
    entries: Vec<Entry>,
    /// How many entries have a job: without one, no event searches the stack for it.
    jobs: usize,
}

impl Stack {
    fn push(&mut self, entry: Entry) {
        self.jobs += usize::from(entry.job.is_some());
        self.entries.push(entry);
    }

    /// Removes the innermost entry that `is_it`. The caller drops it outside the borrow of the stack.
    fn remove(&mut self, is_it: impl FnMut(&Entry) -> bool) -> Option<Entry> {
        let index = self.entries.iter().rposition(is_it)?;
        let left = self.entries.remove(index);
        self.jobs -= usize::from(left.job.is_some());
        Some(left)
    }

    #[inline]
    fn innermost_job(&self) -> Option<&Arc<JobScope>> {
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
    owner: u64,
    /// The span's id in its registry; 0 for a scope.
    span: u64,
    /// The span's own job, or the scope's.
    job: Option<Arc<JobScope>>,
    pub(crate) state: Option<Arc<SpanState>>,
    /// The log layer's node of the span.
    pub(crate) node: Option<Arc<Node>>,
    /// The node's block as this thread last saw it.
    pub(crate) block: Option<Arc<Block>>,
    /// What the `Context` said when the entry was pushed: what differs later was attached further in.
    noted: Surroundings,
    /// Keeps the right job in the `Context` where entering the span took it out.
    correction: Option<ContextGuard>,
}

impl Entry {
    /// Whether the span is gone, and it was left while its layer was reloaded away.
    #[inline]
    fn is_stale(&self) -> bool {
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

pub(super) fn touch() {
    let _ = ACTIVE.try_with(|_| ());
}

/// Runs `read` on the stack; `None` if the thread is too far gone or `read` is already running.
#[inline]
fn with_stack<T>(read: impl FnOnce(&mut Stack) -> T) -> Option<T> {
    ACTIVE.try_with(|stack| stack.try_borrow_mut().ok().map(|mut stack| read(&mut stack))).ok().flatten()
}

fn push(entry: Entry) {
    with_stack(|stack| stack.push(entry));
}

/// Pushes a span that a layer was told is entered. `around`: the job that was the innermost before, which
/// a span of no job passes on.
pub(crate) fn enter_span(
    owner: u64,
    id: &Id,
    state: &Arc<SpanState>,
    node: Option<Arc<Node>>,
    noted: Surroundings,
    around: Option<Arc<JobScope>>,
) {
    push(Entry {
        owner,
        span: id.into_u64(),
        job: state.job().cloned().or(around),
        state: Some(state.clone()),
        node,
        block: None,
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
pub(super) fn note_adopted(owner: u64) {
    with_stack(|stack| {
        let Stack { entries, jobs } = stack;
        let Some(entry) = entries.iter_mut().rev().find(|entry| entry.owner == owner) else { return };
        if entry.job.is_none() {
            entry.job = entry.state.as_ref().and_then(|state| state.job().cloned());
            *jobs += usize::from(entry.job.is_some());
        }
    });
}

/// After a span layer entered a span: puts the innermost job back into the `Context` if entering
/// the span replaced it with one from where the span was made.
///
/// The same goes for telemetry suppression, which an exporter set before it entered the span.
pub(crate) fn note_inner(owner: u64, now: Surroundings, was_suppressed: bool) {
    let scope = with_stack(|stack| stack.innermost_job().cloned()).flatten();
    let scope = scope.filter(|scope| scope.id != now.job);
    let is_lifted = was_suppressed && !now.suppressed;
    if scope.is_none() && !is_lifted {
        return;
    }
    let mut corrected = Context::current();
    if let Some(scope) = &scope {
        corrected = corrected.with_value(JobValue(scope.clone()));
    }
    if is_lifted {
        corrected = corrected.with_telemetry_suppressed();
    }
    let Some(guard) = attach(corrected) else { return };
    let unused = with_stack(|stack| match stack.entries.last_mut() {
        Some(entry) if entry.owner == owner => {
            entry.correction = Some(guard);
            entry.noted.job = scope.map_or(now.job, |scope| scope.id);
            None
        }
        _ => Some(guard),
    });
    drop(unused);
}

/// Attaches a `Context`; `None` inside `Context::map_current`, where OpenTelemetry panics.
fn attach(cx: Context) -> Option<ContextGuard> {
    catch_unwind(AssertUnwindSafe(|| cx.attach())).ok()
}

/// Whether a `Context` can be attached now.
pub(crate) fn can_attach() -> bool {
    attach(Context::new()).is_some()
}

/// A pushed scope; popped when dropped. Private to the crate: users have closures and futures.
#[derive(Debug)]
pub(crate) struct EnteredScope {
    scope: u64,
}

pub(crate) fn enter_scope(scope: &Arc<JobScope>) -> EnteredScope {
    if super::alive() {
        push(Entry {
            owner: 0,
            span: 0,
            job: Some(scope.clone()),
            state: None,
            node: None,
            block: None,
            noted: Surroundings::read(),
            correction: None,
        });
    }
    EnteredScope { scope: scope.id }
}

impl Drop for EnteredScope {
    fn drop(&mut self) {
        let left = with_stack(|stack| {
            stack.remove(|entry| {
                entry.owner == 0 && entry.job.as_ref().is_some_and(|job| job.id == self.scope)
            })
        });
        drop(left);
    }
}

/// Puts a job into the current `Context`; `None` where that cannot be done: in a thread's last moments, and
/// inside `Context::map_current`.
pub(crate) fn attach_job(scope: &Arc<JobScope>) -> Option<ContextGuard> {
    if !super::alive() {
        return None;
    }
    attach(Context::current_with_value(JobValue(scope.clone())))
}

/// The innermost job: of this thread's stack, or of a `Context` that was attached further in.
pub(crate) fn ambient_job() -> Option<Arc<JobScope>> {
    if !super::alive() {
        return None;
    }
    let now = Surroundings::read();
    let (scope, noted) = with_stack(|stack| {
        (stack.innermost_job().cloned(), stack.entries.last().map_or(0, |entry| entry.noted.job))
    })?;
    if now.job != 0 && now.job != noted {
        return Context::map_current(|cx| job::of_context(cx).cloned());
    }
    scope
}

/// Which job, in which state: the half of a block's cache key that the stack knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobVersion {
    pub(crate) id: u64,
    pub(crate) generation: u64,
}

impl JobVersion {
    #[inline]
    pub(crate) fn of(scope: Option<&Arc<JobScope>>) -> Self {
        scope.map_or_else(Self::default, |scope| Self { id: scope.id, generation: scope.generation() })
    }
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
    pub(super) fn innermost(&self, owner: u64, now: &Surroundings) -> Option<(&Entry, JobVersion)> {
        let noted = self.entries.last().map_or(0, |entry| entry.noted.job);
        if now.job != 0 && now.job != noted {
            return None;
        }
        let entry = self.entries.iter().rev().find(|entry| entry.owner == owner)?;
        Some((entry, JobVersion::of(self.innermost_job())))
    }
}
