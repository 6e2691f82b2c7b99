//! The span and the event that are sent, and what this process's layers made of them.
//!
//! They are made as tracing's macros make them: filters are asked first. This happens on a thread of its
//! own, in no span and no job of the caller.

use std::sync::Mutex;
use std::thread;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::Context;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Event, Level, Metadata, Span};
use tracing_core::field::{FieldSet, Value};
use tracing_core::metadata::Kind;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::Registry;

use crate::callsite::{new_metadata, Cache};
use crate::correlate::dispatch::in_subscriber;
use crate::correlate::layer_span::LayerSpan;
use crate::correlate::span_state::{OtelSpan, SpanState};
use crate::doctor::checkup::Checkup;
use crate::doctor::finding::{up_to, Finding};
use crate::examined::{self, NAME};

/// How often a trace is started before the sampler is said to take none.
const TRIES: usize = 16;

/// From the most severe one.
const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// Sends span and event to `subscriber`, and adds to `checkup` what this process's layers made of them.
pub(crate) fn send(target: &str, subscriber: &Dispatch, checkup: &mut Checkup) {
    if subscriber.is::<NoSubscriber>() {
        checkup.add(Finding::no_subscriber());
        return;
    }
    let target = leaked(target);
    let mut send = || in_subscriber(Some(subscriber), || send_here(target, subscriber, checkup));
    let sent = thread::scope(|scope| {
        let thread = thread::Builder::new().name("spanlog doctor".into());
        thread.spawn_scoped(scope, &mut send).map(|thread| thread.join().is_ok())
    });
    match sent {
        Ok(true) => {}
        Ok(false) => checkup.add(Finding::panicked()),
        // There is no thread to be had.
        Err(_) => send(),
    }
}

fn send_here(target: &'static str, subscriber: &Dispatch, checkup: &mut Checkup) {
    let enabled = |kind: fn() -> Kind| {
        LEVELS.into_iter().rfind(|level| is_enabled(subscriber, metadata(target, *level, kind())))
    };
    let (events, spans) = (enabled(|| Kind::EVENT), enabled(|| Kind::SPAN));
    checkup.fact(format!(
        "filters let pass of the target {target}: events {}, spans {}",
        up_to(events),
        up_to(spans)
    ));
    let span = start(target, subscriber, checkup);
    let Some(level) = events.map(|most| most.min(Level::INFO)) else {
        checkup.add(Finding::events_filtered(target));
        return;
    };
    let entered = span.enter();
    let records = examined::records_of(|| {
        let event = metadata(target, level, Kind::EVENT);
        if is_enabled(subscriber, event) {
            let message = format_args!("a check-up of what is installed");
            let values = [Some(&message as &dyn Value), Some(&true)];
            Event::dispatch(event, &event.fields().value_set_all(&values));
        }
    });
    drop(entered);
    let seen = Seen::of(&span, subscriber);
    if let (Some(seen), false) = (&seen, span.is_disabled()) {
        match (seen.log_layers, records) {
            (0, _) if !seen.is_ours => checkup.add(Finding::other_subscriber(
                "the subscriber of this thread has no layer of this crate, so that records and spans go nowhere",
            )),
            (0, _) => checkup.add(Finding::no_log_layer()),
            (_, 0) => checkup.add(Finding::no_record(target)),
            _ => seen.examine_ids(checkup),
        }
    } else if records == 0 {
        checkup.add(Finding::no_log_layer());
    }
    drop(span);
    for layer in with_per_layer_filter(target, subscriber) {
        checkup.add(Finding::per_layer_filter(layer));
    }
}

/// Starts a span that is a trace of its own. Some, as a sampler may take only a part.
fn start(target: &'static str, subscriber: &Dispatch, checkup: &mut Checkup) -> Span {
    let mut started = Span::none();
    for number in 1..=TRIES {
        let span = metadata(target, Level::INFO, Kind::SPAN);
        if !is_enabled(subscriber, span) {
            checkup.add(Finding::spans_filtered(target));
            return Span::none();
        }
        started = Span::new_root(span, &span.fields().value_set_all(&[None, None]));
        let ids = context_of(&started);
        checkup.trace_id = ids.is_valid().then(|| ids.trace_id());
        if ids.is_sampled() || !ids.is_valid() {
            if number > 1 {
                checkup.fact(format!("the sampler takes a part of the traces: this is number {number}"));
            }
            return started;
        }
    }
    checkup.add(Finding::not_sampled());
    started
}

fn context_of(span: &Span) -> SpanContext {
    span.context().span().span_context().clone()
}

/// What this crate's layers know of a span.
struct Seen {
    is_ours: bool,
    has_span_layer: bool,
    log_layers: usize,
    otel_span: Option<OtelSpan>,
}

impl Seen {
    /// `None` without a [`Registry`], or if the span is disabled.
    fn of(span: &Span, subscriber: &Dispatch) -> Option<Self> {
        let span = subscriber.downcast_ref::<Registry>()?.span(&span.id()?)?;
        let state = SpanState::find(&span);
        Some(Self {
            is_ours: state.is_some(),
            has_span_layer: state.as_ref().is_some_and(|state| state.has_span_layer()),
            log_layers: LayerSpan::all(&span).len(),
            otel_span: state.and_then(|state| state.otel_span().copied()),
        })
    }

    fn examine_ids(&self, checkup: &mut Checkup) {
        match self.otel_span {
            Some(OtelSpan::Known(Some(_))) => {}
            Some(OtelSpan::Known(None)) => checkup.add(Finding::no_tracer()),
            Some(OtelSpan::Absent) => checkup.add(Finding::no_span_layer()),
            None => checkup.add(Finding::no_ids()),
        }
    }
}

/// Which layers of this crate have a per-layer filter.
///
/// Such a filter remembers its last answer, also one to a mere question, until the next span or event. So
/// it is asked about what it is likely to disable, and then a layer that misses a span which it saw before
/// has one. A filter that disables nothing is not found, and does no harm.
///
/// Telemetry is suppressed meanwhile, so that the spans are not exported.
fn with_per_layer_filter(target: &'static str, subscriber: &Dispatch) -> Vec<&'static str> {
    let _suppressed = Context::enter_telemetry_suppressed_scope();
    let span = metadata(target, Level::INFO, Kind::SPAN);
    let see = || Seen::of(&Span::new(span, &span.fields().value_set_all(&[None, None])), subscriber);
    if !is_enabled(subscriber, span) {
        return Vec::new();
    }
    let Some(all) = see() else { return Vec::new() };
    let (mut log_layer, mut span_layer) = (None, None);
    for target in [target, "opentelemetry_sdk", "hyper"] {
        for level in LEVELS {
            subscriber.enabled(metadata(target, level, Kind::EVENT));
            let Some(seen) = see() else { continue };
            if seen.log_layers < all.log_layers {
                log_layer = Some("a log layer");
            }
            if all.has_span_layer && !seen.has_span_layer {
                span_layer = Some("the span layer");
            }
        }
    }
    // What is remembered now must not disable what comes next.
    subscriber.enabled(span);
    see();
    log_layer.into_iter().chain(span_layer).collect()
}

/// Asks the filters. Unlike tracing's macros, it asks them each time: a per-layer filter remembers its last
/// answer.
fn is_enabled(subscriber: &Dispatch, metadata: &'static Metadata<'static>) -> bool {
    if *metadata.level() > LevelFilter::current() {
        return false;
    }
    !subscriber.register_callsite(metadata).is_never() && subscriber.enabled(metadata)
}

/// The callsites of a target, which are made once.
fn metadata(target: &'static str, level: Level, kind: Kind) -> &'static Metadata<'static> {
    static KNOWN: Cache<(&'static str, Level, bool), Metadata<'static>> = Cache::new();
    KNOWN.get((target, level, kind.is_span()), || {
        new_metadata(|callsite| {
            let fields = FieldSet::new(&["message", examined::FIELD], callsite);
            Metadata::new(NAME, target, level, None, None, None, fields, kind)
        })
    })
}

/// The same text each time, as each target has callsites.
fn leaked(target: &str) -> &'static str {
    static KNOWN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = known.iter().find(|known| **known == target) {
        return known;
    }
    let target: &'static str = Box::leak(Box::from(target));
    known.push(target);
    target
}
