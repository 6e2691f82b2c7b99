//! Which path records take, and that they arrive: over every protocol, in files, and in both.

use std::time::Duration;

use serde_json::Value;
use spanlog::otlp::Protocol;

use crate::http::{Act, Receiver};
use crate::process::{directory, isolated, Written};
use crate::{finish, json_lines, work, LONG};

/// Only the direct path ignores this variable, with a warning.
const IGNORED_WHEN_DIRECT: (&str, &str) = ("OTEL_BLRP_MAX_QUEUE_SIZE", "2048");

fn was_direct(written: &Written) -> bool {
    written.stderr.contains(IGNORED_WHEN_DIRECT.0)
}

/// Guarantees: JSON over HTTP for both signals, on the direct path by default and on the SDK's on
/// request.
#[test]
fn json_over_http() {
    let child = isolated(|part| {
        let mut builder = spanlog::builder().with_sdk_logs(part == "sdk");
        if part == "builder" {
            builder = builder.with_protocol(Protocol::HttpJson);
        }
        let guard = builder.install().unwrap();
        work();
        finish(&guard);
    });
    let Some(child) = child else { return };
    for (name, protocol) in [("direct", "http/json"), ("sdk", "http/json"), ("builder", "http/protobuf")] {
        let (receiver, written) = child
            .part(name)
            .run_with_receiver(&[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), IGNORED_WHEN_DIRECT]);
        assert_eq!(was_direct(&written), name != "sdk", "{}", written.stderr);
        let requests = receiver.requests();
        assert_eq!(requests.len(), 2);
        for (path, top) in [("/v1/logs", "resourceLogs"), ("/v1/traces", "resourceSpans")] {
            let request = requests.iter().find(|request| request.path() == path).unwrap();
            assert_eq!(request.header("content-type"), Some("application/json"));
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!(body[top].as_array().unwrap().len(), 1, "{body}");
        }
    }
}

/// Guarantees: a signal's own protocol takes precedence over the general one.
#[test]
fn each_signal_may_have_a_protocol_of_its_own() {
    let child = isolated(|_| {
        let guard = spanlog::builder().install().unwrap();
        work();
        finish(&guard);
    });
    let Some(child) = child else { return };
    let (receiver, _) = child.run_with_receiver(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
    ]);
    let kind = |path: &str| {
        let request = receiver.requests().into_iter().find(|request| request.path() == path).unwrap();
        request.header("content-type").unwrap().to_owned()
    };
    assert_eq!(kind("/v1/logs"), "application/json");
    assert_eq!(kind("/v1/traces"), "application/x-protobuf");
    assert_eq!(receiver.spans().len(), 1);
}

/// Guarantees: without the feature `grpc`, that protocol is an error: the endpoint would not
/// understand HTTP.
#[cfg(not(feature = "grpc"))]
#[test]
fn grpc_without_the_feature_is_an_error() {
    let error = spanlog::builder().with_protocol(Protocol::Grpc).build().unwrap_err();
    assert!(error.is_setting() && error.to_string().contains("grpc"), "{error}");
}

#[cfg(feature = "grpc")]
mod grpc {
    use super::*;
    use crate::grpc::Receiver;

    /// Guarantees: both signals over gRPC, with their headers, on either path, also from a
    /// current-thread runtime; and nothing that the client logs becomes a record or a console line.
    #[test]
    fn over_grpc() {
        let child = isolated(|part| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let guard = spanlog::builder()
                    .with_sdk_logs(part == "sdk")
                    .with_header("x-builder", "by the builder")
                    .install()
                    .unwrap();
                work();
                guard.flush(LONG).unwrap();
                work();
                finish(&guard);
            });
        });
        let Some(child) = child else { return };
        for name in ["direct", "sdk"] {
            let receiver = Receiver::start();
            let written = child.part(name).run_to(
                &receiver.url(),
                &[
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                    ("OTEL_EXPORTER_OTLP_HEADERS", "x-builder=env,x-env=a%20b"),
                    ("RUST_LOG", "trace"),
                    IGNORED_WHEN_DIRECT,
                ],
            );
            assert_eq!(was_direct(&written), name == "direct", "{}", written.stderr);
            assert_eq!((receiver.records().len(), receiver.spans().len()), (2, 2), "{}", written.stderr);
            for metadata in receiver.metadata() {
                for (name, value) in [("x-builder", "by the builder"), ("x-env", "a b")] {
                    assert_eq!(metadata.get_all(name).iter().collect::<Vec<_>>(), [value]);
                }
            }
            for library in ["tonic", "hyper", "h2::", "tower"] {
                assert!(!written.stderr.contains(library), "{}", written.stderr);
            }
        }
    }
}

/// Guarantees: the files are the same on either path.
#[test]
fn files_are_the_same_on_either_road() {
    let child = isolated(|_| {
        let mut written = Vec::new();
        for sdk_logs in [false, true] {
            let directory = directory("paths");
            let (dispatch, guard) = spanlog::builder()
                .with_service_name("files")
                .with_json_lines(&directory)
                .with_sdk_logs(sdk_logs)
                .build()
                .unwrap();
            tracing::dispatcher::with_default(&dispatch, || {
                work();
                tracing::warn!(target: "app", "second");
                tracing::warn!(target: "other", half = 0.5, yes = true, empty = "", "third");
            });
            finish(&guard);
            let mut lines = json_lines::read(&directory.join("logs.jsonl"));
            assert_eq!(lines.len(), 1);
            without_times_and_ids(&mut lines[0]);
            written.push(lines.remove(0));
            std::fs::remove_dir_all(directory).unwrap();
        }
        assert_eq!(written[0], written[1]);
        assert_eq!(written[0]["resourceLogs"][0]["scopeLogs"].as_array().unwrap().len(), 2);
    });
    let Some(child) = child else { return };
    let written = child.run(&[IGNORED_WHEN_DIRECT]);
    assert!(was_direct(&written), "{}", written.stderr);
}

/// Removes what differs from run to run, and checks that it was there. A resource has no order.
fn without_times_and_ids(line: &mut Value) {
    let resource = line["resourceLogs"][0]["resource"]["attributes"].as_array_mut().unwrap();
    resource.sort_by_key(|attribute| attribute["key"].to_string());
    for scope in line["resourceLogs"][0]["scopeLogs"].as_array_mut().unwrap() {
        for record in scope["logRecords"].as_array_mut().unwrap() {
            let record = record.as_object_mut().unwrap();
            assert!(record.remove("timeUnixNano").unwrap().is_string());
            assert!(record.remove("observedTimeUnixNano").unwrap().is_string());
            if let Some(id) = record.remove("traceId") {
                assert_eq!(id.as_str().unwrap().len(), 32);
                assert_eq!(record.remove("spanId").unwrap().as_str().unwrap().len(), 16);
            }
        }
    }
}

/// Guarantees: a file and a receiver each get everything, and an unresponsive receiver does not
/// keep records from the file.
#[test]
fn a_file_and_a_receiver_do_not_wait_for_each_other() {
    let child = isolated(|part| {
        let is_there = part == "both";
        let directory = directory("both");
        let guard = spanlog::builder().with_json_lines(&directory).install().unwrap();
        work();
        let flushed = guard.flush(Duration::from_secs(if is_there { 20 } else { 1 }));
        assert_eq!(flushed.is_ok(), is_there, "{flushed:?}");
        let lines = json_lines::read(&directory.join("logs.jsonl"));
        assert_eq!(lines[0]["resourceLogs"][0]["scopeLogs"][0]["scope"]["name"], "app");
        assert_eq!(guard.stats().delivered, 1);
        let report = guard.shutdown(Duration::from_secs(if is_there { 20 } else { 1 }));
        let logs = |exporter: &str| {
            let is_it =
                |output: &&spanlog::install::Output| (output.signal, output.exporter) == ("logs", exporter);
            report.outputs.iter().find(is_it).unwrap().exported
        };
        assert_eq!((logs("json-lines"), logs("otlp")), (1, u64::from(is_there)));
        std::fs::remove_dir_all(directory).unwrap();
    });
    let Some(child) = child else { return };
    let (receiver, written) = child.part("both").run_with_receiver(&[IGNORED_WHEN_DIRECT]);
    assert!(was_direct(&written), "{}", written.stderr);
    assert_eq!((receiver.records().len(), receiver.spans().len()), (1, 1));
    let silent = Receiver::acting(|_| Act::Silence);
    child.part("away").run_to(&silent.url(), &[]);
}

/// Guarantees: with the console exporter, records take the SDK's path to all of their exporters.
#[test]
fn the_console_exporter_takes_the_sdk_road() {
    let child = isolated(|_| {
        let guard = spanlog::builder().with_console(false).install().unwrap();
        work();
        finish(&guard);
    });
    let Some(child) = child else { return };
    let receiver = Receiver::start();
    let written =
        child.run_to(&receiver.url(), &[("OTEL_LOGS_EXPORTER", "otlp,console"), IGNORED_WHEN_DIRECT]);
    assert!(!was_direct(&written), "{}", written.stderr);
    assert_eq!(receiver.records().len(), 1);
    assert!(written.stdout.contains("resourceLogs"), "{}", written.stdout);
}
