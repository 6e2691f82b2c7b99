//! `Guard::check` and `doctor`: each finding, in a set-up that has that fault and no other.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, SdkTracerProvider};
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use spanlog::doctor::{Checkup, Doctor, Problem};
use spanlog::{LogLayer, SpanLayer};
use tracing::level_filters::LevelFilter;
use tracing::Dispatch;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use crate::http::{response, Act, Receiver, Stream};
use crate::otlp::attributes;
use crate::port::Reserved;
use crate::process::{isolated, Written};
use crate::{directory, hex};

const NAMED: (&str, &str) = ("OTEL_SERVICE_NAME", "checked");

/// Asserts that these were found, in any order, and that each has advice.
#[track_caller]
fn assert_found(checkup: &Checkup, expected: &[Problem]) {
    let mut found: Vec<_> = checkup.findings.iter().map(|finding| finding.problem).collect();
    found.dedup();
    assert_eq!(found, expected, "{checkup}");
    assert!(checkup.findings.iter().all(|finding| !finding.advice.is_empty()), "{checkup}");
    assert_eq!(checkup.is_healthy(), expected.iter().all(|problem| problem.is_warning()), "{checkup}");
}

/// What a process found that installed what its variables say.
fn found(written: &Written) -> String {
    let line = written.stdout.lines().find_map(|line| line.split("found=").nth(1));
    line.unwrap_or_else(|| panic!("{}", written.stdout)).to_owned()
}

fn print(checkup: &Checkup) {
    let mut found: Vec<_> = checkup.findings.iter().map(|finding| format!("{:?}", finding.problem)).collect();
    found.dedup();
    println!("found={}\n{checkup}\nend", found.join(","));
}

/// Guarantees: where all is well nothing is found, and the span and the record are in the store, once,
/// with the ids that the check-up names.
#[test]
fn a_check_up_of_what_works_finds_nothing() {
    let child = isolated(|part| {
        let guard = spanlog::builder().with_sdk_logs(part == "sdk").with_sdk_spans(part == "sdk");
        let guard = guard.install().unwrap();
        let outer = tracing::info_span!("of the caller").entered();
        let checkup = guard.check();
        drop(outer);
        assert_found(&checkup, &[]);
        print(&checkup);
        println!("trace={}", checkup.trace_id.unwrap());
    });
    let Some(child) = child else { return };
    for part in ["direct", "sdk"] {
        let (receiver, written) = child.part(part).run_with_receiver(&[NAMED]);
        let trace = written.stdout.lines().find_map(|line| line.strip_prefix("trace=")).unwrap();
        let records = receiver.records();
        assert_eq!(records.len(), 1, "{records:#?}");
        let (_, record) = &records[0];
        assert_eq!((hex(&record.trace_id).as_str(), record.event_name.as_str()), (trace, "spanlog.check"));
        assert!(attributes(&record.attributes).is_empty(), "{record:?}");
        let spans = receiver.spans();
        let own: Vec<_> = spans.iter().filter(|(_, span)| span.name == "spanlog.check").collect();
        assert_eq!((own.len(), spans.len()), (1, 2), "{spans:#?}");
        assert_eq!((hex(&own[0].1.trace_id).as_str(), &own[0].1.span_id), (trace, &record.span_id));
        assert!(own[0].1.parent_span_id.is_empty());
        assert!(written.stdout.contains("no problem, no warning"), "{}", written.stdout);
        assert!(written.stdout.contains(&receiver.url()) || part == "sdk", "{}", written.stdout);
    }
}

/// Guarantees: each fault of the way to the receiver is named, for what answers over HTTP.
#[test]
fn faults_of_the_receiver_are_told_apart() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        print(&guard.check());
        guard.shutdown(Duration::ZERO);
    });
    let Some(child) = child else { return };
    let answer = |status, headers: &[(&str, &str)], body: &[u8]| Act::Send(response(status, headers, body));
    let warning = br#"{"partialSuccess":{"errorMessage":"use another endpoint soon"}}"#;
    let rejected = br#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}"#;
    let (html, json, text) =
        (("content-type", "text/html"), ("content-type", "application/json"), ("content-type", "text/plain"));
    for (act, expected) in [
        (answer(401, &[text], b"no token"), "Unauthorized"),
        (answer(403, &[text], b"wrong token"), "Unauthorized"),
        (answer(404, &[text], b"404 page not found"), "WrongPath"),
        (answer(404, &[html], b"<html>hello</html>"), "WrongServer"),
        (answer(200, &[html], b"<html>hello</html>"), "WrongServer"),
        (answer(400, &[text], b"Client sent an HTTP request to an HTTPS server."), "Tls"),
        (answer(400, &[json], br#"{"message":"no such tenant"}"#), "Refused"),
        (answer(503, &[text], b"overloaded"), "NotDelivered"),
        (answer(307, &[("location", "https://elsewhere/v1/logs")], b""), "WrongPath"),
        (answer(407, &[text], b"who are you"), "Proxy"),
        (answer(415, &[text], b"protobuf only"), "WrongServer"),
        (answer(504, &[text], b"gateway"), "NotDelivered"),
        (answer(200, &[json], warning), "ReceiverWarning"),
        (answer(200, &[json], rejected), "Refused"),
        (Act::Silence, "Unreachable"),
    ] {
        let receiver = Receiver::acting(move |_| act.clone());
        let variables = [NAMED, ("OTEL_EXPORTER_OTLP_TIMEOUT", "300")];
        let written = child.run_to(&receiver.url(), &variables);
        assert_eq!(found(&written), expected, "{}", written.stdout);
    }
    for (seconds_ahead, expected) in [(3_600, "ClockSkew"), (-60, "ClockSkew"), (2, "")] {
        let date = move || {
            let now = SystemTime::now();
            let seconds = Duration::from_secs(i64::abs(seconds_ahead) as u64);
            httpdate::fmt_http_date(if seconds_ahead > 0 { now + seconds } else { now - seconds })
        };
        let receiver = Receiver::acting(move |_| answer(200, &[("date", &date())], b""));
        let written = child.run_to(&receiver.url(), &[NAMED]);
        assert_eq!(found(&written), expected, "{}", written.stdout);
    }
    let unused = Reserved::new();
    let written = child.run_to(&format!("http://{}", unused.address), &[NAMED]);
    assert_eq!(found(&written), "Unreachable", "{}", written.stdout);
    assert!(written.stdout.contains("log records and spans do not arrive at"), "{}", written.stdout);
    // Filters hide no other fault: spans are sent.
    let off = ("RUST_LOG", "off=info");
    let written = child.run_to(&format!("http://{}", unused.address), &[NAMED, off]);
    assert_eq!(found(&written), "EventsFiltered,Unreachable", "{}", written.stdout);
    let written = child.run_to("http://no-such-host.invalid:4318", &[NAMED]);
    assert_eq!(found(&written), "Unreachable", "{}", written.stdout);
}

/// Guarantees: TLS on one side only, and a certificate that nobody trusts, are named.
#[test]
fn faults_of_tls_are_named() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        print(&guard.check());
        guard.shutdown(Duration::ZERO);
    });
    let Some(child) = child else { return };
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let wrap = move |stream| -> std::io::Result<Box<dyn Stream>> {
        Ok(Box::new(StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)))
    };
    let accept = vec![Act::Send(response(200, &[], b"")); 20];
    let receiver = Receiver::wrapped(accept, Box::new(wrap));
    let secure = receiver.url().replace("http://", "https://");
    for url in [secure.as_str(), &receiver.url(), &Receiver::start().url().replace("http://", "https://")] {
        let written = child.run_to(url, &[NAMED]);
        let problem = found(&written);
        // What a TLS server says to plain HTTP does not tell TLS from gRPC.
        let is_ambiguous = url.starts_with("http://") && problem == "WrongServer";
        assert!(problem == "Tls" || is_ambiguous, "{url}: {}", written.stdout);
    }
}

/// Guarantees: a protocol that does not fit the port, either way, is named.
#[cfg(feature = "grpc")]
#[test]
fn the_wrong_protocol_is_named() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        print(&guard.check());
        guard.shutdown(Duration::ZERO);
    });
    let Some(child) = child else { return };
    let (http, grpc) = (Receiver::start(), crate::grpc::Receiver::start());
    let unused = Reserved::new();
    let nowhere = format!("http://{}", unused.address);
    for (url, protocol, expected) in [
        (http.url(), "grpc", "WrongServer"),
        (grpc.url(), "http/protobuf", "WrongServer"),
        (nowhere, "grpc", "Unreachable"),
        (grpc.url(), "grpc", ""),
    ] {
        let written = child.run_to(&url, &[NAMED, ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
        assert_eq!(found(&written), expected, "{protocol} to {url}: {}", written.stdout);
    }
}

/// Guarantees: what the variables and the builder got wrong is named.
#[test]
fn faults_of_the_settings_are_named() {
    let child = isolated(|part| {
        let builder = match part {
            "half" => spanlog::builder().with_sampler(OneOf(2)),
            "few" => spanlog::builder().with_sampler(OneOf(20)),
            "files" => spanlog::builder().with_json_lines(directory("checkup")),
            _ => spanlog::builder(),
        };
        let guard = builder.install().unwrap();
        if part == "shut down" {
            guard.shutdown(Duration::from_secs(5));
        }
        print(&guard.check_with(&Doctor::new().with_target("app::part")));
    });
    let Some(child) = child else { return };
    let receiver = Receiver::start();
    for (part, variables, expected) in [
        ("", &[][..], "NoServiceName"),
        ("", &[NAMED, ("OTEL_TRACES_SAMPLER", "always_off")][..], "NotSampled"),
        ("half", &[NAMED], ""),
        ("few", &[NAMED], "PartlySampled"),
        ("", &[NAMED, ("OTEL_SDK_DISABLED", "true")], "Disabled"),
        ("", &[NAMED, ("OTEL_LOGS_EXPORTER", "none")], "NoDestination"),
        ("", &[NAMED, ("OTEL_TRACES_EXPORTER", "none")], "NoDestination"),
        ("", &[NAMED, ("RUST_LOG", "info,app=off")], "EventsFiltered"),
        ("", &[NAMED, ("RUST_LOG", "other=debug")], "EventsFiltered"),
        ("", &[NAMED, ("RUST_LOG", "warn")], ""),
        ("", &[NAMED, ("RUST_LOG", "trace")], ""),
        ("shut down", &[NAMED], "ShutDown"),
        ("files", &[NAMED], ""),
    ] {
        let written = child.part(part).run_to(&receiver.url(), variables);
        let mut found: Vec<_> = found(&written).split(',').map(str::to_owned).collect();
        found.sort();
        assert_eq!(found.join(","), expected, "{part} {variables:?}: {}", written.stdout);
    }
}

/// Guarantees: a subscriber that was there already is found, by the guard of what was built and by the
/// doctor.
#[test]
fn a_subscriber_that_was_there_is_named() {
    let child = isolated(|_| {
        assert_found(&spanlog::doctor(), &[Problem::NoSubscriber]);
        // One that lets spans of the program pass, and those that do not.
        for filter in ["error", "off"] {
            let others = tracing_subscriber::fmt().with_env_filter(filter).finish();
            assert_found(&examined(others), &[Problem::OtherSubscriber]);
        }
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
        assert!(spanlog::builder().install().unwrap_err().is_already_set());
        assert_found(&spanlog::doctor(), &[Problem::OtherSubscriber]);
        let (_dispatch, guard) = spanlog::builder().with_service_name("checked").build().unwrap();
        assert_found(&guard.check(), &[Problem::NotDefault]);
    });
    let Some(child) = child else { return };
    let (receiver, _) = child.run_with_receiver(&[]);
    assert_eq!((receiver.records().len(), receiver.spans().len()), (1, 1), "what was built works");
}

/// A sampler that takes one of so many traces.
#[derive(Clone, Debug)]
struct OneOf(usize);

impl opentelemetry_sdk::trace::ShouldSample for OneOf {
    fn should_sample(
        &self,
        _: Option<&opentelemetry::Context>,
        _: opentelemetry::TraceId,
        _: &str,
        _: &opentelemetry::trace::SpanKind,
        _: &[opentelemetry::KeyValue],
        _: &[opentelemetry::trace::Link],
    ) -> SamplingResult {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let is_taken = ASKED.fetch_add(1, Ordering::Relaxed) % self.0 == self.0 - 1;
        SamplingResult {
            decision: if is_taken { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop },
            attributes: Vec::new(),
            trace_state: Default::default(),
        }
    }
}

/// A layer that does not survive an event.
struct Panics;

impl Layer<Registry> for Panics {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, Registry>) {
        panic!("at an event");
    }
}

/// What `doctor` finds in a subscriber that was made by hand.
fn examined(subscriber: impl Into<Dispatch>) -> Checkup {
    tracing::dispatcher::with_default(&subscriber.into(), || Doctor::new().with_target("app::part").run())
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn spans() -> SpanLayer<Registry, opentelemetry_sdk::trace::SdkTracer> {
    SpanLayer::new(tracing_opentelemetry::layer().with_tracer(SdkTracerProvider::default().tracer("app")))
}

fn both(one: impl Layer<Registry> + Send + Sync, other: impl Layer<Registry> + Send + Sync) -> Dispatch {
    let layers: Vec<BoxedLayer> = vec![Box::new(one), Box::new(other)];
    let stack = layers.into_iter().reduce(|below, layer| Box::new(below.and_then(layer))).unwrap();
    Dispatch::new(tracing_subscriber::registry().with(stack))
}

/// Guarantees: faults of a subscriber that was made by hand are named, on both kinds of record.
#[test]
fn faults_of_layers_are_named() {
    let child = isolated(|part| {
        let pipeline = spanlog::otlp::Pipeline::builder().with_service_name("checked").build().unwrap();
        let exporter = InMemoryLogExporter::default();
        let provider = SdkLoggerProvider::builder().with_simple_exporter(exporter).build();
        // A log layer of the kind that this part is about.
        let logs = || -> BoxedLayer {
            match part {
                "direct" => Box::new(LogLayer::direct(pipeline.clone())),
                _ => Box::new(LogLayer::new(&provider)),
            }
        };
        assert_found(&examined(both(spans(), logs())), &[]);
        let plain = || tracing_opentelemetry::layer().with_tracer(SdkTracerProvider::default().tracer("app"));
        assert_found(&examined(both(plain(), logs())), &[]);
        assert_found(&examined(both(EnvFilter::new("off"), logs())), &[Problem::EventsFiltered]);
        assert_found(&examined(tracing_subscriber::registry().with(logs())), &[Problem::NoSpanLayer]);
        let copied = spans().with_span_events(LevelFilter::TRACE);
        assert_found(&examined(tracing_subscriber::registry().with(copied)), &[Problem::NoLogLayer]);
        let copied = spans().with_span_events(LevelFilter::TRACE);
        let idle = LogLayer::new(&SdkLoggerProvider::builder().build());
        assert_found(&examined(both(copied, idle)), &[Problem::NoRecord]);
        let idle = LogLayer::new(&SdkLoggerProvider::builder().build());
        assert_found(&examined(both(spans(), idle)), &[Problem::NoRecord]);
        assert_found(&examined(tracing_subscriber::registry().with(spans())), &[Problem::NoLogLayer]);
        let no_tracer = SpanLayer::new(tracing_opentelemetry::layer::<Registry>());
        assert_found(&examined(both(no_tracer, logs())), &[Problem::NoTracer]);
        let events_only = tracing_subscriber::filter::filter_fn(|metadata| metadata.is_event());
        assert_found(&examined(both(events_only, both_layers(spans(), logs()))), &[Problem::SpansFiltered]);
        assert_found(&examined(both(Panics, logs())), &[Problem::Panicked]);
        // Per-layer filters of each kind, on each layer of ours.
        let info = LevelFilter::INFO;
        assert_found(&examined(both(spans(), logs().with_filter(info))), &[Problem::PerLayerFilter]);
        assert_found(&examined(both(spans().with_filter(info), logs())), &[Problem::PerLayerFilter]);
        // Those that keep the check-up's own spans from the layer, as layers that are stacked on the registry.
        let filtered = |spans_up_to: LevelFilter, logs: &str| {
            let stack = tracing_subscriber::registry().with(spans().with_filter(spans_up_to));
            let filter = EnvFilter::new(logs);
            match part {
                "direct" => Dispatch::new(stack.with(LogLayer::direct(pipeline.clone()).with_filter(filter))),
                _ => Dispatch::new(stack.with(LogLayer::new(&provider).with_filter(filter))),
            }
        };
        for (spans_up_to, logs) in [
            (LevelFilter::TRACE, "warn"),
            (LevelFilter::TRACE, "off"),
            (LevelFilter::TRACE, "other=info"),
            (LevelFilter::WARN, "trace"),
            (LevelFilter::OFF, "trace"),
        ] {
            assert_found(&examined(filtered(spans_up_to, logs)), &[Problem::PerLayerFilter]);
        }
        assert_found(&examined(filtered(LevelFilter::TRACE, "trace")), &[]);
        // A level of the layer's own is none: a warning makes a record.
        if part == "direct" {
            let warnings = LogLayer::direct(pipeline.clone()).with_level(LevelFilter::WARN);
            let checkup = examined(both(spans(), warnings));
            assert_found(&checkup, &[]);
            assert!(checkup.to_string().contains("events up to WARN only"), "{checkup}");
        }
        let quiet = EnvFilter::new("trace,hyper=off");
        assert_found(&examined(both(spans(), logs().with_filter(quiet))), &[Problem::PerLayerFilter]);
        // On a layer of others, and one that lets everything pass.
        let console = tracing_subscriber::fmt::layer().with_writer(std::io::sink).with_filter(info);
        assert_found(&examined(both(spans(), both_layers(console, logs()))), &[]);
        let open = logs().with_filter(LevelFilter::TRACE);
        assert_found(&examined(both(spans(), open)), &[]);
    });
    let Some(child) = child else { return };
    for part in ["direct", "sdk"] {
        child.part(part).run_with_receiver(&[]);
    }
}

fn both_layers(
    one: impl Layer<Registry> + Send + Sync,
    other: impl Layer<Registry> + Send + Sync,
) -> BoxedLayer {
    let (one, other): (BoxedLayer, BoxedLayer) = (Box::new(one), Box::new(other));
    Box::new(one.and_then(other))
}

/// Guarantees: the SDK's exporters say what is wrong, and only what the check-up sent counts.
#[test]
fn the_exporters_of_the_sdk_are_examined() {
    let child = isolated(|_| {
        let guard = spanlog::builder().with_sdk_logs(true).with_sdk_spans(true).install().unwrap();
        print(&guard.check());
        guard.shutdown(Duration::ZERO);
    });
    let Some(child) = child else { return };
    let refusing = Receiver::acting(|_| Act::Send(response(401, &[], b"no token")));
    let unused = Reserved::new();
    for (url, expected) in [
        (refusing.url(), "Unauthorized"),
        (format!("http://{}", unused.address), "Unreachable"),
        (Receiver::start().url(), ""),
    ] {
        let written = child.run_to(&url, &[NAMED]);
        assert_eq!(found(&written), expected, "{}", written.stdout);
        let both = written.stdout.contains("records and spans ")
            || written.stdout.contains("spans and log records ");
        assert_eq!(both, !expected.is_empty(), "{}", written.stdout);
    }
}

/// Guarantees: trouble of before that is over is no finding, and a warning of before hides no silence.
#[test]
fn what_was_wrong_before_does_not_count() {
    let child = isolated(|part| {
        let guard = spanlog::builder().install().unwrap();
        tracing::info_span!("before").in_scope(|| tracing::info!("before"));
        let _ = guard.flush(Duration::from_secs(10));
        // What is sent next takes longer than nothing.
        let deadline = Duration::from_millis(if part == "silent" { 2_000 } else { 20_000 });
        print(&guard.check_with(&Doctor::new().with_deadline(deadline)));
        guard.shutdown(Duration::ZERO);
    });
    let Some(child) = child else { return };
    let refused = || Act::Send(response(400, &[], b"no"));
    let warning = br#"{"partialSuccess":{"errorMessage":"soon"}}"#;
    let warned = move || Act::Send(response(200, &[("content-type", "application/json")], warning));
    let late = || Act::Later(Duration::from_millis(1_500), Box::new(Act::Send(response(200, &[], b""))));
    let receiver = Receiver::acting(move |number| if number < 2 { refused() } else { late() });
    let written = child.run_to(&receiver.url(), &[NAMED]);
    assert_eq!(found(&written), "", "{}", written.stdout);
    let receiver = Receiver::acting(move |number| if number < 2 { warned() } else { Act::Silence });
    let written = child.part("silent").run_to(&receiver.url(), &[NAMED]);
    assert_eq!(found(&written), "Unreachable", "{}", written.stdout);
}

/// Guarantees: a layer that waits for a lock of the caller does not hang the check-up.
#[test]
fn a_lock_of_the_caller_hangs_nothing() {
    let child = isolated(|_| {
        let guard = spanlog::builder().with_layer(WaitsForStderr).install().unwrap();
        let held = std::io::stderr().lock();
        let checkup = guard.check_with(&Doctor::new().with_deadline(Duration::from_millis(300)));
        drop(held);
        assert!(checkup.has(Problem::Stuck), "{checkup}");
    });
    let Some(child) = child else { return };
    child.run_with_receiver(&[NAMED]);
}

struct WaitsForStderr;

impl Layer<Registry> for WaitsForStderr {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, Registry>) {
        drop(std::io::stderr().lock());
    }
}

/// Guarantees: after a check-up, filters that were asked disable nothing that comes next.
#[test]
fn a_check_up_leaves_no_trace_in_filters() {
    let child = isolated(|_| {
        let capture = InMemoryLogExporter::default();
        let provider = SdkLoggerProvider::builder().with_simple_exporter(capture.clone()).build();
        let logs = LogLayer::new(&provider).with_filter(LevelFilter::INFO);
        let subscriber = both(spans(), logs);
        tracing::dispatcher::with_default(&subscriber, || {
            spanlog::doctor();
            tracing::info!("the next");
        });
        let bodies: Vec<_> = capture
            .get_emitted_logs()
            .unwrap()
            .iter()
            .map(|log| format!("{:?}", log.record.body()))
            .collect();
        assert_eq!(bodies.len(), 2, "{bodies:?}");
    });
    let Some(child) = child else { return };
    child.run(&[]);
}

/// Guarantees: one line at DEBUG says where to, how, the sampler and the filter, on the console only.
#[test]
fn a_line_says_what_was_installed() {
    let child = isolated(|part| {
        let builder = spanlog::builder();
        let builder =
            if part == "ratio" { builder.with_sampler(Sampler::TraceIdRatioBased(0.25)) } else { builder };
        let _guard = builder.install().unwrap();
        tracing::debug!(target: "app", "the program's own");
    });
    let Some(child) = child else { return };
    let (receiver, written) = child.run_with_receiver(&[("RUST_LOG", "debug")]);
    let url = receiver.url();
    for part in [
        &format!("telemetry is installed: log records to {url}/v1/logs (otlp_http_log_exporter), spans to {url}/v1/traces"),
        "sampler=parentbased_always_on",
        "filter=debug (RUST_LOG)",
    ] {
        assert!(written.stderr.contains(part), "{part}: {}", written.stderr);
    }
    assert_eq!(receiver.records().len(), 1, "the line makes no record");
    let (_, written) = child.part("ratio").run_with_receiver(&[("RUST_LOG", "debug")]);
    assert!(written.stderr.contains("sampler=TraceIdRatioBased(0.25)"), "{}", written.stderr);
    let (_, written) = child.run_with_receiver(&[]);
    assert!(!written.stderr.contains("telemetry is installed"), "{}", written.stderr);
}

/// Guarantees: the doctor's clock and deadline hold where nothing answers and no trouble is known.
#[test]
fn a_check_up_keeps_its_deadline() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        let deadline = Duration::from_millis(200);
        let begun = std::time::Instant::now();
        print(&guard.check_with(&Doctor::new().with_deadline(deadline)));
        assert!(begun.elapsed() < crate::LONG, "{:?}", begun.elapsed());
        guard.shutdown(Duration::ZERO);
    });
    let Some(child) = child else { return };
    let receiver = Receiver::acting(|_| Act::Silence);
    let written = child.run_to(&receiver.url(), &[NAMED, ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")]);
    assert_eq!(found(&written), "Unreachable", "{}", written.stdout);
}
