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

mod active;
mod asker;
mod op_seed;
mod origin;
mod starting;
mod state;

use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags};
use opentelemetry::{Context, SpanId, TraceId};
use tracing::Dispatch;
use tracing_core::dispatcher::WeakDispatch;
use tracing_core::span::Id;

use crate::job;
use crate::stats::Counters;

pub(crate) use self::active::{
    ambient_job, attach_job, can_attach, enter_scope, enter_span, exit_span, note_inner, with_thread_stack,
    JobVersion, ThreadStack,
};
pub(crate) use self::asker::Asker;
pub(crate) use self::op_seed::{next_op, start_op, OpSeed};
pub(crate) use self::origin::{is_elsewhere, Origin};
pub(crate) use self::starting::{has_panicked, note_panic, span_being_started, Starting};
pub(crate) use self::state::{OpNames, SpanState};

/// The ids that a record gets, all valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) flags: TraceFlags,
}

impl Ids {
    /// `None` for the invalid context: of a tracer that was shut down, or of a no-op one.
    pub(crate) fn of(span: &SpanContext) -> Option<Self> {
        span.is_valid().then(|| Self {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            flags: span.trace_flags(),
        })
    }
}

/// What is known of a span's ids, once anything is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traced {
    /// The span has an OpenTelemetry span, with these ids, or with invalid ones.
    Yes(Option<Ids>),
    /// No layer makes an OpenTelemetry span of it: its nearest ancestor that has one counts.
    No,
}

/// What the current OpenTelemetry `Context` says, read at one go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) span: Option<Ids>,
    /// The id of the job scope in the `Context`; 0 if there is none.
    pub(crate) job: u64,
    pub(crate) suppressed: bool,
}

impl Surroundings {
    /// Only to be called while [`alive`].
    #[inline]
    pub(crate) fn read() -> Self {
        Context::map_current(|cx| Self {
            span: cx.has_active_span().then(|| Ids::of(cx.span().span_context())).flatten(),
            job: job::of_context(cx).map_or(0, |scope| scope.id),
            suppressed: cx.is_telemetry_suppressed(),
        })
    }
}

/// Whether this thread exports telemetry: what it logs is the exporter's own.
#[cfg(feature = "install")]
pub(crate) fn is_suppressed() -> bool {
    alive() && Context::is_current_telemetry_suppressed()
}

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
            active::touch();
            Canary
        };
    }
    CANARY.try_with(|_| ()).is_ok()
}

/// The dispatcher that a layer is part of: needed to ask a span for its OpenTelemetry context.
#[derive(Debug, Default)]
pub(crate) struct Home(std::sync::OnceLock<WeakDispatch>);

impl Home {
    pub(crate) fn register(&self, dispatch: &Dispatch) {
        // The first registration wins: a layer lives in one subscriber.
        let _ = self.0.set(dispatch.downgrade());
    }

    /// Finds the dispatcher when a span is entered, for a layer that was never told: `Option`,
    /// `Vec` and `reload` do not forward `on_register_dispatch`.
    pub(crate) fn find(&self, entering: &Id, metadata: &'static tracing::Metadata<'static>) {
        if self.0.get().is_some() {
            return;
        }
        tracing::dispatcher::get_default(|dispatch| {
            // The registry has pushed the span already, so in the right dispatcher it is current.
            let current = dispatch.current_span();
            if current.id() == Some(entering)
                && current.metadata().is_some_and(|current| std::ptr::eq(current, metadata))
            {
                self.register(dispatch);
                crate::diagnostics::report_once(format_args!(
                    "the log layer was not told its dispatcher, as happens inside Option, Vec and reload; \
                     it was found when a span was entered"
                ));
            }
        });
    }

    /// Finds the dispatcher while an event is being dispatched, where that can be done: under a
    /// scoped default the dispatcher hides itself then, under the global one it does not.
    pub(crate) fn find_in_event(&self) {
        if self.0.get().is_none() {
            tracing::dispatcher::get_default(|dispatch| {
                if !dispatch.is::<tracing::subscriber::NoSubscriber>() {
                    self.register(dispatch);
                }
            });
        }
    }

    pub(crate) fn weak(&self) -> Option<&WeakDispatch> {
        self.0.get()
    }

    fn dispatch(&self) -> Option<Dispatch> {
        self.0.get().and_then(WeakDispatch::upgrade)
    }
}

/// The ids of `state`'s span, asking its span layer if need be. `None`: not to be had now.
///
/// Asking locks the span and starts it, which runs samplers and processors, and they may log. So it
/// is not done while a span is being started on this thread: the line may come from inside that lock.
pub(crate) fn ask(
    state: &std::sync::Arc<SpanState>,
    id: &Id,
    home: &Home,
    counters: &Counters,
) -> Option<Traced> {
    if let Some(known) = state.traced() {
        return Some(*known);
    }
    if Starting::is_under_way() || state.is_broken() {
        return None;
    }
    let dispatch = state.home().and_then(WeakDispatch::upgrade).or_else(|| home.dispatch())?;
    let starting = Starting::of(Some(state.clone()));
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tracing_opentelemetry::get_otel_context(id, &dispatch)
    }));
    drop(starting);
    match asked {
        Ok(Some(cx)) => state.set_traced(Traced::Yes(Ids::of(cx.span().span_context()))),
        Ok(None) => state.set_traced(Traced::No),
        Err(_) => {
            state.set_broken();
            note_panic();
            counters.panicked_spans(1);
            return None;
        }
    }
    state.traced().copied()
}

/// Runs one of two functions on the innermost active span: a tracing span, or one that was made
/// with the OpenTelemetry API and attached further in.
pub(crate) fn on_current_span(
    tracing: impl FnOnce(&tracing::Span, Option<&SpanState>),
    api: impl FnOnce(&Context),
) {
    if !alive() {
        return;
    }
    let span = tracing::Span::current();
    let around = Surroundings::read();
    match span.id() {
        Some(id) if !active::api_span_is_inside(&id, around.span) => {
            tracing(&span, active::entered_state(&id).as_deref());
        }
        _ => api(&Context::current()),
    }
}
