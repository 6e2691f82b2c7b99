//! The counters as metrics, with the names of OpenTelemetry's [semantic conventions] for SDKs.
//!
//! The instruments are observable: they read the counters whenever the meter's reader collects.
//!
//! | metric | of a pipeline | of a layer on the SDK path |
//! | --- | --- | --- |
//! | `otel.sdk.log.created` | `emitted`, without `recovered` | `delivered` |
//! | `otel.sdk.processor.log.queue.size` | pending, and not in flight | |
//! | `otel.sdk.processor.log.processed` | sent, or dropped before | dropped by the layer |
//! | `otel.sdk.exporter.log.inflight` | in flight, or waiting for a retry | |
//! | `otel.sdk.exporter.log.exported` | answered, or dropped after all retries | |
//!
//! With a span processor, a pipeline has the same metrics with `span` in place of `log`, except
//! `created`: the SDK starts and ends the spans.
//!
//! There is no `queue.capacity`, which is a number of records: the queue is bounded in bytes.
//!
//! [semantic conventions]: https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::metrics::{AsyncInstrument, Meter};
use opentelemetry::KeyValue;
use opentelemetry_semantic_conventions::attribute::{ERROR_TYPE, OTEL_COMPONENT_NAME, OTEL_COMPONENT_TYPE};
use opentelemetry_semantic_conventions::metric::{
    OTEL_SDK_EXPORTER_LOG_EXPORTED, OTEL_SDK_EXPORTER_LOG_INFLIGHT, OTEL_SDK_EXPORTER_SPAN_EXPORTED,
    OTEL_SDK_EXPORTER_SPAN_INFLIGHT, OTEL_SDK_LOG_CREATED, OTEL_SDK_PROCESSOR_LOG_PROCESSED,
    OTEL_SDK_PROCESSOR_LOG_QUEUE_SIZE, OTEL_SDK_PROCESSOR_SPAN_PROCESSED, OTEL_SDK_PROCESSOR_SPAN_QUEUE_SIZE,
};

use crate::otlp::counters::PipelineStats;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::queue::control::Exports;
use crate::otlp::signal::Signal;
use crate::stats::Counters;

/// A metric's name, description and unit.
type Metric = (&'static str, &'static str, &'static str);

const CREATED: Metric =
    (OTEL_SDK_LOG_CREATED, "The number of logs submitted to enabled SDK Loggers.", "{log_record}");

/// The metrics of one signal.
struct Metrics {
    queue_size: Metric,
    processed: Metric,
    in_flight: Metric,
    exported: Metric,
}

/// Descriptions as in the conventions.
macro_rules! metrics {
    ($what:literal, $unit:literal, $kind:literal, $($name:ident),*) => {{
        let [queue_size, processed, in_flight, exported] = [$($name),*];
        Metrics {
            queue_size: (
                queue_size,
                concat!("The number of ", $what, " in the queue of a given instance of an SDK ", $kind, " processor."),
                $unit,
            ),
            processed: (
                processed,
                concat!(
                    "The number of ", $what,
                    " for which the processing has finished, either successful or failed."
                ),
                $unit,
            ),
            in_flight: (
                in_flight,
                concat!(
                    "The number of ", $what, " which were passed to the exporter, but that have not been \
                     exported yet (neither successful, nor failed)."
                ),
                $unit,
            ),
            exported: (
                exported,
                concat!(
                    "The number of ", $what,
                    " for which the export has finished, either successful or failed."
                ),
                $unit,
            ),
        }
    }};
}

impl Metrics {
    fn of(signal: Signal) -> Self {
        match signal {
            Signal::Logs => metrics!(
                "log records",
                "{log_record}",
                "log",
                OTEL_SDK_PROCESSOR_LOG_QUEUE_SIZE,
                OTEL_SDK_PROCESSOR_LOG_PROCESSED,
                OTEL_SDK_EXPORTER_LOG_INFLIGHT,
                OTEL_SDK_EXPORTER_LOG_EXPORTED
            ),
            Signal::Traces => metrics!(
                "spans",
                "{span}",
                "span",
                OTEL_SDK_PROCESSOR_SPAN_QUEUE_SIZE,
                OTEL_SDK_PROCESSOR_SPAN_PROCESSED,
                OTEL_SDK_EXPORTER_SPAN_INFLIGHT,
                OTEL_SDK_EXPORTER_SPAN_EXPORTED
            ),
        }
    }
}

/// A value and its attributes.
type Observation = (u64, Vec<KeyValue>);

/// Why records were lost, `None` if they were not, and how many.
type Count = (Option<&'static str>, u64);

/// One reading of a pipeline.
struct Reading {
    /// The `otel.component.type` of the exporter.
    exporter: &'static str,
    exports: Exports,
    stats: PipelineStats,
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
            // What stays in the spool, too: another process sends it.
            (
                Some("already_shutdown"),
                (stats.dropped_shutdown + stats.spooled).saturating_sub(self.exports.lost),
            ),
            (Some("too_large"), stats.dropped_too_large),
            (Some("unmade"), stats.dropped_unmade),
            (Some("damaged"), stats.dropped_damaged),
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
    /// `.exported`, and for spans those with `span` in place of `log`.
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
        for signal in [Signal::Logs, Signal::Traces] {
            self.register_signal(signal, number, meter);
        }
        let pipeline = self.downgrade();
        counter(meter, CREATED, move || {
            let stats = pipeline()?.stats();
            // What was recovered was created by another process.
            Some(vec![(stats.emitted - stats.recovered, Vec::new())])
        });
    }

    fn register_signal(&self, signal: Signal, number: u64, meter: &Meter) {
        let metrics = Metrics::of(signal);
        let processor = component("spanlog::otlp::Pipeline", number);
        let pipeline = self.downgrade();
        let read = move || {
            let (exporter, exports, stats) = pipeline()?.read(signal)?;
            Some(Reading { exporter, exports, stats })
        };
        let of_exporter = move |reading: &Reading| component(reading.exporter, number);

        let (reading, own) = (read.clone(), processor.clone());
        gauge(meter, metrics.queue_size, move || Some((reading()?.queued(), own.clone())));
        let reading = read.clone();
        gauge(meter, metrics.in_flight, move || {
            let reading = reading()?;
            Some((reading.exports.in_flight, of_exporter(&reading)))
        });
        let reading = read.clone();
        counter(meter, metrics.processed, move || Some(observed(&processor, reading()?.processed())));
        counter(meter, metrics.exported, move || {
            let reading = read()?;
            Some(observed(&of_exporter(&reading), reading.exported()))
        });
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
        counter(meter, Metrics::of(Signal::Logs).processed, move || {
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
    (name, description, unit): Metric,
    counts: impl Fn() -> Option<Vec<Observation>> + Send + Sync + 'static,
) {
    let observe = move |observer: &dyn AsyncInstrument<u64>| {
        for (count, attributes) in counts().unwrap_or_default() {
            observer.observe(count, &attributes);
        }
    };
    let builder = meter.u64_observable_counter(name).with_unit(unit).with_description(description);
    builder.with_callback(observe).build();
}

fn gauge(
    meter: &Meter,
    (name, description, unit): Metric,
    count: impl Fn() -> Option<Observation> + Send + Sync + 'static,
) {
    let observe = move |observer: &dyn AsyncInstrument<i64>| {
        if let Some((count, attributes)) = count() {
            observer.observe(i64::try_from(count).unwrap_or(i64::MAX), &attributes);
        }
    };
    let builder = meter.i64_observable_up_down_counter(name).with_unit(unit).with_description(description);
    builder.with_callback(observe).build();
}
