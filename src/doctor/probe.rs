//! The span and the event that are sent, and what this process's layers made of them.
//!
//! They are made as tracing's macros make them: filters are asked first. This happens on a thread of its
//! own, in no span and no job of the caller, and not longer than until a deadline: a layer may wait for a
//! lock that the caller holds.

use std::sync::mpsc::{sync_channel, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use opentelemetry::logs::Severity;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::Context;
use opentelemetry_sdk::logs::SdkLogger;
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
use crate::forked::ForkedMutex;
use crate::layer::LogLayer;
use crate::otlp::record::DirectRecords;
use crate::record::sdk::SdkRecords;
use crate::spans::Present;

/// How often a trace is started before the sampler is said to take none. A ratio of 1 in 1,000 takes none
/// of so many with a probability of 1 in 60.
const TRIES: usize = 4_096;

/// After more of them, the sampler takes few traces: a half of them with a probability of 1 in 256.
const FEW_TRIES: usize = 8;

/// From the most severe one.
const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];

/// Sends span and event to `subscriber`, and returns what this process's layers made of them.
pub(crate) fn send(target: &str, subscriber: &Dispatch, until: Instant) -> Checkup {
    let mut checkup = Checkup::default();
    if subscriber.is::<NoSubscriber>() {
        checkup.add(Finding::no_subscriber());
        return checkup;
    }
    let (target, of_thread) = (leaked(target), subscriber.clone());
    let (sender, receiver) = sync_channel(1);
    let send = move || {
        let sent = in_subscriber(Some(&of_thread), || send_here(target, &of_thread));
        // If this fails, the deadline has passed.
        let _ = sender.send(sent);
    };
    let thread = thread::Builder::new().name("spanlog doctor".into()).spawn(send);
    let Ok(_thread) = thread else {
        // The thread could not be spawned.
        return in_subscriber(Some(subscriber), || send_here(target, subscriber));
    };
    receiver.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap_or_else(|error| {
        checkup.add(match error {
            RecvTimeoutError::Timeout => Finding::stuck(),
            RecvTimeoutError::Disconnected => Finding::panicked(),
        });
        checkup
    })
}

fn send_here(target: &'static str, subscriber: &Dispatch) -> Checkup {
    let mut checkup = Checkup::default();
    let enabled = |kind: fn() -> Kind| {
        LEVELS.into_iter().rfind(|level| is_enabled(subscriber, metadata(target, *level, kind())))
    };
    let (events, spans) = (enabled(|| Kind::EVENT), enabled(|| Kind::SPAN));
    checkup.fact(format!(
        "filters for the target {target}: events {}, spans {}",
        up_to(events),
        up_to(spans)
    ));
    let best = Seen::at_best(target, subscriber);
    if !best.is_ours {
        checkup.add(Finding::no_layers());
        return checkup;
    }
    let span = start(target, subscriber, &mut checkup);
    checkup.has_span = span.id().is_some();
    if span.is_disabled() && events.is_some() {
        checkup.add(Finding::spans_filtered(target));
    }
    // Asked before the event, with which a layer learns of a span that it missed.
    let seen = Seen::of(&span, subscriber).unwrap_or_default();
    let misses_span = !span.is_disabled() && seen.log_layers < best.log_layers;
    checkup.records = log(target, subscriber, &span, &mut checkup);
    match Seen::of(&span, subscriber) {
        _ if events.is_none() => checkup.add(Finding::events_filtered(target)),
        _ if best.log_layers == 0 => checkup.add(Finding::no_log_layer()),
        _ if misses_span => checkup.add(Finding::filtered_log_layer()),
        _ if checkup.records == 0 => checkup.add(Finding::no_record(target)),
        Some(seen) if best.has_span_layer && !seen.has_span_layer => {
            checkup.add(Finding::filtered_span_layer());
        }
        Some(seen) => seen.examine_ids(&mut checkup),
        None => {}
    }
    drop(span);
    for finding in with_per_layer_filter(target, subscriber) {
        if !checkup.findings.contains(&finding) {
            checkup.add(finding);
        }
    }
    checkup
}

/// Starts a span that is a trace of its own. Some, as a sampler may take only a part. None, if they are
/// disabled.
fn start(target: &'static str, subscriber: &Dispatch, checkup: &mut Checkup) -> Span {
    let mut started = Span::none();
    for number in 1..=TRIES {
        let span = metadata(target, Level::INFO, Kind::SPAN);
        if !is_enabled(subscriber, span) {
            return Span::none();
        }
        started = Span::new_root(span, &span.fields().value_set_all(&[]));
        let ids = context_of(&started);
        checkup.trace_id = ids.is_valid().then(|| ids.trace_id());
        if ids.is_sampled() || !ids.is_valid() {
            if number > FEW_TRIES {
                checkup.add(Finding::partly_sampled(number));
            } else if number > 1 {
                checkup.fact(format!(
                    "the sampler takes a part of the traces: the first one was number {number}"
                ));
            }
            return started;
        }
    }
    checkup.add(Finding::not_sampled(TRIES));
    started
}

fn context_of(span: &Span) -> SpanContext {
    span.context().span().span_context().clone()
}

/// Logs the event in the span, at INFO or else at the first level above that of which a record is made, and
/// returns how many were made.
fn log(target: &'static str, subscriber: &Dispatch, span: &Span, checkup: &mut Checkup) -> usize {
    let _entered = span.enter();
    for level in [Level::INFO, Level::WARN, Level::ERROR] {
        let event = metadata(target, level, Kind::EVENT);
        let records = examined::records_of(|| {
            if is_enabled(subscriber, event) {
                let message = format_args!("a check-up of what is installed");
                let severity = Severity::Info as i64;
                let values = [Some(&message as &dyn Value), Some(&true), Some(&severity)];
                Event::dispatch(event, &event.fields().value_set_all(&values));
            }
        });
        if records > 0 {
            if level != Level::INFO {
                checkup.fact(format!("records are made of events up to {level} only"));
            }
            return records;
        }
    }
    0
}

/// What this crate's layers know of a span.
#[derive(Default)]
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

    /// The same of a span that is started for this, and dropped.
    fn of_new(span: &'static Metadata<'static>, subscriber: &Dispatch) -> Option<Self> {
        Self::of(&Span::new(span, &span.fields().value_set_all(&[])), subscriber)
    }

    /// What is known of spans of the level at which most is known: filters keep some from some layers.
    fn at_best(target: &'static str, subscriber: &Dispatch) -> Self {
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        let spans = LEVELS.map(|level| metadata(target, level, Kind::SPAN));
        let enabled = spans.into_iter().filter(|span| is_enabled(subscriber, span));
        let seen = enabled.filter_map(|span| Self::of_new(span, subscriber));
        // For one whose filter lets no span pass.
        let is_direct = subscriber.is::<LogLayer<DirectRecords>>();
        let is_sdk = subscriber.is::<LogLayer<SdkRecords<SdkLogger>>>();
        let found = usize::from(is_direct) + usize::from(is_sdk);
        let has_span_layer = subscriber.is::<Present>();
        let none =
            Self { is_ours: found > 0 || has_span_layer, has_span_layer, log_layers: found, otel_span: None };
        seen.fold(none, |best, seen| Self {
            is_ours: best.is_ours || seen.is_ours,
            has_span_layer: best.has_span_layer || seen.has_span_layer,
            log_layers: best.log_layers.max(seen.log_layers),
            otel_span: None,
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
/// Such a filter remembers its last answer, even one to a bare `enabled()` call, until the next span or
/// event. So it is asked about what it is likely to disable, and then a layer that misses a span which it saw
/// before has one. A filter that disables nothing of that is not found.
///
/// Telemetry is suppressed meanwhile, so that the spans are not exported.
fn with_per_layer_filter(target: &'static str, subscriber: &Dispatch) -> Vec<Finding> {
    let _suppressed = Context::enter_telemetry_suppressed_scope();
    let span = metadata(target, Level::INFO, Kind::SPAN);
    let see = || Seen::of_new(span, subscriber);
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
                log_layer = Some(Finding::filtered_log_layer());
            }
            if all.has_span_layer && !seen.has_span_layer {
                span_layer = Some(Finding::filtered_span_layer());
            }
        }
    }
    log_layer.into_iter().chain(span_layer).collect()
}

/// Asks the filters. Unlike tracing's macros, it asks them each time: a per-layer filter remembers its last
/// answer.
fn is_enabled(subscriber: &Dispatch, metadata: &'static Metadata<'static>) -> bool {
    if *metadata.level() > LevelFilter::current() {
        return false;
    }
    let interest = subscriber.register_callsite(metadata);
    !interest.is_never() && (subscriber.enabled(metadata) || interest.is_always())
}

/// The callsites of a target, which are made once.
fn metadata(target: &'static str, level: Level, kind: Kind) -> &'static Metadata<'static> {
    static KNOWN: Cache<(&'static str, Level, bool), Metadata<'static>> = Cache::new();
    const OF_EVENTS: &[&str] = &["message", examined::FIELD, "otel.severity_number"];
    KNOWN.get((target, level, kind.is_span()), || {
        new_metadata(|callsite| {
            let fields = FieldSet::new(if kind.is_span() { &[] } else { OF_EVENTS }, callsite);
            Metadata::new(NAME, target, level, None, None, None, fields, kind)
        })
    })
}

/// The same text each time, as each target has callsites.
fn leaked(target: &str) -> &'static str {
    static KNOWN: std::sync::OnceLock<ForkedMutex<Vec<&'static str>>> = std::sync::OnceLock::new();
    let leak = || -> &'static str { Box::leak(Box::from(target)) };
    let Some(mut known) = KNOWN.get_or_init(ForkedMutex::default).lock() else { return leak() };
    let found = known.iter().find(|known| **known == target).copied();
    found.unwrap_or_else(|| {
        known.push(leak());
        known[known.len() - 1]
    })
}
