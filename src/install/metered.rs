//! Counts the outcome of records and spans on the SDK path. The SDK itself does not tell: its batch
//! processors drop silently when their queue is full, and their shutdown loses the exporter's
//! error.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{BatchLogProcessor, LogBatch, LogExporter, LogProcessor, SdkLogRecord};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};
use opentelemetry_sdk::Resource;

use crate::diagnostics::report_once;
use crate::install::env;
use crate::install::exporter::{Exporter, LastTrouble};
use crate::otlp::deliver::reporter::Trouble;
use crate::otlp::signal::Signal;

/// The outcome of the records or spans of one exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// `logs` or `traces`.
    pub signal: &'static str,
    /// `otlp`, `json-lines` or `console`.
    pub exporter: &'static str,
    /// Received by the pipeline or the batch processor.
    pub taken: u64,
    /// Accepted by the receiver, or written to the file.
    pub exported: u64,
    /// Rejected or dropped, for any reason. What the queue of an SDK processor drops is known after
    /// the next flush.
    pub failed: u64,
    /// Those of `taken` that an earlier process had left in the spool.
    pub recovered: u64,
    /// Left in the [spool](crate::install::Builder::with_spool), for the next process.
    pub spooled: u64,
    /// Without an outcome so far: `taken` is the sum of the four.
    pub pending: u64,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, exporter, taken, exported, failed, recovered, spooled, pending } = self;
        write!(f, "{exporter} got {exported} of {taken} {signal}, {failed} failed, {pending} pending")?;
        if *recovered > 0 {
            write!(f, ", {recovered} of them from earlier processes")?;
        }
        match spooled {
            0 => Ok(()),
            _ => write!(f, ", {spooled} left in the spool"),
        }
    }
}

/// The counters of one exporter.
#[derive(Debug)]
pub(crate) struct Meter {
    signal: &'static str,
    exporter: &'static str,
    /// Received by the batch processor.
    taken: AtomicU64,
    exported: AtomicU64,
    failed: AtomicU64,
    receiver: String,
    /// What was wrong with the last batch.
    trouble: LastTrouble,
}

impl Meter {
    fn new(signal: Signal, name: &'static str, of: &Exporter, meters: &mut Vec<Arc<Self>>) -> Arc<Self> {
        let zero = || AtomicU64::new(0);
        let meter = Arc::new(Self {
            signal: signal.name(),
            exporter: name,
            taken: zero(),
            exported: zero(),
            failed: zero(),
            receiver: of.receiver().to_owned(),
            trouble: of.trouble(),
        });
        meters.push(meter.clone());
        meter
    }

    /// Outcomes are read first, so that a reading never has more of them than of records or spans.
    pub(crate) fn read(&self) -> Output {
        let exported = self.exported.load(Ordering::Acquire);
        let failed = self.failed.load(Ordering::Acquire);
        let taken = self.taken.load(Ordering::Acquire);
        let pending = taken.saturating_sub(exported + failed);
        Output {
            signal: self.signal,
            exporter: self.exporter,
            taken,
            exported,
            failed,
            recovered: 0,
            spooled: 0,
            pending,
        }
    }

    /// Counts what has no outcome of the first `taken` as failed: after a flush, the queue has dropped
    /// it.
    pub(crate) fn settle(&self, taken: u64) {
        let output = self.read();
        let dropped = taken.saturating_sub(output.exported + output.failed);
        if dropped > 0 {
            report_once(format_args!("{} were dropped by the SDK's queue to {}", self.signal, self.exporter));
            self.failed.fetch_add(dropped, Ordering::AcqRel);
        }
    }

    /// Where the exporter sends to, for people.
    pub(crate) fn receiver(&self) -> &str {
        &self.receiver
    }

    /// What was wrong with the last batch.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock()?.clone()
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
}

/// An exporter that counts outcomes, or a batch processor that counts what it receives.
#[derive(Debug)]
pub(crate) struct Metered<T> {
    inner: T,
    meter: Arc<Meter>,
}

/// A batch processor for an exporter. Its meter is added to `meters`.
pub(crate) fn log_processor(
    exporter: Exporter,
    name: &'static str,
    meters: &mut Vec<Arc<Meter>>,
) -> impl LogProcessor {
    let meter = Meter::new(Signal::Logs, name, &exporter, meters);
    let exporter = Metered { inner: exporter, meter: meter.clone() };
    let inner = BatchLogProcessor::builder(exporter).with_batch_config(env::log_batches()).build();
    Metered { inner, meter }
}

/// As [`log_processor`], for spans.
pub(crate) fn span_processor(
    exporter: Exporter,
    name: &'static str,
    meters: &mut Vec<Arc<Meter>>,
) -> impl SpanProcessor {
    let meter = Meter::new(Signal::Traces, name, &exporter, meters);
    let exporter = Metered { inner: exporter, meter: meter.clone() };
    let inner = BatchSpanProcessor::builder(exporter).with_batch_config(env::span_batches()).build();
    Metered { inner, meter }
}

impl<E: LogExporter> LogExporter for Metered<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count() as u64;
        let result = self.inner.export(batch).await;
        self.meter.count(count, &result);
        result
    }

    forward!(shutdown_with_timeout, set_resource);
}

impl<E: SpanExporter> SpanExporter for Metered<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let result = self.inner.export(batch).await;
        self.meter.count(count, &result);
        result
    }

    forward!(shutdown_with_timeout, force_flush, set_resource);
}

impl LogProcessor for Metered<BatchLogProcessor> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        self.meter.taken.fetch_add(1, Ordering::AcqRel);
        self.inner.emit(record, scope);
    }

    forward!(force_flush, shutdown_with_timeout, set_resource);
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
