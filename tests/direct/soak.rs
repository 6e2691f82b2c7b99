//! Jobs with ops for some time, while the receiver does anything that it may do, and more.
//!
//! `SPANLOG_SOAK=300` sets the time, in seconds. It is short by default. `SPANLOG_WRITE_DOCS=1` writes
//! the table of `docs/direct.md`.

use std::env;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::otlp::{Pipeline, PipelineStats};
use spanlog::{job, op, JobMetadata, JobSpanProcessor, LogLayer};

use crate::faults::{act, assert_adds_up};
use crate::http::{ok, Receiver};
use crate::otlp::{attributes, body, decode, records, spans};
use crate::process;
use crate::random::Random;
use crate::spans::subscriber;
use crate::table;

const THREADS: usize = 4;

/// What growth of the process in the second half is no leak: caches, and the receiver's connections.
const MOST_MEMORY: u64 = 16 * 1024 * 1024;

/// Which of one thread's numbers have arrived.
#[derive(Default)]
struct Arrived(Vec<u64>);

impl Arrived {
    fn add(&mut self, number: usize) {
        let word = number / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

fn assert_only_grew(now: &PipelineStats, last: &PipelineStats) {
    assert!(now.emitted >= last.emitted && now.delivered >= last.delivered, "{last:?} {now:?}");
    assert!(now.rejected >= last.rejected && now.dropped() >= last.dropped(), "{last:?} {now:?}");
}

/// Resident bytes of this process, and the number of its threads that are the crate's.
fn usage() -> (u64, usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let names = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("comm")));
    let own = names.filter(|name| name.as_ref().is_ok_and(|name| name.starts_with("spanlog"))).count();
    (kilobytes * 1024, own)
}

/// Runs ops of a few jobs until told to stop, each with one record. Returns how many.
fn emit(thread: usize, is_over: &AtomicBool) -> usize {
    let mut number = 0;
    while !is_over.load(Ordering::Relaxed) {
        job::scope(JobMetadata::new(format!("job {}", number % 5), "execution"), || {
            for _ in 0..10 {
                let place = format!("{thread} {number}");
                let _ = op::run("git", "fetch", [KeyValue::new("place", place.clone())], || {
                    match number % 7 {
                        0 => tracing::warn!("{place}"),
                        _ => tracing::info!("{place}"),
                    }
                    if number % 3 == 0 {
                        Err("failed")
                    } else {
                        Ok(())
                    }
                });
                number += 1;
            }
        });
        thread::sleep(Duration::from_millis(5));
    }
    number
}

fn soak(time: Duration) {
    let dice = AtomicU64::new(0);
    let mut random = Random::from_env();
    let is_healthy = std::sync::Arc::new(AtomicBool::new(false));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let answers = is_healthy.clone();
    let receiver = Receiver::at(listener, move |_| {
        dice.fetch_add(1, Ordering::Relaxed);
        Some(if answers.load(Ordering::Relaxed) { ok() } else { act(random.next()) })
    });
    let pipeline = Pipeline::builder()
        .with_endpoint(receiver.url())
        .with_memory_limit(1 << 20)
        .with_timeout(Duration::from_millis(200))
        .with_schedule_delay(Duration::from_millis(10))
        .build()
        .unwrap();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(JobSpanProcessor::new())
        .with_span_processor(pipeline.span_processor())
        .build();
    let dispatch = subscriber(&provider, LogLayer::direct(pipeline.clone()));
    let is_over = AtomicBool::new(false);
    let mut arrived: [[Arrived; THREADS]; 2] = Default::default();
    let mut receive = || {
        for request in receiver.take_requests() {
            let of_logs = request.path() == "/v1/logs";
            let places: Vec<String> = if of_logs {
                let logs = decode::<ExportLogsServiceRequest>(&request).resource_logs;
                records(logs).iter().map(|(_, record)| body(record).to_owned()).collect()
            } else {
                let traces = decode::<ExportTraceServiceRequest>(&request).resource_spans;
                spans(traces).iter().map(|(_, span)| attributes(&span.attributes)["place"].clone()).collect()
            };
            for place in places {
                let (thread, number) = place.split_once(' ').unwrap();
                let thread: usize = thread.parse().unwrap();
                arrived[usize::from(of_logs)][thread].add(number.parse().unwrap());
            }
        }
    };
    let mut memory = [String::new(), String::new()];
    let sent: usize = thread::scope(|scope| {
        let emitters: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (dispatch, is_over) = (&dispatch, &is_over);
                scope.spawn(move || tracing::dispatcher::with_default(dispatch, || emit(thread, is_over)))
            })
            .collect();
        scope.spawn(|| {
            let mut last = [pipeline.stats(), pipeline.span_stats()];
            while !is_over.load(Ordering::Relaxed) {
                let now = [pipeline.stats(), pipeline.span_stats()];
                for (now, last) in now.iter().zip(&last) {
                    assert_adds_up(now);
                    assert_only_grew(now, last);
                }
                last = now;
                let _ = pipeline.flush(Duration::from_millis(5));
                thread::sleep(Duration::from_millis(1));
            }
        });
        let begun = Instant::now();
        // The most memory; the most threads at first, and the least later: the client resolves names on one of
        // its own, now and then.
        let mut most = [(0, 0), (0, usize::MAX)];
        while begun.elapsed() < time {
            receive();
            let (memory, threads) = usage();
            let is_later = begun.elapsed() > time / 2;
            let half = &mut most[usize::from(is_later)];
            let threads = if is_later { half.1.min(threads) } else { half.1.max(threads) };
            *half = (half.0.max(memory), threads);
            thread::sleep(Duration::from_millis(20));
        }
        is_over.store(true, Ordering::Relaxed);
        let [first, second] = most;
        let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
        memory = [megabytes(most[0].0), megabytes(most[1].0)];
        println!(
            "most bytes, and most and least threads, in the first half and the second: {first:?} {second:?}"
        );
        assert!(second.0 < first.0 + MOST_MEMORY, "{most:?}");
        assert!(first.1 > 0 && second.1 <= first.1, "{most:?}");
        emitters.into_iter().map(|emitter| emitter.join().unwrap()).sum()
    });
    is_healthy.store(true, Ordering::Relaxed);
    let report = pipeline.shutdown(Duration::from_secs(30));
    receive();
    for (signal, stats, arrived) in
        [("logs", report.stats, &arrived[1]), ("spans", report.spans, &arrived[0])]
    {
        let arrived: u64 = arrived.iter().map(Arrived::count).sum();
        println!("{arrived} arrived of {stats:?}");
        assert_adds_up(&stats);
        assert_eq!((stats.emitted, stats.pending), (sent as u64, 0));
        assert!(stats.delivered > 0 && stats.retries > 0);
        assert!(stats.delivered + stats.rejected <= arrived, "{arrived} {stats:?}");
        let counts =
            [stats.emitted, stats.delivered, stats.rejected, stats.dropped(), stats.retries, arrived];
        let [first, second] = memory.clone();
        let mut row = vec![signal.to_owned(), format!("{} s", time.as_secs())];
        row.extend(counts.map(|count| count.to_string()));
        row.extend([format!("{first} MB"), format!("{second} MB")]);
        table::write_row("docs/direct.md", "soak", 1, &row);
    }
}

/// Scenario: four threads run jobs with ops while the receiver resets, delays, refuses, rejects, and
/// sends half answers.
///
/// Guarantees: the counts of both signals add up in every snapshot, what counts as delivered arrived,
/// and neither memory nor threads grow.
#[test]
fn under_random_faults_all_adds_up_and_nothing_grows() {
    let seconds = || env::var("SPANLOG_SOAK").map_or(4, |seconds| seconds.parse().unwrap());
    let child = process::isolated(|_| soak(Duration::from_secs(seconds())));
    if let Some(mut child) = child {
        child.limit += Duration::from_secs(seconds());
        println!("{}", child.run(&[]).stdout);
    }
}
