//! A subscriber with both of our layers, and what came out of it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::trace::{SpanId, TraceId, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use spanlog::op::Command;
use spanlog::{JobSpanProcessor, LogLayer, SpanLayer};
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::Registry;

/// A shell script as the op `sh.test`.
pub(crate) fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script]).operation("test")
}

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) ids: Option<(TraceId, SpanId)>,
    pub(crate) severity: Option<Severity>,
    pub(crate) scope: String,
    pub(crate) attributes: BTreeMap<String, AnyValue>,
}

impl Line {
    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        match self.attributes.get(key)? {
            AnyValue::String(text) => Some(text.as_str()),
            other => panic!("{key} is no text: {other:?}"),
        }
    }
}

pub(crate) struct World {
    pub(crate) dispatch: Dispatch,
    logs: Capture,
    spans: InMemorySpanExporter,
    _providers: (SdkTracerProvider, SdkLoggerProvider),
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(true, Capture::default())
    }

    /// Without a span layer, as where nobody traces.
    pub(crate) fn without_spans() -> Self {
        Self::with(false, Capture::default())
    }

    /// Each record is shown to `look` on the thread that logs it, and not kept.
    pub(crate) fn looking(look: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self::with(true, Capture { look: Some(Arc::new(look)), ..Capture::default() })
    }

    fn with(has_spans: bool, logs: Capture) -> Self {
        let log_provider = SdkLoggerProvider::builder().with_log_processor(logs.clone()).build();
        let spans = InMemorySpanExporter::default();
        let tracer_provider = SdkTracerProvider::builder()
            .with_span_processor(JobSpanProcessor::new())
            .with_simple_exporter(spans.clone())
            .build();
        let tracer = tracer_provider.tracer("test");
        let span_layer =
            has_spans.then(|| SpanLayer::new(tracing_opentelemetry::layer().with_tracer(tracer)));
        let subscriber = Registry::default().with(span_layer).with(LogLayer::new(&log_provider));
        let dispatch = Dispatch::new(subscriber);
        Self { dispatch, logs, spans, _providers: (tracer_provider, log_provider) }
    }

    /// Runs `work` on a current-thread runtime under this subscriber, and fails where it would hang.
    pub(crate) fn block_on<T, F: Future<Output = T>>(&self, work: impl FnOnce() -> F) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tracing::dispatcher::with_default(&self.dispatch, || {
            runtime.block_on(async { not_for_ever(work()).await })
        })
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.logs.lines.lock().unwrap().clone()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.lines().into_iter().map(|line| line.text).collect()
    }

    pub(crate) fn line(&self, text: &str) -> Line {
        let lines = self.lines();
        let mut found = lines.iter().filter(|line| line.text == text);
        let line = found.next().unwrap_or_else(|| panic!("no line {text:?} among {lines:#?}"));
        assert!(found.next().is_none(), "two lines {text:?}");
        line.clone()
    }

    /// Waits until a line was logged.
    pub(crate) async fn logged(&self, text: &str) {
        while !self.texts().iter().any(|known| known == text) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The one finished span.
    pub(crate) fn span(&self) -> SpanData {
        let mut spans = self.spans.get_finished_spans().unwrap();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }

    /// The attributes of the one finished span.
    pub(crate) fn attributes(&self) -> BTreeMap<String, String> {
        attributes(&self.span())
    }

    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.spans.get_finished_spans().unwrap()
    }
}

/// The attributes of a span; a key that is there twice is a failure.
pub(crate) fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for attribute in &span.attributes {
        let twice = map.insert(attribute.key.to_string(), attribute.value.to_string());
        assert!(twice.is_none(), "{} is twice: {:?}", attribute.key, span.attributes);
    }
    map
}

pub(crate) fn ids(span: &SpanData) -> Option<(TraceId, SpanId)> {
    Some((span.span_context.trace_id(), span.span_context.span_id()))
}

pub(crate) async fn not_for_ever<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(120), work).await.expect("it hangs")
}

/// Waits until a process is gone, or dead and not reaped yet.
pub(crate) async fn gone(pid: &str) {
    let stat = format!("/proc/{pid}/stat");
    let is_alive = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    while is_alive() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Ends a process that a test left behind on purpose.
pub(crate) fn kill(pid: &str) {
    let _ = std::process::Command::new("kill").args(["-9", pid]).status();
}

#[derive(Clone, Default)]
struct Capture {
    lines: Arc<Mutex<Vec<Line>>>,
    #[expect(clippy::type_complexity, reason = "it is named once")]
    look: Option<Arc<dyn Fn(&str) + Send + Sync>>,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Capture")
    }
}

impl LogProcessor for Capture {
    fn emit(&self, record: &mut SdkLogRecord, _: &opentelemetry::InstrumentationScope) {
        let Some(AnyValue::String(text)) = record.body() else { panic!("{record:?}") };
        if let Some(look) = &self.look {
            return look(text.as_str());
        }
        let trace = record.trace_context();
        self.lines.lock().unwrap().push(Line {
            text: text.as_str().to_owned(),
            ids: trace
                .map(|trace| (trace.trace_id, trace.span_id))
                .filter(|ids| *ids != (TraceId::INVALID, SpanId::INVALID)),
            severity: record.severity_number(),
            scope: record.target().unwrap().to_string(),
            attributes: record
                .attributes_iter()
                .map(|(key, value)| (key.to_string(), value.clone()))
                .collect(),
        });
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
