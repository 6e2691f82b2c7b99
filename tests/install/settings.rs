//! Settings from the builder and the environment, and which unusable ones are ignored.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::logs::LogRecord;
use opentelemetry::trace::{Span, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::BaggagePropagator;
use opentelemetry_sdk::trace::{Sampler, SpanData, SpanProcessor};
use spanlog::{Keys, SpanFields};

use crate::capture::Capture;
use crate::http::Receiver;
use crate::otlp::attributes;
use crate::process::isolated;
use crate::{finish, work, LONG};

#[test]
fn the_service_name_variable_wins_over_the_resource_variable() {
    let child = isolated(|_| {
        let _guard = spanlog::builder().install().unwrap();
        work();
    });
    let Some(child) = child else { return };
    let (receiver, _) = child.run_with_receiver(&[
        ("OTEL_SERVICE_NAME", "by-name"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=by-attribute,a=b"),
    ]);
    let resource = attributes(&receiver.logs()[0].resource.as_ref().unwrap().attributes);
    assert_eq!((resource["service.name"].as_str(), resource["a"].as_str()), ("by-name", "b"));
}

/// Guarantees: a value that cannot be ignored is an error that names the setting and shows no
/// secret.
#[test]
fn settings_that_would_lose_data_are_errors() {
    let child = isolated(|_| {
        let error = spanlog::builder().build().unwrap_err();
        assert!(error.is_setting());
        println!("error={error}");
    });
    let Some(child) = child else { return };
    for (name, value, shown) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector", "ftp://collector"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "http://"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "not a url", "not a url"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://x", "grpc://x"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "bad name=secret", "bad name"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "name=secret%0a", "name"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret", "a part without a key"),
        ("RUST_LOG", "app=loud", "app=loud"),
    ] {
        let written = child.run(&[(name, value)]);
        let line = written.stdout.lines().find_map(|line| line.split("error=").nth(1)).unwrap();
        assert!(line.contains(name) && line.contains(shown), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
    let error = |builder: spanlog::Builder| builder.build().unwrap_err().to_string();
    assert!(error(spanlog::builder().with_endpoint("nowhere")).contains("with_endpoint"));
    assert!(error(spanlog::builder().with_endpoint("http://x/?a=b")).contains("query"));
    assert!(error(spanlog::builder().with_header("a b", "c")).contains("with_header"));
    assert!(error(spanlog::builder().with_filter("app=loud")).contains("with_filter"));
}

/// Guarantees: an unusable number or enumeration is reported once and ignored; an empty value is
/// unset.
#[test]
fn other_unusable_values_are_said_and_ignored() {
    let child = isolated(|_| {
        let _guard = spanlog::builder().install().unwrap();
        work();
    });
    let Some(child) = child else { return };
    let (receiver, written) = child.run_with_receiver(&[
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", ""),
        ("OTEL_LOGS_EXPORTER", "carrier-pigeon"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "smoke"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
        ("OTEL_SDK_DISABLED", "perhaps"),
        ("OTEL_RESOURCE_ATTRIBUTES", "no pair"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "few"),
        ("OTEL_PROPAGATORS", "tracecontext,pigeonhole"),
        ("RUST_LOG", ""),
    ]);
    for wrong in [
        "carrier-pigeon",
        "smoke",
        "soon",
        "OTEL_BLRP_SCHEDULE_DELAY",
        "\"-1\"",
        "perhaps",
        "no pair",
        "sometimes",
        "\"few\"",
        "pigeonhole",
    ] {
        let said = written.stderr.lines().filter(|line| line.contains(wrong)).count();
        assert_eq!(said, 1, "{wrong}: {}", written.stderr);
    }
    assert_eq!((receiver.records().len(), receiver.spans().len()), (1, 1));
}

#[test]
fn a_disabled_sdk_leaves_the_console() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        work();
        assert!(guard.flush(LONG).is_ok());
        assert!(finish(&guard).outputs.is_empty());
    });
    let Some(child) = child else { return };
    let (receiver, written) = child.run_with_receiver(&[("OTEL_SDK_DISABLED", "TRUE")]);
    assert!(written.stderr.contains("working"), "{}", written.stderr);
    assert!(receiver.requests().is_empty());
}

/// Guarantees: one `Keys` is used for records and spans, and every setting of the builder and the
/// globals take effect.
#[test]
fn the_builders_choices_arrive() {
    let child = isolated(|_| {
        let _guard = spanlog::builder()
            .with_filter("app=debug,opentelemetry=info,spanlog=off")
            .with_console(false)
            .with_keys(Keys::cicd())
            .with_span_fields(SpanFields::none())
            .with_location(true)
            .with_threads(true)
            .with_sampler(Sampler::AlwaysOn)
            .with_span_processor(Marking)
            .with_log_processor(Capture::observing(|record| record.add_attribute("marked", "record")))
            .install()
            .unwrap();
        work();
        tracing::trace!(target: "app", "below the filter");
        tracing::info!(target: "opentelemetry_sdk", "of the SDK");
        let span = opentelemetry::global::tracer("api").start("by the API");
        let cx = Context::new().with_span(span).with_baggage([KeyValue::new("who", "ann")]);
        let mut carrier = HashMap::new();
        opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&cx, &mut carrier)
        });
        assert!(carrier.contains_key("traceparent") && carrier["baggage"] == "who=ann", "{carrier:?}");
    });
    let Some(child) = child else { return };
    let receiver = Receiver::start();
    let written = child.run(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("{}/", receiver.url())),
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/as/it/is", receiver.url())),
    ]);
    let records = receiver.records();
    assert_eq!(records.len(), 1, "{records:#?}");
    let record = attributes(&records[0].1.attributes);
    assert_eq!(record["cicd.pipeline.run.id"], "job-1");
    assert_eq!(record["marked"], "record");
    assert!(record.contains_key("code.line.number") && record.contains_key("thread.id"));
    assert!(!record.contains_key("attempt") && records[0].1.flags == 1);
    assert!(
        !written.stderr.contains("panic"),
        "the processors found what they looked for: {}",
        written.stderr
    );
    let zipped: Vec<_> =
        receiver.requests().into_iter().filter(|request| request.path() == "/as/it/is").collect();
    assert_eq!(zipped.len(), 1);
    assert_eq!(zipped[0].header("content-encoding"), Some("gzip"));
}

/// Marks what it sees.
#[derive(Debug)]
struct Marking;

impl SpanProcessor for Marking {
    fn on_start(&self, span: &mut opentelemetry_sdk::trace::Span, _: &Context) {
        span.set_attribute(KeyValue::new("marked", "span"));
    }

    fn on_end(&self, span: SpanData) {
        let keys: Vec<_> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert!(keys.contains(&"marked"), "{keys:?}");
        assert_eq!(span.name == "step", keys.contains(&"cicd.pipeline.run.id"), "{keys:?}");
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Guarantees: a credential is neither in an error nor in what `Debug` shows.
#[test]
fn credentials_are_never_shown() {
    let secret_url = |scheme: &str| format!("{scheme}://user:hunter2@collector:4318/?token=hunter2");
    let builders = [
        spanlog::builder().with_endpoint(secret_url("http")),
        spanlog::builder().with_endpoint(secret_url("ftp")),
        spanlog::builder().with_endpoint("http://user:hunter2@"),
    ];
    for builder in builders {
        let shown = format!("{builder:?}");
        let error = builder.build().unwrap_err();
        for text in [shown, error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
    let pipeline = spanlog::otlp::Pipeline::builder().with_logs_url(secret_url("http"));
    assert!(!format!("{pipeline:?}").contains("hunter2"), "{pipeline:?}");
    let child = isolated(|_| {
        let error = spanlog::builder().build().unwrap_err();
        println!("error={error}");
    });
    let Some(child) = child else { return };
    for headers in ["aHVudGVyMg==", "hunter2", "Bearer hunter2="] {
        let written = child.run(&[("OTEL_EXPORTER_OTLP_HEADERS", headers)]);
        assert!(written.stdout.contains("error=OTEL_EXPORTER_OTLP_HEADERS"), "{}", written.stdout);
        assert!(!written.stdout.contains("hunter2") && !written.stdout.contains("aHVudGVyMg"), "{headers}");
    }
}

#[test]
fn the_propagators_are_those_of_the_variable_or_of_the_builder() {
    let fields = || {
        opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.fields().map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
        })
    };
    let child = isolated(|part| {
        let builder = spanlog::builder().with_console(false);
        let builder = match part {
            "own" => builder.with_propagator(BaggagePropagator::new()),
            _ => builder,
        };
        let _guard = builder.install().unwrap();
        println!("fields={}", fields().into_iter().collect::<Vec<_>>().join(","));
    });
    let Some(child) = child else { return };
    let both = "baggage,traceparent,tracestate";
    for (part, value, expected) in [
        ("variable", "", both),
        ("variable", "tracecontext,baggage,tracecontext", both),
        ("variable", " baggage ", "baggage"),
        ("variable", "none", ""),
        ("variable", "b3", both),
        ("own", "tracecontext", "baggage"),
    ] {
        let written = child.part(part).run(&[("OTEL_PROPAGATORS", value)]);
        let line = written.stdout.lines().find_map(|line| line.split("fields=").nth(1)).unwrap();
        assert_eq!(line, expected, "{part} {value}");
        assert_eq!(written.stderr.contains("\"b3\""), value == "b3", "{}", written.stderr);
    }
}

/// Guarantees: both signals have the same resource; what is set takes precedence over what is detected; arguments
/// are not sent.
#[test]
fn the_resource_is_detected_the_same_for_both_signals_and_what_is_set_wins() {
    let child = isolated(|part| {
        let builder =
            spanlog::builder().with_console(false).with_service_version("1.2.3").with_environment("staging");
        let builder = match part {
            "none" => builder.with_detected_resource(false),
            _ => builder.with_resource_attribute(KeyValue::new("host.name", "by hand")),
        };
        let _guard = builder.install().unwrap();
        work();
    });
    let Some(child) = child else { return };
    let resources = |part: &str, variables: &[(&str, &str)]| {
        let (receiver, _) = child.part(part).run_with_receiver(variables);
        let logs = attributes(&receiver.logs()[0].resource.as_ref().unwrap().attributes);
        let spans = attributes(&receiver.resource_spans()[0].resource.as_ref().unwrap().attributes);
        assert_eq!(logs, spans);
        logs
    };
    let found = resources("all", &[("OTEL_RESOURCE_ATTRIBUTES", "os.type=mine"), ("HOSTNAME", "no-pod")]);
    let text = |key: &str| found.get(key).map(String::as_str);
    assert_eq!(
        (text("service.version"), text("deployment.environment.name")),
        (Some("1.2.3"), Some("staging"))
    );
    assert_eq!((text("host.name"), text("os.type")), (Some("by hand"), Some("mine")));
    assert_eq!(text("service.instance.id").map(str::len), Some(36));
    assert_eq!(text("process.runtime.name"), Some("rustc"));
    assert!(text("process.pid").is_some_and(|pid| pid.parse::<u32>().is_ok()));
    assert!(text("process.executable.name").is_some_and(|name| name.starts_with("install")));
    assert_eq!((text("process.command_args"), text("k8s.pod.name")), (None, None));
    let pod = resources("all", &[("HOSTNAME", "pod-1"), ("KUBERNETES_SERVICE_HOST", "10.0.0.1")]);
    assert_eq!(pod.get("k8s.pod.name").map(String::as_str), Some("pod-1"));
    assert_ne!(pod["service.instance.id"], found["service.instance.id"]);
    let none = resources("none", &[]);
    assert!(!none.contains_key("service.instance.id") && !none.contains_key("process.pid"), "{none:?}");
    assert_eq!(none["service.version"], "1.2.3");
}
