//! [`Op`]: a running op.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe, Location};
use std::sync::Arc;

use opentelemetry::trace::{SpanRef, TraceContextExt};
use opentelemetry::{Context, Key, KeyValue, Value};
use tracing::{Instrument as _, Span};
use tracing_core::field::Value as FieldValue;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::callsite::SpanNames;
use crate::correlate::context_span::{BoundSpan, ContextSpan};
use crate::correlate::origin::SpanOrigin;
use crate::correlate::pending_op::PendingOp;
use crate::correlate::span_start::{catch_panic, start_otel_span};
use crate::correlate::span_state::{OpNames, SpanState};
use crate::correlate::with_job::WithJob;
use crate::correlate::{ambient, pending_op, stack};
use crate::job_scope::{JobScope, JobScopeValue};
use crate::keys::Keys;
use crate::op::open_ops::Listed;
use crate::op::outcome::{write_cancelled, Failure, Outcome};
use crate::op::start_record;
use crate::panic_message;
use crate::panic_message::PanicsBefore;
use crate::span_moments::{Ending, StartingOp};
use crate::value::any_value;

/// The tool of the runner's own operations.
pub(crate) const RUNNER: &str = "runner";

/// A running op. It ends with [`end`](Self::end), or when it is dropped.
///
/// If it is dropped without an end, its span has `op.outcome` = `dropped`. If a panic drops it,
/// that is `panicked`, and the status is Error.
#[derive(Debug)]
#[must_use = "an op that is dropped at once has the outcome `dropped`"]
pub struct Op {
    span: Span,
    /// The `Context` that holds the op's OpenTelemetry span; `None` without a tracer.
    pub(crate) context: Option<Context>,
    /// `None` if no layer of this crate has seen the span.
    state: Option<Arc<SpanState>>,
    /// The job scope that the op has, if it is an execution or a step.
    job: Option<Arc<JobScope>>,
    /// To tell its own panic.
    panics: PanicsBefore,
    /// The op has ended.
    is_settled: bool,
    /// So that a signal can end it.
    _listed: Option<Listed>,
}

impl Op {
    #[track_caller]
    pub(crate) fn start(tool: &str, operation: &str, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        let names = OpNames { tool: Some(tool.into()), operation: Some(operation.into()) };
        let name = format!("{tool}.{operation}");
        Self::open(name, names, attributes.into_iter().collect(), None, Location::caller())
    }

    pub(crate) fn open(
        name: String,
        names: OpNames,
        attributes: Vec<KeyValue>,
        job: Option<Arc<JobScope>>,
        caller: &'static Location<'static>,
    ) -> Self {
        static NAMES: SpanNames = SpanNames::new("spanlog::op");
        let (metadata, is_named) = NAMES.metadata(&name);
        let state = Default::default();
        let pending = Arc::new(PendingOp { name, metadata, names, attributes, caller: Some(caller), state });
        let create = || create_span(&pending, is_named);
        let mut span = ambient::in_job(job.as_ref(), create);
        let state = pending.state.replace(None);
        let starting = StartingOp::begin();
        let context = start_otel_span(&mut span, state.as_ref(), |span| {
            add_attributes(span, &pending, state.as_deref())
        });
        drop(starting);
        if let Some(context) = context.as_ref().filter(|_| start_record::are_wanted()) {
            ambient::in_job(job.as_ref(), || span.in_scope(|| start_record::emit(&pending.name, context)));
        }
        let (panics, _listed) = (PanicsBefore::now(), Listed::new(context.as_ref()));
        Self { span, context, state, job, panics, is_settled: false, _listed }
    }

    /// Runs `work` inside the op's span, and inside its job scope if it has one.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        ambient::in_job(self.job.as_ref(), || self.span.in_scope(work))
    }

    /// [`in_scope`](Self::in_scope) for a future. The op stays open;
    /// [`instrument`](Self::instrument) ends it with the future's result.
    pub fn in_scope_async<F: Future>(&self, future: F) -> WithJob<tracing::instrument::Instrumented<F>> {
        WithJob::new(future.instrument(self.span.clone()), self.job.clone())
    }

    /// Runs `work` inside the op, ends the op with the result, and returns the result unchanged.
    pub fn run<T, E: Debug + Display>(self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        match catch_unwind(AssertUnwindSafe(|| self.in_scope(work))) {
            Ok(result) => {
                self.end(&result);
                result
            }
            Err(panic) => {
                // The hook may have seen others on this thread, which were caught.
                panic_message::keep(panic_message::of_payload(&*panic));
                let mut op = self;
                op.settle(Outcome::Panicked);
                resume_unwind(panic)
            }
        }
    }

    /// Sets an attribute on the span, and on records made inside the op from now on.
    ///
    /// The SDK appends attributes where the specification says that they are overwritten, so a key
    /// that is set twice appears twice on the span. On records it appears once, with the last
    /// value.
    pub fn set(&self, key: impl Into<Key>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        self.span.set_attribute(key.clone(), value.clone());
        if let Some(state) = &self.state {
            state.add(key, any_value(value));
        }
    }

    /// Ends the op. An error becomes an `exception` event, the status Error and `error.type`. `Ok`
    /// leaves the status unset, as OpenTelemetry recommends for instrumentation.
    ///
    /// Any type with `Debug` and `Display` is an error here: strings, `Box<dyn Error>`,
    /// `anyhow::Error`. So its causes are unknown, except those that anyhow and eyre list;
    /// [`fail`](Self::fail) has them all.
    pub fn end<T, E: Debug + Display>(mut self, result: &Result<T, E>) {
        self.is_settled = true;
        self.end_span(|span| {
            if let Err(error) = result {
                Failure::of_any(error).write_to(span);
            }
        });
    }

    /// [`end`](Self::end) with an error, whose sources become `exception.stacktrace`: one
    /// `Caused by:` line each.
    ///
    /// ```
    /// use spanlog::op;
    ///
    /// let error = std::io::Error::other("the lock is held");
    /// op::start("terraform", "plan", []).fail(&error);
    /// ```
    pub fn fail<E: Error + ?Sized>(mut self, error: &E) {
        self.is_settled = true;
        self.end_span(|span| Failure::of_error(error).write_to(span));
    }

    /// Ends the op without an error, where there is no `Result`.
    pub fn succeed(self) {
        self.end(&Ok::<(), String>(()));
    }

    /// Ends the op as one that exceeded its time limit.
    #[cfg(feature = "tokio")]
    pub(crate) fn time_out<E: Error + ?Sized>(mut self, error: &E) {
        self.is_settled = true;
        self.end_span(|span| Failure::of_error(error).write_timed_out(span));
    }

    /// Ends the op as cancelled by a signal, such as `SIGTERM`: the attributes `op.outcome` =
    /// `cancelled` and `op.signal`. For programs that handle signals themselves.
    pub fn cancel(mut self, signal: &str) {
        self.is_settled = true;
        let signal = signal.to_owned();
        self.end_span(|span| write_cancelled(span, signal));
    }

    /// A function that ends the op, for a callback or another thread.
    ///
    /// ```
    /// let end = spanlog::op::start("oci", "push", []).end_fn();
    /// std::thread::spawn(move || end(&Err::<(), _>("denied"))).join().unwrap();
    /// ```
    pub fn end_fn<T, E: Debug + Display>(self) -> impl FnOnce(&Result<T, E>) + Send + 'static {
        move |result| self.end(result)
    }

    /// The op's `tracing` span, to enter it elsewhere or to instrument another future with it.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The OpenTelemetry context of the op: for propagation, to be attached on another thread, or to
    /// be passed to [`trace::logger`](crate::trace::logger()) and
    /// [`trace::start_span`](crate::trace::start_span).
    ///
    /// Records there have the op's ids, its job, and its tool, operation and attributes. Without a
    /// tracer it is the current context with the op's job.
    ///
    /// ```
    /// use spanlog::{op, trace};
    ///
    /// let op = op::start("helm", "upgrade", []);
    /// let cx = op.context();
    /// std::thread::spawn(move || {
    ///     trace::logger(&cx).info("has the ids of `helm.upgrade`, its tool and its job");
    ///     let _attached = cx.attach();
    ///     tracing::info!("so has this line");
    /// });
    /// ```
    pub fn context(&self) -> Context {
        let own = self.context.clone().unwrap_or_else(Context::current);
        let job = self.job.as_ref().or_else(|| self.state.as_ref()?.job());
        let own = job.map_or(own.clone(), |job| own.with_value(JobScopeValue(job.clone())));
        let own = match &self.context {
            Some(_) => own.with_value(Arc::new(SpanOrigin::of_tracing_span(&own, &self.span))),
            None => own,
        };
        ContextSpan::attach_to(&own, BoundSpan(self.span.clone()))
    }

    /// Ends the op with an outcome instead of a result, unless it has ended.
    pub(crate) fn settle(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let panics = self.panics;
        self.end_span(|span| {
            outcome.write_to(span);
            if outcome == Outcome::Panicked {
                panics.write_to(span);
            }
        });
    }

    /// Ends the OpenTelemetry span. A panic of a span processor, which runs now, is caught.
    fn end_span(&self, last: impl FnOnce(&SpanRef<'_>)) {
        let Some(context) = &self.context else { return };
        let job = self.job.as_ref().or_else(|| self.state.as_ref()?.job());
        let _ending = Ending::of(job.map_or(0, |job| job.account.id));
        catch_panic(|| {
            let span = context.span();
            last(&span);
            span.end();
        });
    }
}

impl Drop for Op {
    fn drop(&mut self) {
        let outcome = if self.panics.is_unwinding() { Outcome::Panicked } else { Outcome::Dropped };
        self.settle(outcome);
    }
}

/// Creates the `tracing` span of an op. Unlike the macros, this consults no filter:
/// `RUST_LOG=myapp=debug` must not remove ops from the graph.
fn create_span(pending: &Arc<PendingOp>, is_named: bool) -> Span {
    let name = [Some(&pending.name as &dyn FieldValue)];
    let values = pending.metadata.fields().value_set_all(if is_named { &[] } else { &name });
    let create = || Span::new(pending.metadata, &values);
    if !stack::alive() {
        return Span::none();
    }
    // In the destructor of a thread-local the registry may panic, as its own thread-locals are
    // destroyed.
    catch_panic(|| pending_op::with_pending_op(pending, create)).unwrap_or_else(Span::none)
}

/// Sets the attributes that tracing's static fields cannot hold, before the span is started, so
/// that samplers see them.
fn add_attributes(span: &Span, pending: &PendingOp, state: Option<&SpanState>) {
    let is_callers = |key: &str| pending.attributes.iter().any(|own| own.key.as_str() == key);
    if !state.is_some_and(SpanState::is_stamped) {
        // No `SpanLayer` has stamped the span, so the configured keys are unknown.
        let keys = Keys::default();
        let names = [(keys.tool(), &pending.names.tool), (keys.operation(), &pending.names.operation)];
        for (key, value) in names {
            if let Some(value) = value.as_ref().filter(|_| !is_callers(key)) {
                span.set_attribute(key, value.to_string());
            }
        }
        if let Some((state, job)) = state.and_then(|state| Some((state, state.job()?))) {
            let is_added = |key: &str| state.job_added.iter().any(|added| added.key.as_str() == key);
            for (key, value) in job.metadata.stamps(&keys) {
                if !is_callers(key) && !is_added(key) {
                    span.set_attribute(key, value.clone());
                }
            }
            state.set_stamped();
        }
    }
    for added in state.into_iter().flat_map(SpanState::added_stamps) {
        span.set_attribute(added.key.clone(), added.value.clone());
    }
    for (index, own) in pending.attributes.iter().enumerate() {
        if !pending.attributes[index + 1..].iter().any(|later| later.key == own.key) {
            span.set_attribute(own.key.clone(), own.value.clone());
        }
    }
}
