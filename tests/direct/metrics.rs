//! The counts as metrics, read with the SDK's own reader.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use spanlog::otlp::Pipeline;
use spanlog::LogLayer;
use tracing_subscriber::layer::SubscriberExt;

use crate::http::{ok, response, Act, Receiver};
use crate::kinds;

const LONG: Duration = Duration::from_secs(20);

struct Metrics {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

/// A metric's value by its name and its `error.type`, or `name?` if there is none.
type Values = BTreeMap<String, i128>;

impl Metrics {
    fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        // Collected on request, and practically never otherwise.
        let reader =
            PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(3600)).build();
        Self { provider: SdkMeterProvider::builder().with_reader(reader).build(), exporter }
    }

    /// The values, and their component names.
    fn read(&self) -> (Values, BTreeMap<String, String>) {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let (mut values, mut components) = (Values::new(), BTreeMap::new());
        for metrics in self.exporter.get_finished_metrics().unwrap() {
            for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
                assert_eq!(metric.unit(), "{log_record}");
                let mut keep = |attributes: BTreeMap<String, String>, value: i128| {
                    let reason = attributes.get("error.type").map_or("", String::as_str);
                    assert!(values.insert(format!("{} {reason}", metric.name()), value).is_none());
                    if let Some(kind) = attributes.get("otel.component.type") {
                        let name = &attributes["otel.component.name"];
                        assert!(name.starts_with(&format!("{kind}/")), "{name}");
                        components.insert(metric.name().to_owned(), kind.clone());
                    }
                };
                match metric.data() {
                    AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                        assert!(sum.is_monotonic());
                        for point in sum.data_points() {
                            keep(named(point.attributes()), point.value().into());
                        }
                    }
                    AggregatedMetrics::I64(MetricData::Sum(sum)) => {
                        assert!(!sum.is_monotonic());
                        for point in sum.data_points() {
                            keep(named(point.attributes()), point.value().into());
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        (values, components)
    }
}

fn named<'a>(attributes: impl Iterator<Item = &'a opentelemetry::KeyValue>) -> BTreeMap<String, String> {
    attributes.map(|pair| (pair.key.to_string(), pair.value.to_string())).collect()
}

/// Guarantees: the names, units and attributes of the conventions, and the values of the counts, at
/// every stage of a record's delivery.
#[test]
fn the_counts_are_metrics() {
    let metrics = Metrics::new();
    // Requests in turn: accepted, three records rejected, refused, then busy until the timeout.
    let receiver = Receiver::acting(|number| match number {
        0 => ok(),
        1 => Act::Send(response(200, &[("content-type", "application/x-protobuf")], b"\x0a\x02\x08\x03")),
        2 => Act::Send(response(400, &[], b"no")),
        _ => Act::Send(response(503, &[], b"busy")),
    });
    let pipeline = Pipeline::builder()
        .with_endpoint(receiver.url())
        .with_schedule_delay(Duration::from_secs(3600))
        .with_retries(Duration::from_secs(3600))
        .build()
        .unwrap();
    pipeline.register_metrics(&metrics.provider.meter("test"));
    let emit = |count| {
        tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || {
            (0..count).for_each(|number| tracing::info!(number, "counted"));
        });
    };
    let expect = |values: &[(&str, i128)]| {
        let expected: Values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let (read, components) = metrics.read();
        assert_eq!(read, expected);
        for (name, kind) in [
            ("otel.sdk.processor.log.processed", "spanlog::otlp::Pipeline"),
            ("otel.sdk.processor.log.queue.size", "spanlog::otlp::Pipeline"),
            ("otel.sdk.exporter.log.inflight", "otlp_http_log_exporter"),
            ("otel.sdk.exporter.log.exported", "otlp_http_log_exporter"),
        ] {
            assert_eq!(components.get(name).map(String::as_str), Some(kind), "{name}");
        }
        assert!(!components.contains_key("otel.sdk.log.created"));
    };
    emit(5);
    expect(&[
        ("otel.sdk.log.created ", 5),
        ("otel.sdk.processor.log.queue.size ", 5),
        ("otel.sdk.processor.log.processed ", 0),
        ("otel.sdk.exporter.log.inflight ", 0),
        ("otel.sdk.exporter.log.exported ", 0),
    ]);
    pipeline.flush(LONG).unwrap();
    emit(10);
    assert!(pipeline.flush(LONG).is_err());
    emit(20);
    assert!(pipeline.flush(LONG).is_err());
    expect(&[
        ("otel.sdk.log.created ", 35),
        ("otel.sdk.processor.log.queue.size ", 0),
        ("otel.sdk.processor.log.processed ", 35),
        ("otel.sdk.exporter.log.inflight ", 0),
        ("otel.sdk.exporter.log.exported ", 12),
        ("otel.sdk.exporter.log.exported rejected", 3),
        ("otel.sdk.exporter.log.exported refused", 20),
    ]);
    emit(40);
    assert!(pipeline.flush(Duration::from_millis(300)).is_err());
    emit(1);
    expect(&[
        ("otel.sdk.log.created ", 76),
        ("otel.sdk.processor.log.queue.size ", 1),
        ("otel.sdk.processor.log.processed ", 75),
        ("otel.sdk.exporter.log.inflight ", 40),
        ("otel.sdk.exporter.log.exported ", 12),
        ("otel.sdk.exporter.log.exported rejected", 3),
        ("otel.sdk.exporter.log.exported refused", 20),
    ]);
    let report = pipeline.shutdown(Duration::from_millis(200));
    assert_eq!(report.stats.dropped_shutdown, 41);
    emit(2);
    let (read, _) = metrics.read();
    let sum = |name: &str| -> i128 {
        read.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| *value).sum()
    };
    // Whether the last record was passed on before the deadline depends on the worker.
    assert_eq!(read["otel.sdk.log.created "], 78);
    assert_eq!(sum("otel.sdk.processor.log.processed"), 78);
    assert_eq!(sum("otel.sdk.exporter.log.exported"), read["otel.sdk.processor.log.processed "]);
    assert!(read["otel.sdk.exporter.log.exported shutdown"] >= 40);
    assert!(read["otel.sdk.processor.log.processed already_shutdown"] >= 2);
    assert_eq!(read["otel.sdk.exporter.log.inflight "], 0);
    drop(pipeline);
}

/// Guarantees: metrics keep no pipeline alive, and a layer over the SDK reports what it emitted and
/// dropped.
#[test]
fn metrics_of_a_pipeline_that_is_gone_and_of_a_layer_over_the_sdk() {
    let metrics = Metrics::new();
    let (pipeline, requests) = spanlog::testing::pipeline();
    pipeline.register_metrics(&metrics.provider.meter("test"));
    tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || tracing::info!("last"));
    drop(pipeline);
    // Dropping the last handle delivers.
    assert_eq!(requests.bytes().len(), 1);
    metrics.read();

    let metrics = Metrics::new();
    let exporter = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter).build();
    let layer = LogLayer::new(&provider);
    layer.counters().register_metrics(&metrics.provider.meter("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("made");
        let _suppressed = opentelemetry::Context::enter_telemetry_suppressed_scope();
        tracing::info!("an exporter's own");
    });
    let (values, _) = metrics.read();
    let sorted: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(sorted, [("otel.sdk.log.created ", 1), ("otel.sdk.processor.log.processed suppressed", 1)]);
}
