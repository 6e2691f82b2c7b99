//! Settings that the builder rejects.

use std::time::Duration;

use spanlog::otlp::{Pipeline, PipelineBuilder};

/// Guarantees: a setting that cannot be used is an error that says so, when the pipeline is built.
#[test]
fn settings_that_cannot_be_used_are_errors() {
    let builder = || Pipeline::builder().with_endpoint("http://127.0.0.1:1");
    let missing = "/dev/null/missing.pem";
    let wrong: Vec<(&str, PipelineBuilder)> = vec![
        ("no scheme", builder().with_endpoint("collector:4318")),
        ("another scheme", builder().with_endpoint("ftp://collector")),
        ("no host", builder().with_logs_url("http://")),
        ("a header's name", builder().with_header("a b", "c")),
        ("a header's value", builder().with_header("a", "b\r\nc: d")),
        ("certificates", builder().with_ca_certificate(missing)),
        ("a client's certificate", builder().with_client_certificate(missing, missing)),
        ("no time", builder().with_timeout(Duration::ZERO)),
        ("no batch", builder().with_batch_records(0)),
        ("no memory", builder().with_memory_limit(0)),
        ("hardly any memory", builder().with_memory_limit(1_000)),
        ("no request", builder().with_request_limit(0)),
        ("requests without room", builder().with_request_limit(1_000)),
        ("a file that is none", builder().with_json_lines("/dev/null/logs.jsonl")),
        #[cfg(feature = "grpc")]
        (
            "zstd over gRPC",
            builder()
                .with_protocol(spanlog::otlp::Protocol::Grpc)
                .with_compression(spanlog::otlp::Compression::Zstd),
        ),
        #[cfg(not(feature = "grpc"))]
        ("gRPC in a build without", builder().with_protocol(spanlog::otlp::Protocol::Grpc)),
        #[cfg(not(feature = "zstd"))]
        ("zstd in a build without", builder().with_compression(spanlog::otlp::Compression::Zstd)),
    ];
    for (what, builder) in wrong {
        let error = builder.build().expect_err(what);
        assert!(error.is_setting(), "{what}: {error}");
    }
    assert!(builder().build().is_ok());
}

/// Guarantees: TLS in a build without it is an error that names the feature.
#[cfg(not(feature = "tls"))]
#[test]
fn tls_in_a_build_without_is_an_error_that_names_the_feature() {
    let builder = Pipeline::builder;
    for builder in [
        builder().with_endpoint("https://collector:4318"),
        builder().with_ca_certificate("ca.pem"),
        builder().with_client_certificate("client.pem", "key.pem"),
    ] {
        let error = builder.build().expect_err("there is no TLS");
        assert!(error.is_setting() && error.to_string().contains("feature `tls`"), "{error}");
    }
}
