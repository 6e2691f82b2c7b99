//! A collector that is away for longer than memory holds.
//!
//! With 200,000 records here. `SPANLOG_SPOOL_OUTAGE=10000000` sets how many, and with `SPANLOG_WRITE_DOCS=1`
//! the figures of `docs/reliability.md` are written.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use spanlog::otlp::Pipeline;
use spanlog::LogLayer;
use tracing_subscriber::layer::SubscriberExt;

use crate::http::{ok, Receiver};
use crate::otlp::{body, decode, records};
use crate::port::Reserved;
use crate::process::{directory, isolated};
use crate::table;

/// The default memory limit.
const LIMIT_MIB: u64 = 32;

/// What the process may use in addition.
const MORE_MIB: u64 = 16;

const LONG: Duration = Duration::from_secs(1800);

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Emits while the collector is away, and delivers when it is back.
fn emit() {
    let variable = |name: &str| env::var(name).unwrap();
    let count: u64 = variable("COUNT").parse().unwrap();
    let pipeline = Pipeline::builder()
        .with_endpoint(variable("URL"))
        .with_spool(variable("SPOOL"))
        .with_spool_limit(64 << 30)
        .build()
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(LogLayer::direct(pipeline.clone()));
    let begun = Instant::now();
    tracing::subscriber::with_default(subscriber, || {
        for number in 0..count {
            tracing::info!(attempt = 3, host = "worker-17.example.org", "{number}");
        }
    });
    let (elapsed, away) = (begun.elapsed(), peak());
    fs::write(variable("EMITTED"), "").unwrap();
    pipeline.flush(LONG).unwrap();
    let stats = pipeline.shutdown(LONG).stats;
    assert_eq!((stats.delivered, stats.dropped(), stats.unspooled), (count, 0, 0), "{stats:?}");
    println!("figures {} {away} {}", elapsed.as_micros(), peak());
}

/// The numbers of the records, each of which must come once.
struct Seen(Vec<bool>);

impl Seen {
    fn add(&mut self, receiver: &Receiver) {
        for request in receiver.take_requests() {
            let request: opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest =
                decode(&request);
            for (_, record) in records(request.resource_logs) {
                let number: usize = body(&record).parse().unwrap();
                assert!(!std::mem::replace(&mut self.0[number], true), "{number} came twice");
            }
        }
    }
}

/// Guarantees: nothing is lost, nothing comes twice, and the process's memory stays under its limit and
/// 16 MiB.
#[test]
fn an_outage_longer_than_memory_holds_loses_nothing() {
    let Some(test) = isolated(|_| emit()) else { return };
    let count: usize = env::var("SPANLOG_SPOOL_OUTAGE").map_or(200_000, |count| count.parse().unwrap());
    // Not where temporary files are, which may be memory.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(directory("outage").parent().unwrap().file_name().unwrap());
    fs::create_dir_all(&folder).unwrap();
    let (emitted, spool) = (folder.join("emitted"), folder.join("spool"));
    let port = Reserved::new();
    let is_over = AtomicBool::new(false);
    let mut seen = Seen(vec![false; count]);
    let written = thread::scope(|scope| {
        let url = format!("http://{}", port.address);
        let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let (spool, marker, is_over) = (text(&spool), text(&emitted), &is_over);
        let mut test = test.clone();
        test.limit = LONG;
        let child = scope.spawn(move || {
            let variables = [
                ("URL", url.as_str()),
                ("SPOOL", &spool),
                ("EMITTED", &marker),
                ("COUNT", &count.to_string()),
            ];
            let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test.run(&variables)));
            is_over.store(true, Ordering::SeqCst);
            written.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        while !emitted.exists() && !is_over.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        let receiver = Receiver::at(port.listen(), |_| Some(ok()));
        while !is_over.load(Ordering::SeqCst) {
            seen.add(&receiver);
            thread::sleep(Duration::from_millis(5));
        }
        seen.add(&receiver);
        child.join().unwrap()
    });
    assert!(seen.0.iter().all(|seen| *seen), "all came");
    let line = written.stdout.lines().find_map(|line| line.split_once("figures ")).unwrap().1;
    let figures: Vec<u64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    let [micros, away, peak] = figures[..] else { panic!("{line}") };
    println!("{count} records in {} ms; {away} KiB, {peak} KiB at the end", micros / 1000);
    assert!(peak < (LIMIT_MIB + MORE_MIB) * 1024, "{peak} KiB");
    let mib = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
    let cells = [count.to_string(), mib(away), mib(peak), "0".to_owned()];
    table::write_row("docs/reliability.md", "spool-outage", 1, &cells);
    fs::remove_dir_all(&folder).unwrap();
}
