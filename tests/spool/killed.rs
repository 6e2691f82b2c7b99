//! A process that is killed while it emits, and one after it.
//!
//! Ten times here. `SPANLOG_KILLS=200` sets how often, and with `SPANLOG_WRITE_DOCS=1` the figures of
//! `docs/reliability.md` are written.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::otlp::Pipeline;
use spanlog::LogLayer;

use crate::http::{ok, Act, Receiver, Request};
use crate::otlp::{body, decode, records, spans as spans_of};
use crate::process::{directory, isolated, part, Isolated};
use crate::random::Random;
use crate::spans::subscriber;
use crate::table;

/// How long the second process may take to send what the first one left.
const LONG: Duration = Duration::from_secs(60);

/// A child process that runs the part of a test until it is killed.
pub struct Victim(Child);

impl Victim {
    /// Returns when the part has printed `ready`.
    pub fn start(test: &Isolated, variables: &[(&str, &str)]) -> Self {
        let (child, _) = test.start_until_ready(variables);
        Self(child)
    }

    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the threads of the child have emitted so far. A write to a file is there when the process is gone.
struct Progress(File);

/// What one thread has emitted: so many records, and so many spans.
type Emitted = [u64; 2];

impl Progress {
    fn at(path: &Path) -> Self {
        Self(File::options().create(true).truncate(false).read(true).write(true).open(path).unwrap())
    }

    fn set(&self, thread: usize, emitted: Emitted) {
        let bytes = emitted.map(u64::to_le_bytes).concat();
        self.0.write_all_at(&bytes, 16 * thread as u64).unwrap();
    }

    fn read(path: &Path, threads: usize) -> Vec<Emitted> {
        let mut bytes = fs::read(path).unwrap();
        bytes.resize(16 * threads, 0);
        let numbers: Vec<_> =
            bytes.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect();
        numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
    }
}

fn pipeline(url: &str, spool: &Path) -> Pipeline {
    Pipeline::builder()
        .with_endpoint(url)
        .with_spool(spool)
        .with_service_name("victim")
        .with_schedule_delay(Duration::from_millis(50))
        .build()
        .unwrap()
}

/// What the child does: each thread emits records in spans, and says how far it is after each.
fn emit_for_ever() {
    let variable = |name: &str| env::var(name).unwrap();
    let (url, spool, progress) = (variable("URL"), variable("SPOOL"), variable("PROGRESS"));
    let threads: usize = variable("THREADS").parse().unwrap();
    let pipeline = pipeline(&url, Path::new(&spool));
    let provider = SdkTracerProvider::builder().with_span_processor(pipeline.span_processor()).build();
    let dispatch = subscriber(&provider, LogLayer::direct(pipeline));
    let progress = Progress::at(Path::new(&progress));
    thread::scope(|scope| {
        for thread in 0..threads {
            let (dispatch, progress) = (&dispatch, &progress);
            scope.spawn(move || {
                tracing::dispatcher::with_default(dispatch, || {
                    let mut emitted = [0, 0];
                    loop {
                        for _ in 0..20 {
                            tracing::info_span!("work", otel.name = format!("{thread}/{}", emitted[1]))
                                .in_scope(|| {
                                    for _ in 0..3 {
                                        tracing::info!(answer = 42, "{thread}/{}", emitted[0]);
                                        emitted[0] += 1;
                                        progress.set(thread, emitted);
                                    }
                                });
                            emitted[1] += 1;
                            progress.set(thread, emitted);
                        }
                        thread::sleep(Duration::from_millis(1));
                    }
                });
            });
        }
        println!("ready");
    });
}

/// One signal's items, in the order in which they arrived: what each is called, and the number of its
/// request.
fn items(requests: &[Request], path: &str) -> Vec<(String, usize)> {
    let mut all = Vec::new();
    for (number, request) in requests.iter().filter(|request| request.path() == path).enumerate() {
        let names: Vec<_> = match path {
            "/v1/logs" => {
                let request: opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest =
                    decode(request);
                let records = records(request.resource_logs).into_iter();
                records
                    .map(|(_, record)| {
                        assert_eq!((record.trace_id.len(), record.span_id.len()), (16, 8), "its own ids");
                        body(&record).to_owned()
                    })
                    .collect()
            }
            _ => {
                let request: opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest =
                    decode(request);
                spans_of(request.resource_spans).into_iter().map(|(_, span)| span.name).collect()
            }
        };
        all.extend(names.into_iter().map(|name| (name, number)));
    }
    all
}

/// The figures of some rounds.
#[derive(Debug, Default)]
struct Figures {
    emitted: [u64; 2],
    /// What the second process sent.
    recovered: [u64; 2],
    again: [u64; 2],
}

fn round(test: &Isolated, threads: usize, random: &mut Random, figures: &mut Figures) {
    let receiver = Receiver::acting(|_| Act::Later(Duration::from_millis(3), Box::new(ok())));
    let folder = directory("killed");
    fs::create_dir_all(&folder).unwrap();
    let (spool, progress) = (folder.join("spool"), folder.join("progress"));
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let (url, spool_text, progress_text) = (receiver.url(), text(&spool), text(&progress));
    let variables = [
        ("URL", url.as_str()),
        ("SPOOL", &spool_text),
        ("PROGRESS", &progress_text),
        ("THREADS", &threads.to_string()),
    ];
    let victim = Victim::start(test, &variables);
    thread::sleep(Duration::from_micros(random.next() % 400_000));
    victim.kill();
    // A request that is on its way is read to its end.
    thread::sleep(Duration::from_millis(20));
    let first = receiver.take_requests();
    let emitted = Progress::read(&progress, threads);

    let second = pipeline(&url, &spool);
    let report = second.shutdown(LONG);
    assert!(report.is_complete, "{report}");
    assert_eq!(report.stats.dropped() + report.spans.dropped(), 0, "{report}");
    let then = receiver.take_requests();
    let left: Vec<_> = fs::read_dir(&spool).unwrap().collect();
    assert!(left.is_empty(), "everything was delivered: {left:?}");

    for (signal, path) in ["/v1/logs", "/v1/traces"].into_iter().enumerate() {
        let (first, then) = (items(&first, path), items(&then, path));
        let last_request = first.last().map(|(_, request)| *request);
        let mut arrived: BTreeMap<String, usize> = BTreeMap::new();
        for (name, request) in &first {
            assert_eq!(arrived.insert(name.clone(), *request), None, "{name} was sent twice by one process");
        }
        for (name, _) in &then {
            if let Some(request) = arrived.insert(name.clone(), usize::MAX) {
                assert_eq!(Some(request), last_request, "{name} was sent again, though an answer had come");
                figures.again[signal] += 1;
            }
        }
        figures.recovered[signal] += then.len() as u64;
        for (thread, emitted) in emitted.iter().enumerate() {
            figures.emitted[signal] += emitted[signal];
            for number in 0..emitted[signal] {
                assert!(
                    arrived.contains_key(&format!("{thread}/{number}")),
                    "{path} {thread}/{number} is missing"
                );
            }
        }
    }
    fs::remove_dir_all(folder.parent().unwrap()).unwrap();
}

/// Scenario: kill -9 at random moments, while one or eight threads emit; then another process.
///
/// Guarantees: every record whose macro had returned and every span that had ended arrives with its ids;
/// what arrives twice was in the one request whose answer was on its way.
#[test]
fn what_was_emitted_survives_kill_9() {
    let Some(test) = isolated(|_| emit_for_ever()) else { return };
    assert!(part().is_none());
    let times = env::var("SPANLOG_KILLS").map_or(10, |times| times.parse().unwrap());
    let mut random = Random::from_env();
    for threads in [1, 8] {
        let mut figures = Figures::default();
        for _ in 0..times / 2 {
            round(&test, threads, &mut random, &mut figures);
        }
        let Figures { emitted, recovered, again } = figures;
        println!(
            "{threads} threads: {emitted:?} emitted, {recovered:?} by the second process, {again:?} twice"
        );
        let cells = [
            times / 2,
            threads as u64,
            emitted[0],
            emitted[1],
            recovered[0],
            recovered[1],
            0,
            again[0] + again[1],
        ];
        table::write_row("docs/reliability.md", "kills", 2, &cells.map(|cell| cell.to_string()));
    }
}

/// Now, in nanoseconds since 1970.
pub fn nanos() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}
