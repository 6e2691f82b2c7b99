//! A real Collector that starts late, is stopped under load and started again, or stands still: every
//! record and every span arrives, and no record's span is missing.
//!
//! The times of the outages are short here. `SPANLOG_OUTAGES=3,15,60` sets them, in seconds, and
//! `SPANLOG_OUTAGE_ROUNDS=20` repeats them. `SPANLOG_WRITE_DOCS=1` writes the table of `docs/direct.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::otlp::{Pipeline, Protocol};
use spanlog::LogLayer;
use tracing::Dispatch;

use crate::port::Reserved;
use crate::program::{self, Running};
use crate::spans::subscriber;
use crate::table;

/// Longer than any outage and what has to be caught up with.
const LONG: Duration = Duration::from_secs(60);

/// The Collector's address, which it has each time that it is started.
struct Place {
    http: Reserved,
    grpc: Reserved,
}

impl Place {
    /// Without sampling of what it prints, which would leave out one request in some two thousand.
    fn start(&self, path: &Path) -> Running {
        let (http, grpc) = (self.http.address, self.grpc.address);
        let name = format!("outage-{}-{}", std::process::id(), http.port());
        let folder = crate::target().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let protocols = format!("{{grpc: {{endpoint: '{grpc}'}}, http: {{endpoint: '{http}'}}}}");
        let pipeline = "{receivers: [otlp], exporters: [debug]}";
        let text = format!(
            "receivers: {{otlp: {{protocols: {protocols}}}}}\n\
             exporters: {{debug: {{verbosity: detailed}}}}\n\
             service:\n  \
             telemetry: {{metrics: {{level: none}}, logs: {{sampling: {{enabled: false}}}}}}\n  \
             pipelines: {{logs: {pipeline}, traces: {pipeline}}}\n"
        );
        fs::write(folder.join("config.yaml"), text).unwrap();
        let mut command = Command::new(path);
        command.arg("--config").arg(folder.join("config.yaml"));
        Running::start(&mut command, folder, &[http, grpc])
    }
}

/// What the Collector has printed.
#[derive(Debug, Default)]
struct Received {
    /// For each record, how often it was there, and its span.
    records: BTreeMap<String, (usize, String)>,
    spans: BTreeSet<String>,
}

impl Received {
    fn add(&mut self, written: &str) {
        let after = |line: &str, name: &str| {
            Some(line.trim_start().strip_prefix(name)?.trim_start().strip_prefix(':')?.trim().to_owned())
        };
        let (mut is_span, mut body) = (false, None);
        for line in written.lines() {
            if line.starts_with("Span #") {
                (is_span, body) = (true, None);
            } else if line.starts_with("LogRecord #") {
                (is_span, body) = (false, None);
            } else if let Some(text) = line.strip_prefix("Body: Str(") {
                body = text.strip_suffix(')').map(str::to_owned);
            } else if let Some(id) = after(line, "Span ID").filter(|_| !is_span) {
                if let Some(body) = body.take() {
                    let record = self.records.entry(body).or_insert((0, id));
                    record.0 += 1;
                }
            } else if let Some(id) = after(line, "ID").filter(|_| is_span) {
                self.spans.insert(id);
                is_span = false;
            }
        }
    }

    /// Requires that all of `sent` are there, with their spans. Returns how many came more than once.
    fn assert_complete(&self, sent: usize) -> usize {
        assert_eq!(self.records.len(), sent);
        for (body, (_, span)) in &self.records {
            assert!(self.spans.contains(span), "the span {span} of {body:?} is missing");
        }
        self.records.values().map(|(times, _)| times - 1).sum()
    }
}

/// Logs one record in one span each, until told to stop. Returns how many.
fn emit(dispatch: &Dispatch, is_over: &AtomicBool) -> usize {
    tracing::dispatcher::with_default(dispatch, || {
        let mut sent = 0;
        while !is_over.load(Ordering::Relaxed) {
            for _ in 0..5 {
                tracing::info_span!("work").in_scope(|| tracing::info!("record {sent}"));
                sent += 1;
            }
            thread::sleep(Duration::from_millis(10));
        }
        sent
    })
}

/// What happens to the Collector while records are emitted.
#[derive(Clone, Copy, Debug)]
enum Outage {
    StartsLate(Duration),
    Stops(Duration),
    StandsStill(Duration),
}

/// One round. Returns how many records there were, and how many came more than once.
fn round(path: &Path, protocol: Protocol, outage: Outage) -> (usize, usize) {
    let place = Place { http: Reserved::new(), grpc: Reserved::new() };
    let port = if protocol == Protocol::Grpc { &place.grpc } else { &place.http };
    let pipeline = Pipeline::builder()
        .with_endpoint(format!("http://{}", port.address))
        .with_protocol(protocol)
        .with_schedule_delay(Duration::from_millis(100))
        .with_timeout(Duration::from_secs(2))
        .build()
        .unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(pipeline.span_processor()).build();
    let dispatch = subscriber(&provider, LogLayer::direct(pipeline.clone()));
    let is_over = AtomicBool::new(false);
    let mut received = Received::default();
    let sent = thread::scope(|scope| {
        let emitter = scope.spawn(|| emit(&dispatch, &is_over));
        let before = Duration::from_millis(500);
        let running = match outage {
            Outage::StartsLate(after) => {
                thread::sleep(after);
                place.start(path)
            }
            Outage::Stops(away) => {
                let first = place.start(path);
                thread::sleep(before);
                first.terminate();
                received.add(&first.written());
                drop(first);
                thread::sleep(away);
                place.start(path)
            }
            Outage::StandsStill(time) => {
                let running = place.start(path);
                thread::sleep(before);
                running.signal("STOP");
                thread::sleep(time);
                running.signal("CONT");
                running
            }
        };
        thread::sleep(before);
        is_over.store(true, Ordering::Relaxed);
        let sent = emitter.join().unwrap();
        pipeline.flush(LONG).unwrap_or_else(|error| panic!("{protocol:?} {outage:?}: {error}"));
        let last = format!("record {}", sent - 1);
        running.wait("done", || running.written().contains(&format!("Body: Str({last})")));
        received.add(&running.written());
        sent
    });
    let twice = received.assert_complete(sent);
    let (logs, spans) = (pipeline.stats(), pipeline.span_stats());
    for stats in [logs, spans] {
        assert_eq!((stats.emitted, stats.delivered, stats.dropped()), (sent as u64, sent as u64, 0));
    }
    // What was on its way when the Collector went, or stood still for longer than the timeout.
    assert!(twice <= sent / 2, "{twice} of {sent}");
    println!("{protocol:?} {outage:?}: {sent} records and spans, {twice} records twice");
    (sent, twice)
}

impl Outage {
    fn in_words(self) -> (&'static str, Duration) {
        match self {
            Self::StartsLate(time) => ("starts late", time),
            Self::Stops(time) => ("is stopped, and started again", time),
            Self::StandsStill(time) => ("stands still (`SIGSTOP`)", time),
        }
    }
}

fn seconds() -> Vec<Duration> {
    let list = env::var("SPANLOG_OUTAGES").unwrap_or_else(|_| "2".to_owned());
    list.split(',').map(|seconds| Duration::from_secs(seconds.trim().parse().unwrap())).collect()
}

/// Guarantees: an outage of the Collector loses no record and no span, and points no record to a span
/// that is not there.
#[test]
fn an_outage_of_the_collector_loses_neither_records_nor_spans() {
    let Some(path) = program::collector() else { return };
    let rounds = env::var("SPANLOG_OUTAGE_ROUNDS").map_or(1_usize, |rounds| rounds.parse().unwrap());
    let mut protocols = vec![Protocol::HttpProtobuf];
    if cfg!(feature = "grpc") {
        protocols.push(Protocol::Grpc);
    }
    for time in seconds() {
        for outage in [Outage::StartsLate(time), Outage::Stops(time), Outage::StandsStill(time)] {
            let (mut sent, mut twice) = (0, 0);
            for _ in 0..rounds {
                for &protocol in &protocols {
                    let counts = round(&path, protocol, outage);
                    (sent, twice) = (sent + counts.0, twice + counts.1);
                }
            }
            let (words, time) = outage.in_words();
            let rounds = rounds * protocols.len();
            let [rounds, sent, twice] = [rounds, sent, twice].map(|count| count.to_string());
            let time = format!("{} s", time.as_secs());
            // `round` has failed if anything was missing.
            table::write_row(
                "docs/direct.md",
                "outages",
                2,
                &[words.to_owned(), time, rounds, sent, "0".to_owned(), twice],
            );
        }
    }
}
