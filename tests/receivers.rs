//! Third-party receivers: what they report is what was emitted.
//!
//! rotel is installed from PyPI, by name, into the target directory. `SPANLOG_SKIP=rotel` keeps the
//! tests from trying to. The OpenTelemetry Collector is used where it is on `PATH`, or
//! `SPANLOG_OTELCOL` names its binary.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what the support offers")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

#[cfg(feature = "install")]
#[path = "receivers/collector.rs"]
mod collector;
#[cfg(feature = "install")]
#[path = "receivers/fleet.rs"]
mod fleet;
#[cfg(feature = "install")]
#[path = "receivers/hops.rs"]
mod hops;
#[path = "support/http.rs"]
mod http;
#[path = "direct/kinds.rs"]
mod kinds;
#[path = "support/otlp.rs"]
mod otlp;
#[path = "receivers/outage.rs"]
mod outage;
#[path = "support/pip.rs"]
mod pip;
#[path = "support/port.rs"]
mod port;
#[path = "support/process.rs"]
mod process;
#[path = "support/program.rs"]
mod program;
#[path = "support/random.rs"]
mod random;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/table.rs"]
mod table;

use std::fs;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use opentelemetry::logs::AnyValue;
use spanlog::otlp::{Compression, Pipeline, Protocol};

use self::kinds::Kind;
use self::port::Reserved;
use self::program::Running;

const LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Program {
    Rotel,
    Collector,
}

/// A receiver that is stopped when dropped.
struct Receiver {
    program: Program,
    running: Running,
    http: Reserved,
    grpc: Reserved,
}

fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

impl Receiver {
    fn start(program: Program, path: &Path) -> Self {
        let (http, grpc) = (Reserved::new(), Reserved::new());
        let folder = target().join(format!("{program:?}-{}-{}", std::process::id(), http.address.port()));
        fs::create_dir_all(&folder).unwrap();
        let (http_at, grpc_at) = (http.address.to_string(), grpc.address.to_string());
        let mut command = Command::new(path);
        match program {
            Program::Rotel => {
                command.args(["start", "--otlp-http-endpoint", &http_at, "--otlp-grpc-endpoint", &grpc_at]);
                command.args(["--debug-log", "logs", "--debug-log-verbosity", "detailed"]);
                command.args(["--exporter", "blackhole", "--pid-file"]).arg(folder.join("pid"));
            }
            Program::Collector => {
                let config = folder.join("config.yaml");
                let protocols =
                    format!("{{grpc: {{endpoint: '{grpc_at}'}}, http: {{endpoint: '{http_at}'}}}}");
                let text = format!(
                    "receivers: {{otlp: {{protocols: {protocols}}}}}\n\
                     exporters: {{debug: {{verbosity: detailed}}}}\n\
                     service:\n  telemetry: {{metrics: {{level: none}}}}\n  \
                     pipelines: {{logs: {{receivers: [otlp], exporters: [debug]}}}}\n"
                );
                fs::write(&config, text).unwrap();
                command.arg("--config").arg(config);
            }
        }
        let running = Running::start(&mut command, folder, &[http.address, grpc.address]);
        Self { program, running, http, grpc }
    }

    /// The record with this body, as the program prints it, including its last line.
    fn record(&self, said: &str, body: &str) -> String {
        let line = format!("\nBody: Str({body})\n");
        let mut found = said.match_indices(&line);
        let (at, _) = found.next().unwrap_or_else(|| panic!("{:?} has no {body}:\n{said}", self.program));
        assert!(found.next().is_none(), "{:?} has {body} twice", self.program);
        let from = said[..at].rfind("LogRecord #").unwrap();
        let to = at + said[at..].find("\nFlags: ").unwrap() + 1;
        let end = to + said[to..].find('\n').unwrap() + 1;
        said[from..end].to_owned()
    }

    fn value(&self, value: &AnyValue) -> String {
        match (value, self.program) {
            (AnyValue::Boolean(value), _) => format!("Bool({value})"),
            (AnyValue::Int(value), _) => format!("Int({value})"),
            (AnyValue::Double(value), Program::Collector) if !value.is_finite() => {
                // It prints doubles as JSON, which cannot represent these, but only after it has
                // read them.
                let word = match *value {
                    up if up > 0.0 => "+Inf",
                    down if down < 0.0 => "-Inf",
                    _ => "NaN",
                };
                format!("Double(json: unsupported value: {word})")
            }
            (AnyValue::Double(value), _) => format!("Double({value})"),
            (AnyValue::String(value), _) => format!("Str({value})"),
            (AnyValue::Bytes(value), Program::Rotel) => format!("Bytes({value:?})"),
            (AnyValue::Bytes(value), Program::Collector) => {
                // Base64 of the only two values.
                format!("Bytes({})", if value.is_empty() { "" } else { "AP8=" })
            }
            (other, _) => panic!("{other:?}"),
        }
    }

    fn time(&self, record: &str, name: &str) -> u64 {
        let line = record.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        match self.program {
            Program::Rotel => line.parse().unwrap(),
            Program::Collector => {
                // `2023-11-14 22:13:20.123456789 +0000 UTC`: seconds of the minute and their
                // fraction.
                let (_, of_minute) = line.split_once(' ').unwrap().1.rsplit_once(':').unwrap();
                let (seconds, fraction) = of_minute.split_once(' ').unwrap().0.split_once('.').unwrap();
                let nanos: u64 = format!("{fraction:0<9}").parse().unwrap();
                seconds.parse::<u64>().unwrap() * 1_000_000_000 + nanos
            }
        }
    }

    fn assert_has(&self, said: &str, kind: &Kind, between: (u64, u64)) {
        let record = self.record(said, &kind.body);
        let has =
            |line: &str| assert!(record.contains(&format!("\n{line}\n")), "{line:?} is not in\n{record}");
        let time = self.time(&record, "Timestamp: ");
        assert_eq!(time, self.time(&record, "ObservedTimestamp: "));
        match self.program {
            Program::Rotel => assert!((between.0..=between.1).contains(&time)),
            Program::Collector => {
                // Modulo a minute.
                let span = between.1 - between.0;
                let since = (time + 60_000_000_000 - between.0 % 60_000_000_000) % 60_000_000_000;
                assert!(since <= span, "{since} {span}");
            }
        }
        let (number, word) = kind.severity;
        has(&format!("SeverityText: {word}"));
        assert!(record
            .lines()
            .any(|line| line.starts_with("SeverityNumber: ") && line.ends_with(&format!("({number})"))));
        let event_name = record.lines().find_map(|line| line.strip_prefix("EventName: ")).unwrap_or_default();
        assert_eq!(event_name, kind.event_name);
        for (key, value) in &kind.attributes {
            has(&format!("     -> {key}: {}", self.value(value)));
        }
        assert_eq!(record.matches("     -> ").count(), kind.attributes.len(), "{record}");
        let (trace_id, span_id, flags) = match &kind.span {
            Some(span) => (span.trace_id().to_string(), span.span_id().to_string(), 1),
            None => (String::new(), String::new(), 0),
        };
        let id = |name: &str| {
            let line = record.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
            line.split_once(':').unwrap().1.trim().to_owned()
        };
        assert_eq!((id("Trace ID"), id("Span ID")), (trace_id, span_id));
        has(&format!("Flags: {flags}"));
    }
}

/// Emits, delivers and compares, over every protocol that the program accepts.
fn check(program: Program, path: &Path) {
    let mut ways = vec![
        (Protocol::HttpProtobuf, Compression::None),
        (Protocol::HttpProtobuf, Compression::Gzip),
        (Protocol::HttpJson, Compression::None),
    ];
    if cfg!(feature = "zstd") && program == Program::Collector {
        ways.push((Protocol::HttpProtobuf, Compression::Zstd));
    }
    if cfg!(feature = "grpc") {
        ways.extend([(Protocol::Grpc, Compression::None), (Protocol::Grpc, Compression::Gzip)]);
    }
    for (protocol, compression) in ways {
        let receiver = Receiver::start(program, path);
        let port = if protocol == Protocol::Grpc { &receiver.grpc } else { &receiver.http };
        let pipeline = Pipeline::builder()
            .with_endpoint(format!("http://{}", port.address))
            .with_protocol(protocol)
            .with_compression(compression)
            .with_service_name("receivers")
            .build()
            .unwrap();
        let begun = kinds::nanos();
        let kinds = tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || {
            let mut kinds = kinds::emit();
            // rotel answers 400 to a JSON request with a NaN, which OTLP's JSON writes as a string.
            if !(program == Program::Rotel && protocol == Protocol::HttpJson) {
                kinds.push(kinds::emit_not_finite());
            }
            tracing::info!("the last one");
            kinds
        });
        let ended = kinds::nanos();
        pipeline
            .flush(LONG)
            .unwrap_or_else(|error| panic!("{program:?} {protocol:?} {compression:?}: {error}"));
        let report = pipeline.shutdown(LONG);
        assert!(report.is_complete, "{report}");
        assert_eq!(report.stats.delivered, kinds.len() as u64 + 1);
        receiver.running.wait("done", || {
            let said = receiver.running.written();
            said.rfind("Body: Str(the last one)").is_some_and(|at| said[at..].contains("\nFlags: 0\n"))
        });
        let said = receiver.running.written();
        assert!(said.contains("-> service.name: Str(receivers)"));
        assert!(said.contains("InstrumentationScope receivers::kinds"));
        for kind in &kinds {
            receiver.assert_has(&said, kind, (begun, ended));
        }
        // Shows that the check can fail. For all records this would be 1,000 searches of a long
        // text.
        let in_span = kinds.iter().find(|kind| kind.body == "in a span").unwrap();
        for altered in kinds::altered(in_span) {
            let check = || receiver.assert_has(&said, &altered, (begun, ended));
            assert!(catch_unwind(AssertUnwindSafe(check)).is_err(), "{altered:?}");
        }
        let requests = report.stats.batches;
        println!(
            "{program:?} {protocol:?} {compression:?}: {} records in {requests} request(s)",
            kinds.len() + 1
        );
    }
}

/// Guarantees: rotel has every field of every kind of record as emitted.
#[test]
fn rotel_has_what_was_emitted() {
    if let Some(path) = program::find_with("rotel", pip::rotel) {
        check(Program::Rotel, &path);
    }
}

/// Guarantees: the OpenTelemetry Collector has every field of every kind of record as emitted.
#[test]
fn the_collector_has_what_was_emitted() {
    if let Some(path) = program::collector() {
        check(Program::Collector, &path);
    }
}
