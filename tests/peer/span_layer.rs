//! What a plain `OpenTelemetryLayer` loses compared with our `SpanLayer`: each row of that table,
//! demonstrated.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use opentelemetry::trace::{SpanId, Status, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SdkTracer, SdkTracerProvider, ShouldSample, SpanData,
};
use spanlog::{job, op, JobMetadata, JobSpanProcessor, LogLayer, SdkRecords, SpanLayer};
use tracing::level_filters::LevelFilter;
use tracing::{error, info, info_span, warn, Dispatch, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::capture::Capture;
use crate::spans::{kept_spans, remote_context, SamplerFn};
use crate::table::first_column;

const HEADING: &str = "Differences from a plain OpenTelemetryLayer";

const COPIES: &str = "Events of spans";

/// A stack with our log layer, and either span layer.
#[derive(Clone, Copy)]
struct Stack {
    is_plain: bool,
    activation: bool,
    /// Our log layer is inside an `Option`.
    in_option: bool,
    /// Our log layer is registered before the span layer, not after it.
    log_first: bool,
    /// Our span layer copies all events.
    copying: bool,
}

impl Stack {
    fn play(self, script: impl FnOnce()) -> Outcome {
        self.play_sampled(Sampler::AlwaysOn, script)
    }

    fn play_sampled(self, sampler: impl ShouldSample + 'static, script: impl FnOnce()) -> Outcome {
        let records = Capture::default();
        let spans = InMemorySpanExporter::default();
        let tracer_provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_span_processor(JobSpanProcessor::new())
            .with_simple_exporter(spans.clone())
            .build();
        let dispatch = self.assemble(tracer_provider.tracer("test"), LogLayer::new(&records.provider()));
        tracing::dispatcher::with_default(&dispatch, script);
        let spans = spans.get_finished_spans().unwrap();
        let has_ids =
            records.map(|record| record.trace_context().is_some_and(|ids| ids.span_id != SpanId::INVALID));
        Outcome { spans, has_ids }
    }

    fn assemble(self, tracer: SdkTracer, log_layer: LogLayer<SdkRecords<SdkLogger>>) -> Dispatch {
        let registry = Registry::default();
        if self.log_first {
            Dispatch::new(registry.with(log_layer).with(self.span_layer(tracer)))
        } else if self.in_option {
            Dispatch::new(registry.with(self.span_layer(tracer)).with(Some(log_layer)))
        } else {
            Dispatch::new(registry.with(self.span_layer(tracer)).with(log_layer))
        }
    }

    fn span_layer<S>(self, tracer: SdkTracer) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let inner =
            tracing_opentelemetry::layer().with_tracer(tracer).with_context_activation(self.activation);
        if self.is_plain {
            Box::new(inner)
        } else {
            let level = if self.copying { LevelFilter::TRACE } else { LevelFilter::OFF };
            Box::new(SpanLayer::new(inner).with_span_events(level))
        }
    }
}

struct Outcome {
    spans: Vec<SpanData>,
    /// For each record in turn.
    has_ids: Vec<bool>,
}

impl Outcome {
    fn span(&self, name: &str) -> &SpanData {
        self.spans.iter().find(|span| span.name == name).unwrap()
    }

    fn has_job(&self, name: &str) -> bool {
        self.span(name).attributes.iter().any(|attribute| attribute.key.as_str() == "runner_job.id")
    }
}

/// Whether a stack loses what the row describes.
type Loses = fn(Stack) -> bool;

const USUAL: Stack =
    Stack { is_plain: false, activation: true, in_option: false, log_first: false, copying: false };
const WITHOUT_ACTIVATION: Stack = Stack { activation: false, ..USUAL };

fn rows() -> BTreeMap<&'static str, (Stack, Loses)> {
    BTreeMap::from([
        ("error-line-turns-status-red", (USUAL, error_line_turns_status_red as Loses)),
        ("events-are-copied", (USUAL, events_are_copied)),
        ("a-span-never-entered-grows", (WITHOUT_ACTIVATION, a_span_never_entered_grows)),
        ("entering-starts-the-span", (WITHOUT_ACTIVATION, entering_starts_the_span)),
        ("job-of-a-span-never-entered", (WITHOUT_ACTIVATION, job_of_a_span_never_entered)),
        ("job-of-a-span-with-another-parent", (USUAL, job_of_a_span_with_another_parent)),
        ("ids-before-the-first-enter", (Stack { in_option: true, ..USUAL }, ids_before_the_first_enter)),
        ("location-of-an-op", (USUAL, location_of_an_op)),
        ("suppression-is-lifted", (USUAL, suppression_is_lifted)),
    ])
}

/// Scenario: for each row, a plain layer loses something and `SpanLayer` does not; the document has
/// exactly these rows.
#[test]
fn a_plain_layer_loses_what_the_table_says_and_ours_does_not() {
    let rows = rows();
    for (name, (stack, loses)) in &rows {
        assert!(loses(Stack { is_plain: true, ..*stack }), "`{name}` is no longer true of a plain layer");
        assert!(!loses(*stack), "`{name}` is true of SpanLayer too");
    }
    let mut documented = first_column(crate::MAPPING, HEADING);
    documented.sort();
    assert_eq!(documented, rows.keys().copied().collect::<Vec<_>>());
}

fn error_line_turns_status_red(stack: Stack) -> bool {
    let outcome = stack.play(|| info_span!("recovers").in_scope(|| error!("first try failed")));
    outcome.span("recovers").status != Status::Unset
}

fn events_are_copied(stack: Stack) -> bool {
    let outcome = stack.play(|| info_span!("chatty").in_scope(|| info!("a line")));
    !outcome.span("chatty").events.is_empty()
}

fn a_span_never_entered_grows(stack: Stack) -> bool {
    // Events that make no record, such as those below the log layer's level, start no span.
    let records = SdkLoggerProvider::builder().build();
    let (provider, spans) = kept_spans();
    let errors_only = LogLayer::new(&records).with_level(tracing::Level::ERROR);
    let dispatch = stack.assemble(provider.tracer("test"), errors_only);
    tracing::dispatcher::with_default(&dispatch, || {
        let connection = info_span!("connection");
        for _ in 0..1000 {
            info!(parent: &connection, "request");
        }
    });
    // All were kept until the span closed; only then does the SDK's limit cut them.
    let events = spans.get_finished_spans().unwrap().remove(0).events;
    events.len() + events.dropped_count as usize == 1000
}

fn entering_starts_the_span(stack: Stack) -> bool {
    let mut failed = false;
    stack.play(|| {
        let request = info_span!("request");
        let _entered = request.enter();
        failed = request.set_parent(remote_context()).is_err();
    });
    failed
}

fn job_of_a_span_never_entered(stack: Stack) -> bool {
    let outcome = stack.play(|| {
        info_span!("service").in_scope(|| {
            job::scope(JobMetadata::new("job-1", "exec-1"), || drop(info_span!("never entered")));
        });
    });
    !outcome.has_job("never entered")
}

fn job_of_a_span_with_another_parent(stack: Stack) -> bool {
    let outcome = stack.play(|| {
        let service = info_span!("service");
        job::scope(JobMetadata::new("job-1", "exec-1"), || {
            info_span!(parent: &service, "step").in_scope(|| info!("working"));
        });
    });
    !outcome.has_job("step")
}

fn ids_before_the_first_enter(stack: Stack) -> bool {
    let outcome = stack.play(|| {
        let never = info_span!("never entered");
        info!(parent: &never, "before");
        info_span!("any").in_scope(|| ());
        info!(parent: &never, "after");
    });
    assert!(outcome.has_ids[1], "found when a span was entered");
    !outcome.has_ids[0]
}

fn location_of_an_op(stack: Stack) -> bool {
    let outcome = stack.play(|| op::start("git", "clone", []).end(&Ok::<(), std::io::Error>(())));
    let op = outcome.span("git.clone");
    !op.attributes.iter().any(|attribute| attribute.key.as_str() == "code.file.path")
}

fn suppression_is_lifted(stack: Stack) -> bool {
    let outcome = stack.play(|| {
        let span = info_span!("span");
        span.in_scope(|| info!("before"));
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        span.in_scope(|| info!("of an exporter"));
    });
    outcome.has_ids.len() == 2
}

/// Scenario: the advice of the row `job-of-a-span-with-another-parent` for users of the plain
/// layer.
#[test]
fn registering_the_log_layer_first_keeps_the_job_of_an_entered_span() {
    assert!(!job_of_a_span_with_another_parent(Stack { is_plain: true, log_first: true, ..USUAL }));
}

/// `Span::context` holds tracing-opentelemetry's lock while the sampler runs.
fn a_sampler_that_logs_hangs(stack: Stack) -> bool {
    let sampler = SamplerFn(|_, _: &str, _: &[KeyValue]| {
        info!("asked to sample");
        true
    });
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        stack.play_sampled(sampler, || {
            let span = info_span!("asked by hand");
            let _entered = span.enter();
            let _ = span.context();
        });
        let _ = sender.send(());
    });
    receiver.recv_timeout(Duration::from_secs(2)) == Err(mpsc::RecvTimeoutError::Timeout)
}

/// Scenario: `Span::context` is called on a span without records, and the sampler logs. Guarantees:
/// no deadlock if user code starts a span and its sampler logs.
#[test]
fn asking_an_unlogged_span_for_its_context_does_not_hang_where_the_sampler_logs() {
    assert!(!a_sampler_that_logs_hangs(WITHOUT_ACTIVATION));
    assert!(!a_sampler_that_logs_hangs(USUAL));
    assert!(!a_sampler_that_logs_hangs(Stack { is_plain: true, ..WITHOUT_ACTIVATION }));
}

/// The events of the span `span` that `script` logs, as text: names, and attributes with their types.
fn copied(stack: Stack, script: fn()) -> Vec<(String, Vec<(String, String)>)> {
    let outcome = stack.play(|| info_span!("span").in_scope(script));
    let text = |own: &KeyValue| (own.key.to_string(), format!("{:?}", own.value));
    let events = outcome.span("span").events.iter();
    events.map(|event| (event.name.to_string(), event.attributes.iter().map(text).collect())).collect()
}

const PLAIN: Stack = Stack { is_plain: true, ..USUAL };
const COPYING: Stack = Stack { copying: true, ..USUAL };

fn without_location(
    mut events: Vec<(String, Vec<(String, String)>)>,
) -> Vec<(String, Vec<(String, String)>)> {
    events.iter_mut().for_each(|(_, attributes)| attributes.retain(|(key, _)| !key.starts_with("code.")));
    events
}

/// Guarantees: where the table names no difference, a copied event is that of a plain layer, in the
/// same span and order.
#[test]
fn copied_events_are_those_of_a_plain_layer_but_for_the_differences_in_the_table() {
    fn lines() {
        let outer = tracing::Span::current();
        info!("plain");
        warn!(name: "named", target: "a::target", user = "ann", "with {}", "fields");
        info!(below = -1, yes = true, half = 0.5, text = "gr\u{fc}\u{df}", debug = ?[1], display = %'x', "types");
        info!(name: "no.message", user = "ann");
        info!(bytes = &[0_u8, 255][..], none = tracing::field::Empty, some = Some(1_i64), "more");
        info_span!("inner").in_scope(|| info!(parent: &outer, "to a parent"));
        info_span!("inner").in_scope(|| info!("to inner"));
        info!(parent: None, "to nothing");
        error!(err = "text", "an error");
        info!(user = "no name and no message");
        info!(message = 42_i64);
    }
    let (plain, ours) = (copied(PLAIN, lines), copied(COPYING, lines));
    assert_eq!(plain.len(), 9);
    assert_eq!(without_location(plain), ours);

    let differences: BTreeMap<&str, fn()> = BTreeMap::from([
        ("copied-location", (|| info!("plain")) as fn()),
        ("copied-unsigned", || info!(count = 7_u64, "unsigned")),
        ("copied-error", || {
            let error = std::io::Error::other("disk full");
            error!(error = &error as &(dyn std::error::Error + 'static), "failed");
        }),
        ("copied-error-text", || error!(error = "disk full")),
        ("copied-control-fields", || info!(otel.severity_number = 10, "controlled")),
        ("copied-twice", || info!(target = "own", "a field of the name")),
    ]);
    for (name, script) in &differences {
        let (plain, ours) = (copied(PLAIN, *script), copied(COPYING, *script));
        assert_eq!((plain.len(), ours.len()), (1, 1), "{name}");
        let is_location = *name == "copied-location";
        let plain = if is_location { plain } else { without_location(plain) };
        assert_ne!(plain, ours, "`{name}` is no longer true");
    }
    let mut documented = first_column(crate::MAPPING, COPIES);
    documented.sort();
    assert_eq!(documented, differences.keys().copied().collect::<Vec<_>>());
}
