//! The current job: entering one, and finding the one that the calling code runs in.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use opentelemetry::{Context, ContextGuard};

use crate::correlate::layer_span::LayerId;
use crate::correlate::stack;
use crate::correlate::stack::{push, with_stack, Entry, EntryKind, OtelContext};
use crate::job_scope::{of_context, JobScope, JobScopeValue};

/// Called after a span layer has entered a span. Puts the job of the innermost job scope back into
/// the `Context` if entering the span replaced it with the job in which the span was created.
///
/// It also restores telemetry suppression, which an exporter may have set before it entered the
/// span.
pub(crate) fn restore_innermost_job(layer: LayerId, cx: OtelContext, was_suppressed: bool) {
    let scope = with_stack(|stack| stack.innermost_job().cloned()).flatten();
    let scope = scope.filter(|scope| scope.id != cx.job);
    let is_lifted = was_suppressed && !cx.suppressed;
    if scope.is_none() && !is_lifted {
        return;
    }
    let mut corrected = Context::current();
    if let Some(scope) = &scope {
        corrected = corrected.with_value(JobScopeValue(scope.clone()));
    }
    if is_lifted {
        corrected = corrected.with_telemetry_suppressed();
    }
    let Some(guard) = attach(corrected) else { return };
    let unused = with_stack(|stack| match stack.entries.last_mut() {
        Some(entry) if entry.span_of(layer).is_some() => {
            entry.correction = Some(guard);
            entry.cx_at_push.job = scope.map_or(cx.job, |scope| scope.id);
            None
        }
        _ => Some(guard),
    });
    drop(unused);
}

/// Attaches a `Context`. `None` inside `Context::map_current`, where OpenTelemetry panics.
pub(crate) fn attach(cx: Context) -> Option<ContextGuard> {
    catch_unwind(AssertUnwindSafe(|| cx.attach())).ok()
}

/// Whether a `Context` can be attached, which is not so inside `Context::map_current`.
pub(crate) fn can_attach() -> bool {
    attach(Context::new()).is_some()
}

/// A job scope on the stack, removed on drop. Users get closures and futures instead: a guard held
/// across an `.await` would stamp other tasks.
#[derive(Debug)]
pub(crate) struct EnteredScope {
    /// The id of the [`JobScope`].
    scope: u64,
}

pub(crate) fn enter_scope(scope: &Arc<JobScope>) -> EnteredScope {
    if stack::alive() {
        let (job, cx_at_push) = (Some(scope.clone()), OtelContext::read());
        push(Entry { kind: EntryKind::JobScope, job, cx_at_push, correction: None });
    }
    EnteredScope { scope: scope.id }
}

impl Drop for EnteredScope {
    fn drop(&mut self) {
        let removed = with_stack(|stack| {
            stack.remove(|entry| {
                entry.span().is_none() && entry.job.as_ref().is_some_and(|job| job.id == self.scope)
            })
        });
        drop(removed);
    }
}

/// Puts a job into the current `Context`. `None` where that cannot be done: when the thread's
/// locals are destroyed, and inside `Context::map_current`.
pub(crate) fn attach_job(scope: &Arc<JobScope>) -> Option<ContextGuard> {
    if !stack::alive() {
        return None;
    }
    attach(Context::current_with_value(JobScopeValue(scope.clone())))
}

/// The id of the current job's account, for a record that is refused before its job is looked up; 0 is none.
#[cold]
pub(crate) fn ambient_job_id() -> u64 {
    ambient_job().map_or(0, |job| job.account.id)
}

/// The innermost job: of this thread's stack, or of a `Context` that was attached after its last
/// entry.
pub(crate) fn ambient_job() -> Option<Arc<JobScope>> {
    if !stack::alive() {
        return None;
    }
    let cx = OtelContext::read();
    let on_stack = with_stack(|stack| Some(stack.job_version(&cx).map(|_| stack.innermost_job().cloned())))??;
    on_stack.unwrap_or_else(|| Context::map_current(|cx| of_context(cx).cloned()))
}

/// `cx`, with the job that the calling code runs in unless it carries one already.
pub(crate) fn with_ambient(cx: &Context) -> Context {
    let ambient = if of_context(cx).is_none() { ambient_job() } else { None };
    ambient.map_or_else(|| cx.clone(), |scope| cx.with_value(JobScopeValue(scope)))
}

/// Whether telemetry is suppressed, as on exporters' threads.
pub(crate) fn is_suppressed() -> bool {
    stack::alive() && Context::is_current_telemetry_suppressed()
}

/// Runs `work` inside `job`, if there is one.
pub(crate) fn in_job<T>(job: Option<&Arc<JobScope>>, work: impl FnOnce() -> T) -> T {
    match job {
        Some(job) => job.run(work),
        None => work(),
    }
}

impl JobScope {
    /// Runs `work` with this job as the innermost one, on the stack and in the `Context`.
    pub(crate) fn run<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        // The order matters: the guards are dropped in reverse.
        let _context = attach_job(self);
        let _entered = enter_scope(self);
        work()
    }
}
