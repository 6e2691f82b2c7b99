//! `JobLogProcessor` beside the peer: its records get the job, and the ids where they lack them.

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::trace::TracerProvider;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::{job, JobLogProcessor, JobMetadata, Keys, SpanLayer};
use tracing_subscriber::layer::SubscriberExt;

/// What the records say after `work` ran beside the peer and our span layer, with or without activation.
fn records(is_activated: bool, work: impl FnOnce(&SdkLoggerProvider)) -> Vec<SdkLogRecord> {
    let exporter = InMemoryLogExporter::default();
    let logs = SdkLoggerProvider::builder()
        .with_log_processor(JobLogProcessor::new().with_keys(Keys::nuon().with_job_id("my.job")))
        .with_simple_exporter(exporter.clone())
        .build();
    let traces = SdkTracerProvider::builder().build();
    let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("test"));
    let subscriber = tracing_subscriber::registry()
        .with(SpanLayer::new(spans.with_context_activation(is_activated)))
        .with(OpenTelemetryTracingBridge::new(&logs));
    tracing::subscriber::with_default(subscriber, || work(&logs));
    exporter.get_emitted_logs().unwrap().into_iter().map(|log| log.record).collect()
}

fn values(record: &SdkLogRecord, key: &str) -> Vec<AnyValue> {
    let found = record.attributes_iter().filter(|(name, _)| name.as_str() == key);
    found.map(|(_, value)| value.clone()).collect()
}

#[test]
fn the_peers_records_get_the_job_and_the_ids_of_their_span() {
    for is_activated in [true, false] {
        let mut ids = None;
        let records = records(is_activated, |_| {
            job::scope(JobMetadata::new("job-1", "exec-1").with("team", "infra"), || {
                let span = tracing::info_span!("work").entered();
                tracing::info!(team = "its own", "inside");
                ids = Some(spanlog_ids(&span));
            });
            tracing::info!("outside");
        });
        let [inside, outside] = &records[..] else { panic!("{records:?}") };
        let context = inside.trace_context().unwrap();
        assert_eq!(Some((context.trace_id, context.span_id)), ids, "activation: {is_activated}");
        assert_eq!(values(inside, "my.job"), [AnyValue::from("job-1")]);
        assert_eq!(values(inside, "runner_job_execution.id"), [AnyValue::from("exec-1")]);
        // What the record has is not replaced.
        assert_eq!(values(inside, "team"), [AnyValue::from("its own")]);
        assert!(outside.trace_context().is_none() && values(outside, "my.job").is_empty());
    }
}

#[test]
fn records_of_the_api_get_them_too() {
    let records = records(false, |provider| {
        job::scope(JobMetadata::new("job-1", "exec-1"), || {
            let _span = tracing::info_span!("work").entered();
            let logger = provider.logger("api");
            let mut record = logger.create_log_record();
            record.set_body("by hand".into());
            logger.emit(record);
        });
    });
    assert!(records[0].trace_context().is_some());
    assert_eq!(values(&records[0], "my.job"), [AnyValue::from("job-1")]);
}

/// Guarantees: without the processor there is neither, so it is the processor that adds them.
#[test]
fn without_the_processor_there_is_neither() {
    let exporter = InMemoryLogExporter::default();
    let logs = SdkLoggerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let traces = SdkTracerProvider::builder().build();
    let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("test"));
    let subscriber = tracing_subscriber::registry()
        .with(SpanLayer::new(spans.with_context_activation(false)))
        .with(OpenTelemetryTracingBridge::new(&logs));
    tracing::subscriber::with_default(subscriber, || {
        job::scope(JobMetadata::new("job-1", "exec-1"), || {
            tracing::info_span!("work").in_scope(|| tracing::info!("inside"));
        });
    });
    let record = exporter.get_emitted_logs().unwrap().remove(0).record;
    assert!(record.trace_context().is_none());
    assert!(values(&record, "runner_job.id").is_empty());
}

fn spanlog_ids(span: &tracing::Span) -> (opentelemetry::TraceId, opentelemetry::SpanId) {
    use opentelemetry::trace::TraceContextExt;
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    let context = span.context();
    let context = context.span().span_context().clone();
    (context.trace_id(), context.span_id())
}
