//! The settings of the builder and the environment together.
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

use std::time::Duration;

use super::*;

fn url(builder: PipelineBuilder) -> Result<String, Error> {
    Ok(match builder.resolve(Signal::Logs)?.1 {
        TransportConfig::Http { to, .. } | TransportConfig::Grpc(to) => to.url.to_string(),
        TransportConfig::File { path, .. } => path.display().to_string(),
    })
}

#[test]
fn the_path_is_added_to_a_base_url_of_http_only() {
    let builder = PipelineBuilder::default;
    assert_eq!(url(builder().with_endpoint("http://a:1")).unwrap(), "http://a:1/v1/logs");
    assert_eq!(url(builder().with_endpoint("http://a/otlp/")).unwrap(), "http://a/otlp/v1/logs");
    #[cfg(feature = "tls")]
    assert_eq!(url(builder().with_endpoint("https://a/")).unwrap(), "https://a/v1/logs");
    assert_eq!(url(builder().with_logs_url("http://a/x?y=z")).unwrap(), "http://a/x?y=z");
    assert_eq!(
        url(builder().with_protocol(Protocol::Grpc).with_endpoint("http://a:4317")).unwrap(),
        "http://a:4317/"
    );
}

/// Guarantees: a signal's own URL is for that signal, and the other one keeps the base URL, in any order.
#[test]
fn a_signals_own_url_leaves_the_other_signal_where_it_was() {
    let of = |builder: PipelineBuilder, signal| match builder.resolve(signal).unwrap().1 {
        TransportConfig::Http { to, .. } => to.url.to_string(),
        _ => panic!(),
    };
    let builders = || {
        let base = "http://a:1";
        let logs = [
            PipelineBuilder::default().with_endpoint(base).with_logs_url("http://b/l"),
            PipelineBuilder::default().with_logs_url("http://b/l").with_endpoint(base),
        ];
        let spans = [
            PipelineBuilder::default().with_endpoint(base).with_traces_url("http://b/t"),
            PipelineBuilder::default().with_traces_url("http://b/t").with_endpoint(base),
        ];
        (logs, spans)
    };
    for builder in builders().0 {
        assert_eq!(of(builder, Signal::Logs), "http://b/l");
    }
    for builder in builders().0 {
        assert_eq!(of(builder, Signal::Traces), "http://a:1/v1/traces");
    }
    for builder in builders().1 {
        assert_eq!(of(builder, Signal::Traces), "http://b/t");
    }
    for builder in builders().1 {
        assert_eq!(of(builder, Signal::Logs), "http://a:1/v1/logs");
    }
}

#[test]
fn what_the_builder_was_told_wrong_is_an_error() {
    let builder = PipelineBuilder::default;
    let missing = "/nowhere/at/all.pem";
    let wrong = [
        builder().with_endpoint("collector:4318"),
        builder().with_endpoint("ftp://collector"),
        builder().with_endpoint("http://collector?x=y"),
        builder().with_logs_url("http://"),
        builder().with_header("a b", "c"),
        builder().with_header("a", "b\nc"),
        builder().with_ca_certificate(missing),
        builder().with_client_certificate(missing, missing),
        builder().with_timeout(Duration::ZERO),
        builder().with_memory_limit(0),
        builder().with_batch_records(0),
        builder().with_request_limit(0),
    ];
    for builder in wrong {
        let shown = format!("{builder:?}");
        assert!(builder.build().is_err_and(|error| error.is_setting()), "{shown}");
    }
}

#[test]
fn a_file_goes_before_every_endpoint() {
    let builder = || PipelineBuilder::default().with_json_lines("a/b.jsonl");
    assert_eq!(url(builder().with_endpoint("not a URL")).unwrap(), "a/b.jsonl");
    let (_, TransportConfig::File { path, rotation }, 1) =
        builder().with_rotation(7, 2).resolve(Signal::Logs).unwrap()
    else {
        panic!()
    };
    assert_eq!((path.to_str(), rotation), (Some("a/b.jsonl"), Some((7, 2))));
    let missing = PipelineBuilder::default().with_json_lines("/dev/null/logs.jsonl");
    assert!(missing.build().is_err());
}

#[test]
fn secrets_are_in_no_debugging_form() {
    let builder = PipelineBuilder::default()
        .with_header("authorization", "hunter2")
        .with_header_provider(|| vec![(String::from("a"), String::from("hunter2"))]);
    assert!(!format!("{builder:?}").contains("hunter2"));
    assert!(!format!("{:?}", builder.resolve(Signal::Logs).unwrap()).contains("hunter2"));
}

/// The environment belongs to the process, so that each case runs this same test in a process of
/// its own.
#[test]
fn the_environment_counts_where_the_builder_is_silent() {
    const CASE: &str = "SPANLOG_TEST_SETTINGS";
    let Ok(case) = std::env::var(CASE) else {
        for (case, variables) in CASES {
            let mut command = std::process::Command::new(std::env::current_exe().unwrap());
            command
                .args(["--exact", "otlp::builder::tests::the_environment_counts_where_the_builder_is_silent"])
                .arg("--nocapture")
                .env_clear()
                .env(CASE, case)
                .envs(variables.iter().copied());
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains("1 passed"), "{case}: {said}");
        }
        return;
    };
    let told = PipelineBuilder::default()
        .with_endpoint("http://told")
        .with_header("a", "told")
        .with_batch_records(7);
    let silent = PipelineBuilder::default();
    match case.as_str() {
        "default" => {
            let (config, transport, connections) = silent.resolve(Signal::Logs).unwrap();
            assert_eq!((config.export_timeout, connections), (Duration::from_secs(10), 1));
            assert_eq!(config.retry_max_elapsed, None);
            assert_eq!((config.max_batch_records, config.batch_bytes), (usize::MAX, 640 << 10));
            assert_eq!((config.memory_limit_bytes, config.max_request_bytes), (32 << 20, 4 << 20));
            assert_eq!((config.overflow, config.limits), (Overflow::DropNewest, Limits::default()));
            let TransportConfig::Http { to, is_json: false } = transport else { panic!() };
            assert_eq!(to.url, "http://localhost:4318/v1/logs");
            assert_eq!(to.compression, Compression::None);
        }
        "grpc" => assert_eq!(url(silent).unwrap(), "http://localhost:4317/"),
        "set" => {
            let (config, transport, _) = silent.resolve(Signal::Logs).unwrap();
            assert_eq!(config.export_timeout, Duration::from_millis(1));
            assert_eq!(config.schedule_delay, Duration::from_millis(2));
            assert_eq!(config.retry_max_elapsed, Some(Duration::from_millis(3)));
            assert_eq!(config.max_batch_records, 4);
            assert!(format!("{:?}", config.resource) != format!("{:?}", Resource::default()));
            let TransportConfig::Http { to, is_json: true } = transport else { panic!() };
            assert_eq!((to.url.to_string().as_str(), to.compression), ("http://own/x", Compression::Gzip));
            assert_eq!(to.headers["a"], "b c");
            let (config, transport, _) = told.resolve(Signal::Logs).unwrap();
            assert_eq!(config.max_batch_records, 7);
            let TransportConfig::Http { to, .. } = transport else { panic!() };
            assert_eq!(
                (to.url.to_string().as_str(), &to.headers["a"]),
                ("http://told/v1/logs", &"told".parse().unwrap())
            );
        }
        "ignored" => {
            let (config, transport, _) = silent.resolve(Signal::Logs).unwrap();
            assert_eq!(config.export_timeout, Duration::from_millis(5));
            assert_eq!((config.schedule_delay, config.batch_bytes), (Duration::from_secs(1), 640 << 10));
            let TransportConfig::Http { to, is_json: false } = transport else { panic!() };
            assert_eq!(to.compression, Compression::Gzip);
        }
        _ => assert!(silent.resolve(Signal::Logs).unwrap_err().is_setting()),
    }
}

const CASES: &[(&str, &[(&str, &str)])] = &[
    ("default", &[("OTEL_EXPORTER_OTLP_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_CERTIFICATE", " ")]),
    ("grpc", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]),
    (
        "set",
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://own/x"),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "a=b%20c"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "d=e"),
            ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "9"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "2"),
            ("OTEL_BLRP_EXPORT_TIMEOUT", "3"),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "4"),
            ("OTEL_SERVICE_NAME", "s"),
        ],
    ),
    (
        "ignored",
        &[
            ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "5"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "smtp"),
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "lz4"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "-1"),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "0"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "2048"),
        ],
    ),
    ("endpoint", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318")]),
    ("headers", &[("OTEL_EXPORTER_OTLP_HEADERS", "a=%zz")]),
    ("certificate", &[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/at/all.pem")]),
    ("alone", &[("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/dev/null")]),
];
