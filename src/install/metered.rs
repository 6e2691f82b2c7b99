//! Counts the outcome of records and spans on the SDK path. The SDK itself does not tell: its batch
//! processors drop silently when their queue is full, and their shutdown loses the exporter's
//! error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::logs::Severity;
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{BatchLogProcessor, LogBatch, LogExporter, LogProcessor, SdkLogRecord};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use opentelemetry_sdk::Resource;

use crate::diagnostics::report_once;
use crate::install::env;
use crate::install::output::Output;

/// The counters of one exporter.
#[derive(Debug)]
pub(crate) struct Meter {
    signal: &'static str,
    exporter: &'static str,
    /// Received by the batch processor.
    taken: AtomicU64,
    exported: AtomicU64,
    failed: AtomicU64,
}

impl Meter {
    pub(crate) fn new(signal: &'static str, exporter: &'static str) -> Arc<Self> {
        let zero = || AtomicU64::new(0);
        Arc::new(Self { signal, exporter, taken: zero(), exported: zero(), failed: zero() })
    }

    /// Outcomes are read first, so that a reading never has more of them than of records or spans.
    pub(crate) fn read(&self) -> Output {
        let exported = self.exported.load(Ordering::Acquire);
        let failed = self.failed.load(Ordering::Acquire);
        let taken = self.taken.load(Ordering::Acquire);
        Output { signal: self.signal, exporter: self.exporter, taken, exported, failed }
    }

    fn count(&self, count: u64, result: &OTelSdkResult) {
        let outcome = match result {
            Ok(()) => &self.exported,
            Err(error) => {
                // The SDK would log it only with a feature that is off here.
                report_once(format_args!(
                    "a batch of {} was lost on its way to {}: {error}",
                    self.signal, self.exporter
                ));
                &self.failed
            }
        };
        outcome.fetch_add(count, Ordering::AcqRel);
    }
}

/// Methods that the wrapped exporter or processor does.
macro_rules! forward {
    ($($method:ident),*) => {
        $(forward!(@$method);)*
    };
    (@shutdown_with_timeout) => {
        fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
            self.inner.shutdown_with_timeout(timeout)
        }
    };
    (@force_flush) => {
        fn force_flush(&self) -> OTelSdkResult {
            self.inner.force_flush()
        }
    };
    (@set_resource) => {
        fn set_resource(&mut self, resource: &Resource) {
            self.inner.set_resource(resource);
        }
    };
    (@event_enabled) => {
        fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
            self.inner.event_enabled(level, target, name)
        }
    };
}

/// An exporter that counts outcomes.
#[derive(Debug)]
struct MeteredExporter<E> {
    inner: E,
    meter: Arc<Meter>,
}

impl<E: LogExporter> LogExporter for MeteredExporter<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count() as u64;
        let result = self.inner.export(batch).await;
        self.meter.count(count, &result);
        result
    }

    forward!(shutdown_with_timeout, event_enabled, set_resource);
}

impl<E: SpanExporter> SpanExporter for MeteredExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let result = self.inner.export(batch).await;
        self.meter.count(count, &result);
        result
    }

    forward!(shutdown_with_timeout, force_flush, set_resource);
}

/// A batch processor that counts the records or spans that it receives.
#[derive(Debug)]
pub(crate) struct Metered<P> {
    inner: P,
    meter: Arc<Meter>,
}

impl Metered<BatchLogProcessor> {
    pub(crate) fn logs(exporter: impl LogExporter + 'static, meter: Arc<Meter>) -> Self {
        let exporter = MeteredExporter { inner: exporter, meter: meter.clone() };
        let inner = BatchLogProcessor::builder(exporter).with_batch_config(env::log_batches()).build();
        Self { inner, meter }
    }
}

impl LogProcessor for Metered<BatchLogProcessor> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        self.meter.taken.fetch_add(1, Ordering::AcqRel);
        self.inner.emit(record, scope);
    }

    forward!(force_flush, shutdown_with_timeout, event_enabled, set_resource);
}

impl Metered<BatchSpanProcessor> {
    pub(crate) fn spans(exporter: impl SpanExporter + 'static, meter: Arc<Meter>) -> Self {
        let exporter = MeteredExporter { inner: exporter, meter: meter.clone() };
        let inner = BatchSpanProcessor::builder(exporter).with_batch_config(env::span_batches()).build();
        Self { inner, meter }
    }
}

impl SpanProcessor for Metered<BatchSpanProcessor> {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        self.inner.on_start(span, parent);
    }

    fn on_end(&self, span: SpanData) {
        // Recorded, but not sampled: for other processors only. The SDK's batch processor does not
        // check.
        if !span.span_context.is_sampled() {
            return;
        }
        self.meter.taken.fetch_add(1, Ordering::AcqRel);
        self.inner.on_end(span);
    }

    forward!(force_flush, shutdown_with_timeout, set_resource);
}
