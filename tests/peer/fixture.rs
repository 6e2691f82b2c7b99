//! Plays scripts on the same stack twice, with the peer's log layer and with ours.

use std::collections::HashMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use log::Log;
use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{SpanId, TraceId, TracerProvider};
use opentelemetry::KeyValue;
use opentelemetry_appender_tracing::layer::{OpenTelemetryTracingBridge, TracingSpanAttributes};
use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer, SdkTracerProvider};
use spanlog::{JobSpanProcessor, LogLayer, SpanLayer};
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::layer::{Identity, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::capture::Capture;
use crate::script::{Script, Spans};
use crate::spans::SamplerFn;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Peer,
    Ours,
}

/// What is available to a script.
pub(crate) struct Fixture {
    pub tracer: SdkTracer,
    pub tracer_provider: SdkTracerProvider,
    /// The bridge from `log` to tracing: tracing-log's on the peer's side, ours on ours. Neither is
    /// installed in the process; it is passed to `log`'s macros as `logger:`.
    pub log: Box<dyn Log>,
}

/// The outcome of a script.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub lines: Vec<Line>,
    /// A panic reached the program.
    pub panicked: bool,
}

impl Played {
    /// What the table may quote.
    pub(crate) fn pieces(&self) -> Vec<String> {
        let mut pieces: Vec<_> = self.lines.iter().flat_map(Line::pieces).collect();
        pieces.push(format!("records={}", self.lines.len()));
        pieces
    }
}

/// A record as comparable text. Ids are replaced by the names of their spans; the invalid context
/// is none, as on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub has_time: bool,
    pub has_observed_time: bool,
    pub severity_number: Option<i32>,
    pub severity_text: Option<String>,
    pub body: Option<String>,
    pub event_name: Option<String>,
    pub scope: String,
    pub span: Option<String>,
    pub trace: Option<String>,
    pub flags: u8,
    pub attributes: Vec<(String, String)>,
}

impl Line {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.attributes.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    fn pieces(&self) -> Vec<String> {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let time = |is_set: bool| if is_set { "set" } else { "none" };
        let mut pieces = vec![
            format!("time_unix_nano={}", time(self.has_time)),
            format!("observed_time_unix_nano={}", time(self.has_observed_time)),
            format!("severity_number={}", self.severity_number.unwrap_or_default()),
            format!("severity_text={}", or_none(&self.severity_text)),
            format!("body={}", or_none(&self.body)),
            format!("event_name={}", or_none(&self.event_name)),
            format!("scope={}", self.scope),
            format!("span={}", or_none(&self.span)),
            format!("flags={}", self.flags),
            format!("attributes={}", self.attributes.len()),
        ];
        for (key, value) in &self.attributes {
            pieces.push(format!("{key}={value}"));
            let times = self.attributes.iter().filter(|(known, _)| known == key).count();
            if times > 1 {
                pieces.push(format!("{key} {times} times"));
            }
        }
        pieces
    }
}

/// Plays a script on one side.
pub(crate) fn play(script: &Script, side: Side) -> Played {
    log::set_max_level(log::LevelFilter::Trace);
    let records = Capture::default();
    let log_provider = records.provider();
    let names = Names::default();
    let (known, sampled) = (names.clone(), script.sampled);
    let tracer_provider = SdkTracerProvider::builder()
        .with_id_generator(names.clone())
        .with_sampler(SamplerFn(move |trace_id, name: &str, _: &[KeyValue]| {
            known.learn(trace_id, name);
            sampled
        }))
        .with_span_processor(JobSpanProcessor::new())
        .build();
    let tracer = tracer_provider.tracer("test");
    let registry = Registry::default().with(span_layer(script, tracer.clone()));
    let (dispatch, log): (_, Box<dyn Log>) = match side {
        Side::Ours => {
            (Dispatch::new(registry.with(LogLayer::new(&log_provider))), Box::new(spanlog::LogTracer::new()))
        }
        Side::Peer => {
            let mut peer = OpenTelemetryTracingBridge::builder(&log_provider);
            if script.span_attributes {
                peer = peer.with_tracing_span_attributes(TracingSpanAttributes::all());
            }
            (Dispatch::new(registry.with(peer.build())), Box::new(tracing_log::LogTracer::new()))
        }
    };
    let fixture = Fixture { tracer, tracer_provider, log };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        tracing::dispatcher::with_default(&dispatch, || (script.run)(&fixture));
    }));
    let lines = records.map(|record| names.line(record));
    Played { lines, panicked: outcome.is_err() }
}

fn span_layer<S>(script: &Script, tracer: SdkTracer) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let inner = tracing_opentelemetry::layer().with_tracer(tracer).with_context_activation(script.activation);
    match script.spans {
        Spans::None => Box::new(Identity::new()),
        Spans::Plain => Box::new(inner),
        Spans::Layer => Box::new(SpanLayer::new(inner)),
    }
}

/// Learns which ids belong to a span of which name, sampled or not: the SDK makes a span's id and
/// then asks the sampler about its name.
#[derive(Clone, Debug, Default)]
struct Names(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    last: Option<SpanId>,
    spans: HashMap<SpanId, String>,
    traces: HashMap<TraceId, String>,
}

impl Names {
    fn learn(&self, trace_id: TraceId, name: &str) {
        let mut known = self.0.lock().unwrap();
        let id = known.last.take().expect("the SDK makes the id before it asks the sampler");
        known.spans.insert(id, name.to_owned());
        known.traces.entry(trace_id).or_insert_with(|| name.to_owned());
    }

    fn line(&self, record: &SdkLogRecord) -> Line {
        let known = self.0.lock().unwrap();
        let ids = record
            .trace_context()
            .filter(|ids| ids.trace_id != TraceId::INVALID && ids.span_id != SpanId::INVALID);
        Line {
            has_time: record.timestamp().is_some(),
            has_observed_time: record.observed_timestamp().is_some(),
            severity_number: record.severity_number().map(|severity| severity as i32),
            severity_text: record.severity_text().map(str::to_owned),
            body: record.body().map(shown),
            event_name: record.event_name().map(str::to_owned),
            scope: record.target().map(ToString::to_string).unwrap_or_default(),
            span: ids.map(|ids| known.spans.get(&ids.span_id).map_or("unknown", String::as_str).to_owned()),
            trace: ids
                .map(|ids| known.traces.get(&ids.trace_id).map_or("unknown", String::as_str).to_owned()),
            flags: ids.and_then(|ids| ids.trace_flags).unwrap_or_default().to_u8(),
            attributes: record
                .attributes_iter()
                .map(|(key, value)| (key.to_string(), shown(value)))
                .collect(),
        }
    }
}

impl IdGenerator for Names {
    fn new_trace_id(&self) -> TraceId {
        RandomIdGenerator::default().new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        let id = RandomIdGenerator::default().new_span_id();
        self.0.lock().unwrap().last = Some(id);
        id
    }
}

/// A value with its type, as text: NaN equals NaN this way.
fn shown(value: &AnyValue) -> String {
    match value {
        AnyValue::String(text) => format!("{:?}", text.as_str()),
        AnyValue::Boolean(value) => value.to_string(),
        AnyValue::Int(value) => value.to_string(),
        AnyValue::Double(value) => format!("{value:?}"),
        AnyValue::Bytes(bytes) => format!("bytes{bytes:?}"),
        other => format!("{other:?}"),
    }
}
