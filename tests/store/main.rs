//! A run in the tables of a ClickHouse engine: every log row finds its span, and the tool-call graph comes back out of SQL.
//!
//! The statements are those of `docs/clickhouse.md`. The engine is `chdb-core` and the writer is rotel, which are
//! both installed from PyPI, by name, into the target directory; `SPANLOG_SKIP=chdb` keeps the tests from trying to.
#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` says what the support offers")]
#![expect(clippy::unwrap_used, reason = "a test that unwraps fails, which is what it is for")]

mod engine;
mod page;
mod questions;
mod run;
mod tables;
#[path = "../support/pip.rs"]
mod pip;
#[path = "../support/port.rs"]
mod port;
#[path = "../support/program.rs"]
mod program;

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{json, Value};
use spanlog::otlp::Protocol;

use self::engine::Engine;
use self::port::Reserved;
use self::program::Running;
use self::run::Run;
use self::tables::Writer;

/// A directory of one test, in the target directory.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// An engine in a time zone, with the tables of the page.
fn engine(name: &str, zone: &str) -> Option<Engine> {
    let engine = Engine::start(name, zone)?;
    for section in ["The tables", "Columns for the job keys"] {
        page::statements(section).iter().for_each(|statement| drop(engine.ask(statement)));
    }
    Some(engine)
}

/// rotel, which inserts into the engine.
fn rotel(engine: &Engine) -> Option<(Running, Reserved)> {
    let program = program::find_with("rotel", pip::rotel)?;
    let (http, grpc) = (Reserved::new(), Reserved::new());
    let folder = folder("store-writer");
    let mut command = Command::new(program);
    command.args(["start", "--otlp-http-endpoint", &http.address.to_string()]);
    command.args(["--otlp-grpc-endpoint", &grpc.address.to_string(), "--pid-file"]).arg(folder.join("pid"));
    command.args(["--exporter", "clickhouse", "--clickhouse-exporter-compression", "none"]);
    command.args(["--clickhouse-exporter-endpoint", &format!("http://{}", engine.address())]);
    Some((Running::start(&mut command, folder, &[http.address]), http))
}

/// Loads the files of a run as the page says.
fn load(engine: &Engine, traces: &Path, logs: &Path) {
    for statement in page::statements("From files") {
        let files = [("traces.jsonl", traces), ("logs.jsonl", logs)];
        let statement = files.iter().fold(statement, |statement, (name, file)| {
            statement.replace(&format!("file('{name}'"), &format!("file('{}'", file.display()))
        });
        engine.ask(&statement);
    }
}

/// Guarantees: what a ClickHouse exporter of someone else's inserts is the run, in full and once.
#[test]
fn the_tables_that_rotel_fills_have_the_run() {
    let Some(engine) = engine("store-rotel", "UTC") else { return };
    let Some((writer, http)) = rotel(&engine) else { return };
    let endpoint = format!("http://{}", http.address);
    let run = Run::record(|builder| builder.with_endpoint(endpoint).with_protocol(Protocol::HttpProtobuf));
    // rotel acknowledges what it has not inserted yet.
    let begun = Instant::now();
    while engine.count("otel.otel_logs") < run.records() || engine.count("otel.otel_traces") < run.spans() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", writer.written());
        std::thread::sleep(Duration::from_millis(200));
    }
    // It inserts after 200 ms, so what it would insert twice is there by now.
    std::thread::sleep(Duration::from_secs(1));
    tables::check(&engine, &run, Writer::Rotel);
    questions::check(&engine);
}

/// Guarantees: what the engine loads from the files of a run is the run, in another time zone than UTC, too, and
/// every check of these tables fails if a row is wrong.
#[test]
fn the_tables_that_are_loaded_from_files_have_the_run() {
    let Some(engine) = engine("store-files", "Europe/Berlin") else { return };
    let directory = folder("store-lines");
    let run = Run::record(|builder| builder.with_json_lines(&directory));
    load(&engine, &directory.join("traces.jsonl"), &directory.join("logs.jsonl"));
    tables::check(&engine, &run, Writer::Engine);
    tables::check_planted(&engine, &run);
    questions::check(&engine);
    fs::remove_dir_all(directory).unwrap();
}

/// Guarantees: what other programs sent a Collector is loaded as the rows that rotel makes of it, with lists and
/// maps.
#[test]
fn files_of_a_collector_are_loaded_as_rotel_inserts_them() {
    let Some(engine) = engine("store-foreign", "UTC") else { return };
    let foreign = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graph/foreign");
    let both = foreign.join("collector.jsonl");
    load(&engine, &both, &both);
    for (table, file) in [("otel_traces", "clickhouse.traces.jsonl"), ("otel_logs", "clickhouse.logs.jsonl")]
    {
        let loaded = engine.ask(&format!("SELECT * FROM otel.{table} FORMAT JSONEachRow"));
        let inserted = fs::read_to_string(foreign.join(file)).unwrap();
        assert_eq!(rows(&loaded), rows(&inserted), "{table}");
    }
    check_times(&engine);
    check_index(&engine);
    // A connection without a request keeps nobody from asking, not even until it is closed.
    let _idle = TcpStream::connect(engine.address()).unwrap();
    let begun = Instant::now();
    assert_eq!(engine.number("SELECT 7"), 7);
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
}

/// Times as other programs write them: not quoted, or of a record, only that of its observation.
fn check_times(engine: &Engine) {
    let records = json!([
        {"timeUnixNano": "1795927508290671001", "observedTimeUnixNano": "1795927508290671009"},
        {"timeUnixNano": 1_795_927_508_290_671_002_u64},
        {"observedTimeUnixNano": "1795927508290671003"},
        {"timeUnixNano": "0", "observedTimeUnixNano": 1_795_927_508_290_671_004_u64},
    ]);
    let spans = json!([{"startTimeUnixNano": 1_795_927_508_290_671_005_u64,
        "endTimeUnixNano": 1_795_927_508_290_671_011_u64,
        "events": [{"timeUnixNano": 1_795_927_508_290_671_007_u64}]}]);
    let service = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "times"}}]});
    let both = json!({
        "resourceLogs": [{"resource": service, "scopeLogs": [{"logRecords": records}]}],
        "resourceSpans": [{"resource": service, "scopeSpans": [{"spans": spans}]}],
    });
    let directory = folder("store-times");
    let file = directory.join("both.jsonl");
    fs::write(&file, both.to_string()).unwrap();
    load(engine, &file, &file);
    fs::remove_dir_all(directory).unwrap();
    let times = engine.ask(
        "SELECT groupArray(toUnixTimestamp64Nano(Timestamp) - 1795927508290671000) FROM (
             SELECT Timestamp FROM otel.otel_logs WHERE ServiceName = 'times' ORDER BY Timestamp)",
    );
    assert_eq!(times, "[1,2,3,4]\n");
    let times = engine.ask(
        "SELECT toUnixTimestamp64Nano(Timestamp) % 1000, Duration, toUnixTimestamp64Nano(Events.Timestamp[1]) % 1000
         FROM otel.otel_traces WHERE ServiceName = 'times'",
    );
    assert_eq!(times, "5\t6\t7\n");
}

/// The index of the page has the rows that were there before it.
fn check_index(engine: &Engine) {
    for table in ["otel_logs", "otel_traces"] {
        engine.ask(&format!("ALTER TABLE otel.{table} DROP INDEX idx_execution"));
    }
    page::statements("Columns for the job keys").iter().for_each(|statement| drop(engine.ask(statement)));
    let begun = Instant::now();
    let indexed = "SELECT countIf(data_compressed_bytes > 0) FROM system.data_skipping_indices
         WHERE database = 'otel' AND name = 'idx_execution'";
    while engine.number(indexed) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the index is empty");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Rows in the order of their ids, without what rotel writes otherwise: a consumer is its `client`, and it has no
/// names of events.
fn rows(lines: &str) -> Vec<(String, Value)> {
    let rows = lines.lines().map(|line| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        let columns = row.as_object_mut().unwrap();
        columns.remove("EventName");
        if columns.get("SpanKind").is_some_and(|kind| kind == "client") {
            columns.insert("SpanKind".to_owned(), "Consumer".into());
        }
        (row["SpanId"].as_str().unwrap().to_owned(), row)
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|(id, row)| (id.clone(), row.to_string()));
    rows
}
