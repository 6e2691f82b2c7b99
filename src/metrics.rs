//! The counters as metrics, with the names of OpenTelemetry's [semantic conventions] for SDKs.
//!
//! The instruments are observable: they read the counters whenever the meter's reader collects.
//!
//! | metric | of a pipeline | of a layer on the SDK path |
//! | --- | --- | --- |
//! | `otel.sdk.log.created` | `emitted` | `delivered` |
//! | `otel.sdk.processor.log.queue.size` | pending, and not in flight | |
//! | `otel.sdk.processor.log.processed` | sent, or dropped before | dropped by the layer |
//! | `otel.sdk.exporter.log.inflight` | in flight, or waiting for a retry | |
//! | `otel.sdk.exporter.log.exported` | answered, or dropped after all retries | |
//!
//! There is no `otel.sdk.processor.log.queue.capacity`, which is a number of records: the queue is
//! bounded in bytes.
//!
//! [semantic conventions]: https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::metrics::{AsyncInstrument, Meter};
use opentelemetry::KeyValue;
use opentelemetry_semantic_conventions::attribute::{ERROR_TYPE, OTEL_COMPONENT_NAME, OTEL_COMPONENT_TYPE};
use opentelemetry_semantic_conventions::metric::{
    OTEL_SDK_EXPORTER_LOG_EXPORTED, OTEL_SDK_EXPORTER_LOG_INFLIGHT, OTEL_SDK_LOG_CREATED,
    OTEL_SDK_PROCESSOR_LOG_PROCESSED, OTEL_SDK_PROCESSOR_LOG_QUEUE_SIZE,
};

use crate::otlp::counters::Stats;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::queue::control::Exports;
use crate::stats::Counters;

const UNIT: &str = "{log_record}";

/// A metric's name and description.
type Metric = (&'static str, &'static str);

const CREATED: Metric = (OTEL_SDK_LOG_CREATED, "The number of logs submitted to enabled SDK Loggers.");

const QUEUE_SIZE: Metric = (
    OTEL_SDK_PROCESSOR_LOG_QUEUE_SIZE,
    "The number of log records in the queue of a given instance of an SDK log processor.",
);

const PROCESSED: Metric = (
    OTEL_SDK_PROCESSOR_LOG_PROCESSED,
    "The number of log records for which the processing has finished, either successful or failed.",
);

const IN_FLIGHT: Metric = (
    OTEL_SDK_EXPORTER_LOG_INFLIGHT,
    "The number of log records which were passed to the exporter, but that have not been exported yet \
     (neither successful, nor failed).",
);

const EXPORTED: Metric = (
    OTEL_SDK_EXPORTER_LOG_EXPORTED,
    "The number of log records for which the export has finished, either successful or failed.",
);

/// A value and its attributes.
type Observation = (u64, Vec<KeyValue>);

/// Why records were lost, `None` if they were not, and how many.
type Count = (Option<&'static str>, u64);

/// One reading of a pipeline.
struct Reading {
    exports: Exports,
    stats: Stats,
}

impl Reading {
    fn queued(&self) -> u64 {
        self.stats.pending.saturating_sub(self.exports.in_flight)
    }

    /// A record is processed when it is passed to the exporter, as by the SDK's batch processor.
    fn processed(&self) -> Vec<Count> {
        let stats = &self.stats;
        vec![
            (None, self.exports.begun),
            // Evicted ones, too: the queue was full.
            (Some("queue_full"), stats.dropped_queue_full + stats.dropped_oldest),
            (Some("already_shutdown"), stats.dropped_shutdown.saturating_sub(self.exports.lost)),
            (Some("too_large"), stats.dropped_too_large),
            (Some("unmade"), stats.dropped_unmade),
        ]
    }

    fn exported(&self) -> Vec<Count> {
        let stats = &self.stats;
        vec![
            (None, stats.delivered),
            (Some("rejected"), stats.rejected),
            (Some("refused"), stats.dropped_refused),
            (Some("retries_exhausted"), stats.dropped_gave_up),
            (Some("shutdown"), self.exports.lost),
        ]
    }
}

/// The attributes of a component. `number` makes its name unique.
fn component(kind: &'static str, number: u64) -> Vec<KeyValue> {
    vec![
        KeyValue::new(OTEL_COMPONENT_TYPE, kind),
        KeyValue::new(OTEL_COMPONENT_NAME, format!("{kind}/{number}")),
    ]
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The counts with their attributes. Counts of failures that are zero are left out, so that they
/// make no series.
fn observed(component: &[KeyValue], counts: Vec<Count>) -> Vec<Observation> {
    let is_there = |(why, count): &Count| why.is_none() || *count > 0;
    let with_reason = |(why, count): Count| {
        let reason = why.map(|why| KeyValue::new(ERROR_TYPE, why));
        (count, component.iter().cloned().chain(reason).collect())
    };
    counts.into_iter().filter(is_there).map(with_reason).collect()
}

impl Pipeline {
    /// Registers this pipeline's counters as metrics of `meter`: `otel.sdk.log.created`,
    /// `otel.sdk.processor.log.queue.size` and `.processed`, `otel.sdk.exporter.log.inflight` and
    /// `.exported`.
    ///
    /// Call it once for each pipeline. The metrics do not keep it alive, and no longer change after
    /// the last handle is dropped.
    ///
    /// ```no_run
    /// use opentelemetry::global;
    /// use spanlog::otlp::Pipeline;
    ///
    /// # fn main() -> Result<(), spanlog::Error> {
    /// let pipeline = Pipeline::builder().build()?;
    /// pipeline.register_metrics(&global::meter("spanlog"));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn register_metrics(&self, meter: &Meter) {
        let number = next_number();
        let processor = component("spanlog::otlp::Pipeline", number);
        let exporter = component(self.exporter(), number);
        let pipeline = self.downgrade();
        let read = move || {
            let (exports, stats) = pipeline()?.read();
            Some(Reading { exports, stats })
        };

        let (reading, component) = (read.clone(), processor.clone());
        gauge(meter, QUEUE_SIZE, move || Some((reading()?.queued(), component.clone())));
        let (reading, component) = (read.clone(), exporter.clone());
        gauge(meter, IN_FLIGHT, move || Some((reading()?.exports.in_flight, component.clone())));
        let reading = read.clone();
        counter(meter, CREATED, move || Some(vec![(reading()?.stats.emitted, Vec::new())]));
        let reading = read.clone();
        counter(meter, PROCESSED, move || Some(observed(&processor, reading()?.processed())));
        counter(meter, EXPORTED, move || Some(observed(&exporter, read()?.exported())));
    }
}

impl Counters {
    /// Registers a layer's counters as metrics of `meter`: `otel.sdk.log.created`, and
    /// `otel.sdk.processor.log.processed` for what the layer dropped.
    ///
    /// Call it once for each layer over an SDK provider, whose own processors may have further
    /// metrics. On the direct path, [`Pipeline::register_metrics`] has all of them.
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn register_metrics(&self, meter: &Meter) {
        let layer = component("spanlog::LogLayer", next_number());
        let counters = self.clone();
        counter(meter, CREATED, move || Some(vec![(counters.snapshot().delivered, Vec::new())]));
        let counters = self.clone();
        counter(meter, PROCESSED, move || {
            let stats = counters.snapshot();
            let counts = vec![
                (Some("suppressed"), stats.dropped_suppressed),
                (Some("reentrant"), stats.dropped_reentrant),
                (Some("thread_exit"), stats.dropped_thread_exit),
                (Some("queue_full"), stats.dropped_overflow),
                (Some("panicked"), stats.dropped_panicked),
            ];
            Some(observed(&layer, counts))
        });
    }
}

fn counter(
    meter: &Meter,
    (name, description): Metric,
    counts: impl Fn() -> Option<Vec<Observation>> + Send + Sync + 'static,
) {
    let observe = move |observer: &dyn AsyncInstrument<u64>| {
        for (count, attributes) in counts().unwrap_or_default() {
            observer.observe(count, &attributes);
        }
    };
    let builder = meter.u64_observable_counter(name).with_unit(UNIT).with_description(description);
    builder.with_callback(observe).build();
}

fn gauge(
    meter: &Meter,
    (name, description): Metric,
    count: impl Fn() -> Option<Observation> + Send + Sync + 'static,
) {
    let observe = move |observer: &dyn AsyncInstrument<i64>| {
        if let Some((count, attributes)) = count() {
            observer.observe(i64::try_from(count).unwrap_or(i64::MAX), &attributes);
        }
    };
    let builder = meter.i64_observable_up_down_counter(name).with_unit(UNIT).with_description(description);
    builder.with_callback(observe).build();
}
