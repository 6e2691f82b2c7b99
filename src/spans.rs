//! [`SpanLayer`]: tracing-opentelemetry's layer without its side effects.
//!
//! Spans are made by tracing-opentelemetry; this layer decides what reaches it.
#![expect(unsafe_code, reason = "`downcast_raw` must be forwarded, and is an unsafe method")]

mod events;
mod forward;
mod instrument;
mod probe;
mod stamps;
pub(crate) mod wrapped;

use std::any::TypeId;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use opentelemetry::trace::TraceContextExt;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::LevelFilter;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Layer;

use crate::correlate::dispatch::DispatchSlot;
use crate::correlate::layer_span::LayerId;
use crate::correlate::new_span::create_state;
use crate::correlate::span_state::{OtelSpan, SpanState};
use crate::correlate::stack::OtelContext;
use crate::correlate::start_guard::StartGuard;
use crate::correlate::{ambient, pending_op, resolve, sidecar, stack, start_guard};
use crate::diagnostics::report_once;
use crate::examined;
use crate::keys::Keys;
use crate::panic_message;
use crate::span_moments::Ending;
use crate::spans::events::SpanEvent;
use crate::spans::forward::with_captured_values;
use crate::spans::stamps::StampFields;
use crate::spans::wrapped::OtelLayer;
use crate::stats::Counters;

/// A thin wrapper around an [`OpenTelemetryLayer`] that forwards everything except events.
///
/// With it, an ERROR event does not set a span's status to Error, except that of
/// [`#[instrument(err)]`](Self::with_instrument_err), events are not copied into spans unless
/// [`with_span_events`](Self::with_span_events) asks for it, and a span that is never entered does not
/// grow with each of its events. None of that needs a per-layer filter. It also puts the job's stamps
/// on spans when they are created, and gives [ops](crate::op) their stamps and source location. A
/// [`LogLayer`](crate::LogLayer) is not required.
///
/// Downcasts, [`get_otel_context`](tracing_opentelemetry::get_otel_context) and
/// [`OpenTelemetrySpanExt`](tracing_opentelemetry::OpenTelemetrySpanExt) work as without it.
///
/// ```
/// use opentelemetry::trace::TracerProvider;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use spanlog::{JobSpanProcessor, SpanLayer};
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let provider = SdkTracerProvider::builder().with_span_processor(JobSpanProcessor::new()).build();
/// let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("app"));
/// let subscriber = tracing_subscriber::registry().with(SpanLayer::new(layer));
/// # drop(subscriber);
/// ```
///
/// [`OpenTelemetryLayer`]: https://docs.rs/tracing-opentelemetry/0.34/tracing_opentelemetry/struct.OpenTelemetryLayer.html
#[derive(Debug)]
pub struct SpanLayer<S, T> {
    inner: Inner<S, T>,
    /// Marks this layer's entries on the thread's stack of spans.
    id: LayerId,
    /// The fields under which job and tool metadata are recorded on spans.
    stamps: &'static StampFields,
    /// Needed to resolve the ids of a parent span.
    dispatch: DispatchSlot,
    /// Whether errors of `#[instrument(err)]` set the status of their span.
    instrument_err: bool,
    /// Up to which verbosity events are copied into their spans.
    span_events: LevelFilter,
    /// Required by `resolve_ids` and `SpanEvent`, and never read: problems with spans are reported
    /// through the diagnostics, and a log layer counts what happens to values.
    counters: Counters,
    present: Present,
}

/// What a subscriber with a [`SpanLayer`] can be downcast to, whatever the layer's type.
#[derive(Debug)]
pub(crate) struct Present;

/// The wrapped layer, which has no `Debug` of its own.
struct Inner<S, T>(OpenTelemetryLayer<S, T>);

impl<S, T> std::fmt::Debug for Inner<S, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpenTelemetryLayer")
    }
}

impl<S, T> SpanLayer<S, T> {
    /// Wraps `layer`: an [`OpenTelemetryLayer`], or one with a counting event filter, which has no
    /// effect here.
    ///
    /// [`OpenTelemetryLayer`]: https://docs.rs/tracing-opentelemetry/0.34/tracing_opentelemetry/struct.OpenTelemetryLayer.html
    pub fn new(layer: impl OtelLayer<S, T>) -> Self {
        Self {
            inner: Inner(layer.into_inner()),
            id: LayerId::next(),
            stamps: StampFields::of(Keys::default()),
            dispatch: DispatchSlot::default(),
            instrument_err: true,
            span_events: LevelFilter::OFF,
            counters: Counters::default(),
            present: Present,
        }
    }

    /// Sets the attribute names of job and tool metadata.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { stamps: StampFields::of(keys), ..self }
    }

    /// Sets whether a function with `#[tracing::instrument(err)]` that returns an error sets the
    /// status of its span to Error, with the error's text, and adds an `exception` event. Default:
    /// true.
    ///
    /// The attribute's event is recognised by its only field, `error`, and by the line, file and
    /// target of its span. No other event touches the status of a span.
    #[must_use]
    pub fn with_instrument_err(self, instrument_err: bool) -> Self {
        Self { instrument_err, ..self }
    }

    /// Copies events up to this verbosity into their spans, for back ends that show the events of a
    /// span. Default: [`LevelFilter::OFF`], none. A [`LogLayer`](crate::LogLayer) makes records of
    /// them all the same.
    ///
    /// ```
    /// # use opentelemetry::trace::TracerProvider;
    /// # use opentelemetry_sdk::trace::SdkTracerProvider;
    /// # use tracing_subscriber::layer::SubscriberExt;
    /// # let provider = SdkTracerProvider::builder().build();
    /// # let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("app"));
    /// // What went wrong is on its span as well.
    /// let spans = spanlog::SpanLayer::new(layer).with_span_events(tracing::Level::WARN);
    /// # drop(tracing_subscriber::registry().with(spans));
    /// ```
    ///
    /// The name is the body of the event's record as text, which is the message; without a body it is
    /// the event's name. The attributes are `level` and `target`, and then those that the record has
    /// from the event itself, whatever their length. Of two attributes with one key the event's own
    /// counts. There is no `code.*`; the record has it [on request](crate::LogLayer::with_location). The status of the
    /// span does not change. The SDK keeps the first 128 events of a span
    /// ([`with_max_events_per_span`](opentelemetry_sdk::trace::TracerProviderBuilder::with_max_events_per_span),
    /// `OTEL_SPAN_EVENT_COUNT_LIMIT`), and counts the rest in `dropped_events_count`.
    ///
    /// An event belongs to the span that it names as its parent, else to the current one of
    /// `tracing`; one with `parent: None` to none. A span that is not sampled or has ended takes no
    /// event. Not copied are
    ///
    /// - the event of [`#[instrument(err)]`](Self::with_instrument_err), and what a
    ///   [`PanicHook`](crate::PanicHook) logs in an op: the span has an `exception` event for these;
    /// - an entry of [`trace`](crate::trace) that is an event of its span already;
    /// - what samplers and processors log while a span starts or ends: it may be locked then;
    /// - what is logged while telemetry is suppressed: an exporter's own lines.
    ///
    /// The event's values are formatted once more. A span that has not started is started by its
    /// first copied event, so that `set_parent` fails from then on, as after its first record.
    ///
    /// To choose by target, use the filter of the subscriber. A per-layer filter on this layer would
    /// also take spans away.
    #[must_use]
    pub fn with_span_events(self, level: impl Into<LevelFilter>) -> Self {
        Self { span_events: level.into(), ..self }
    }
}

impl<S, T> Layer<S> for SpanLayer<S, T>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    T: opentelemetry::trace::Tracer + Send + Sync + 'static,
    T::Span: Send + Sync,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.dispatch.register(dispatch);
        self.inner.0.on_register_dispatch(dispatch);
    }

    fn on_layer(&mut self, subscriber: &mut S) {
        self.inner.0.on_layer(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.inner.0.register_callsite(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        self.inner.0.enabled(metadata, ctx)
    }

    /// Called before any layer gets the event, so it is the place to find out whether a span is
    /// being started. Layers that resolve a span's ids for this event rely on that.
    #[inline]
    fn event_enabled(&self, event: &Event<'_>, ctx: Context<'_, S>) -> bool {
        if probe::is_needed() {
            run_hook(|| {
                let current = ctx.lookup_current().map(|span| span.id());
                probe::run(current, |probe| self.inner.0.on_event(probe, ctx.clone()));
            });
        }
        self.inner.0.event_enabled(event, ctx)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.inner.0.max_level_hint()
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        run_hook(|| {
            let Some(span) = ctx.span(id) else { return };
            let state = create_state(&span, attributes);
            state.set_span_layer(self.dispatch.weak());
            // The wrapped layer starts a parent that is not started yet while it holds the new
            // span's extensions lock. A panic there would poison that lock, so start the parent
            // first.
            let parent = match attributes.is_contextual() {
                true => ctx.lookup_current(),
                false => span.parent(),
            };
            let parent = parent.map(|parent| (parent.id(), SpanState::find_or_unknown(&parent)));
            if let Some((parent, parent_state)) = &parent {
                resolve::resolve_ids(parent_state, parent, &self.dispatch, &self.counters);
                if parent_state.is_broken() {
                    state.set_broken();
                    return;
                }
            }
            let starting = StartGuard::of(parent.map(|(_, state)| state));
            match pending_op::find_pending_op(attributes.metadata()) {
                Some(pending) => forward::with_caller(&pending, attributes, |attributes| {
                    self.inner.0.on_new_span(attributes, id, ctx.clone());
                }),
                None => with_captured_values(&state, attributes, |attributes| {
                    self.inner.0.on_new_span(attributes, id, ctx.clone());
                }),
            }
            drop(starting);
            self.stamp(&state, id, ctx.clone());
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        run_hook(|| {
            if !is_broken(id, &ctx) {
                self.inner.0.on_record(id, values, ctx);
            }
        });
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        run_hook(|| {
            // The wrapped layer would lock one span twice.
            if id == follows || is_broken(id, &ctx) || is_broken(follows, &ctx) {
                return;
            }
            let starting = StartGuard::of(ctx.span(follows).as_ref().and_then(SpanState::find));
            self.inner.0.on_follows_from(id, follows, ctx);
            drop(starting);
        });
    }

    /// Not forwarded: the wrapped layer would set the span's status, run a `Debug` that panics, and keep
    /// the events of a span that has not started.
    #[inline]
    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let is_copied = *event.metadata().level() <= self.span_events;
        if is_copied || instrument::may_be_error(event.metadata()) {
            self.on_span_event(event, is_copied, ctx);
        }
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        run_hook(|| {
            let Some(span) = ctx.span(id) else { return };
            self.dispatch.find(id, span.metadata());
            let state = SpanState::find_or_unknown(&span);
            state.set_span_layer(self.dispatch.weak());
            let before = OtelContext::read();
            let ambient_job = state.job().is_none().then(ambient::ambient_job).flatten();
            self.forward_enter(&state, id, &ctx);
            let after = OtelContext::read();
            if state.otel_span().is_none() && after.span != before.span {
                // Context activation started the span and made it the current one.
                state.set_otel_span(OtelSpan::Known(after.span));
            }
            stack::enter_span(self.id, id, &state, None, after, ambient_job);
            ambient::restore_innermost_job(self.id, after, before.suppressed);
        });
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        run_hook(|| {
            // Ours first: contexts must be detached in the reverse order of attaching.
            stack::exit_span(self.id, id);
            let state = ctx.span(id).as_ref().and_then(SpanState::find);
            if !state.is_some_and(|state| state.is_broken() || state.take_skipped_enter()) {
                self.inner.0.on_exit(id, ctx);
            }
        });
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        run_hook(|| {
            let state = ctx.span(&id).as_ref().and_then(SpanState::find);
            if state.as_ref().is_some_and(|state| state.is_broken()) {
                return;
            }
            // This starts a span that was never started, without holding a lock.
            let job = state.as_ref().and_then(|state| state.job()).map_or(0, |job| job.account.id);
            let _ending = Ending::of(job);
            let starting = StartGuard::unlocked(state);
            self.inner.0.on_close(id, ctx);
            drop(starting);
        });
    }

    fn on_id_change(&self, old: &Id, new: &Id, ctx: Context<'_, S>) {
        run_hook(|| self.inner.0.on_id_change(old, new, ctx));
    }

    // SAFETY: the pointer is to `self` or to a field of it, so it is valid as long as `&self` is.
    // It is of the requested type: that is compared here, or by the wrapped layer.
    unsafe fn downcast_raw(&self, id: TypeId) -> Option<*const ()> {
        if id == TypeId::of::<Self>() {
            return Some(std::ptr::from_ref(self).cast());
        }
        if id == TypeId::of::<Present>() {
            return Some(std::ptr::from_ref(&self.present).cast());
        }
        if id == TypeId::of::<OpenTelemetryLayer<S, T>>() {
            // `get_otel_context` looks for the layer like this before it starts a span.
            probe::set_needed();
        }
        // SAFETY: as above; the wrapped layer lives as long as `self`.
        unsafe { self.inner.0.downcast_raw(id) }
    }
}

impl<S, T> SpanLayer<S, T>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    T: opentelemetry::trace::Tracer + Send + Sync + 'static,
    T::Span: Send + Sync,
{
    /// For an event that may be that of `#[instrument(err)]`, or one to be copied. Not inlined, as
    /// other events are many.
    #[cold]
    #[inline(never)]
    fn on_span_event(&self, event: &Event<'_>, is_copied: bool, ctx: Context<'_, S>) {
        if is_copied || self.instrument_err {
            run_hook(|| self.write_event(event, is_copied, &ctx));
        }
    }

    /// Sets the status of the event's span, if `#[instrument(err)]` made both, or else copies the
    /// event.
    fn write_event(&self, event: &Event<'_>, is_copied: bool, ctx: &Context<'_, S>) {
        if StartGuard::is_under_way() {
            return;
        }
        let Some(span) = ctx.event_span(event) else { return };
        let is_err = self.instrument_err
            && instrument::may_be_error(event.metadata())
            && instrument::is_of(event.metadata(), span.metadata());
        let state = SpanState::find_or_unknown(&span);
        let is_copied = is_copied && !is_left_out(event.metadata(), &state);
        if !is_err && !is_copied {
            return;
        }
        self.dispatch.find_in_event(&span.id(), &state);
        let context = resolve::otel_context(&state, &span.id(), &self.dispatch, &self.counters);
        let Some(cx) = context.flatten() else { return };
        let otel_span = cx.span();
        if is_err {
            instrument::write(instrument::error_text(event), &otel_span);
        } else if otel_span.is_recording() {
            let SpanEvent { name, attributes } =
                examined::not_counted(|| SpanEvent::of(event, &self.counters));
            otel_span.add_event(name, attributes);
        }
    }

    /// Forwards the enter to the wrapped layer, which may start the span and attach its context.
    fn forward_enter(&self, state: &Arc<SpanState>, id: &Id, ctx: &Context<'_, S>) {
        if state.is_broken() {
            return;
        }
        if !ambient::can_attach() {
            // Inside `Context::map_current` the wrapped layer would panic while it holds the span's
            // lock, so the enter is not forwarded. Records in the span still get its ids.
            resolve::resolve_ids(state, id, &self.dispatch, &self.counters);
            state.add_skipped_enter();
            return;
        }
        let starting = StartGuard::of(Some(state.clone()));
        let entered = catch_unwind(AssertUnwindSafe(|| self.inner.0.on_enter(id, ctx.clone())));
        drop(starting);
        if entered.is_err() {
            state.set_broken();
            start_guard::set_panicked();
        }
    }

    /// Writes the stamps of the job and the op into the span before anything can start it.
    fn stamp(&self, state: &Arc<SpanState>, id: &Id, ctx: Context<'_, S>) {
        if state.job().is_none() && state.op.is_none() {
            return;
        }
        self.stamps.with_record(state, |record| self.inner.0.on_record(id, record, ctx));
        state.set_stamped();
    }
}

/// Whether an event of this span is not copied into it: it is there already, or an exporter's own, or
/// the span is locked by an end on this thread, whose processors may log.
fn is_left_out(event: &'static Metadata<'static>, span: &SpanState) -> bool {
    Ending::is_under_way()
        || ambient::is_suppressed()
        || sidecar::is_on_span(event)
        // An op that ends by a panic writes it to its span.
        || span.op.is_some() && event.target() == panic_message::TARGET
}

/// Whether hooks must no longer be forwarded for the span.
fn is_broken<S>(id: &Id, ctx: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    ctx.span(id).as_ref().and_then(SpanState::find).is_some_and(|state| state.is_broken())
}

/// Runs a hook, unless OpenTelemetry's thread-locals are destroyed. Catches panics, of a sampler or
/// a `Debug` for example.
fn run_hook(hook: impl FnOnce()) {
    if stack::alive() && catch_unwind(AssertUnwindSafe(hook)).is_err() {
        start_guard::set_panicked();
        report_once(format_args!(
            "the span layer caught a panic, which came from a sampler, a processor or a field's Debug"
        ));
    }
}
