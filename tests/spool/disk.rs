//! Disks, directories and files as they should not be. What is left in a spool is made by a pipeline whose
//! receiver is away, which is shut down.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanlog::otlp::{Overflow, Pipeline, PipelineBuilder, PipelineReport, SpoolSync};
use spanlog::LogLayer;

use crate::http::{response, Act, Receiver};
use crate::killed::Victim;
use crate::otlp::{attributes, body};
use crate::port::Reserved;
use crate::process::{directory, isolated};
use crate::random::Random;
use crate::spans::subscriber;

const LONG: Duration = Duration::from_secs(60);

/// For a receiver that is away: shorter than the first wait before a retry, which is then left out.
const AWAY: Duration = Duration::from_millis(240);

/// A spool that is removed at the end.
struct Spool(PathBuf);

impl Spool {
    fn new() -> Self {
        Self(directory("disk"))
    }

    fn builder(&self, url: &str) -> PipelineBuilder {
        Pipeline::builder()
            .with_endpoint(url)
            .with_spool(&self.0)
            .with_schedule_delay(Duration::from_millis(20))
    }

    /// A builder with room for a few segments, on the disk and in memory.
    fn small_builder(&self, away: &Reserved) -> PipelineBuilder {
        let builder = self.builder(&format!("http://{}", away.address));
        builder.with_memory_limit(256 * 1024).with_spool_limit(512 * 1024)
    }

    /// Emits records with these numbers while no receiver is there, and shuts down.
    fn leave(&self, numbers: impl IntoIterator<Item = usize>) -> PipelineReport {
        let away = Reserved::new();
        let pipeline =
            self.builder(&format!("http://{}", away.address)).with_service_name("left").build().unwrap();
        emit(&pipeline, numbers);
        let report = pipeline.shutdown(AWAY);
        assert!(report.is_complete, "{report}");
        report
    }

    /// What the next process sends of it.
    fn recover(&self) -> (PipelineReport, BTreeMap<String, usize>) {
        let receiver = Receiver::start();
        let pipeline = self.builder(&receiver.url()).with_service_name("next").build().unwrap();
        let report = pipeline.shutdown(LONG);
        (report, numbers(&receiver))
    }

    /// All segments in the spool.
    fn segments(&self) -> Vec<PathBuf> {
        let inside = |path: &Path| -> Vec<PathBuf> {
            fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
        };
        let mut all: Vec<_> = inside(&self.0).iter().flat_map(|path| inside(path)).collect();
        all.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
        all.sort();
        all
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().unwrap());
    }
}

/// One record for each number, in a span.
fn emit(pipeline: &Pipeline, numbers: impl IntoIterator<Item = usize>) {
    let layer = LogLayer::direct(pipeline.clone());
    tracing::dispatcher::with_default(&subscriber(&SdkTracerProvider::default(), layer), || {
        tracing::info_span!("work").in_scope(|| {
            for number in numbers {
                tracing::info!(twice = 2 * number, "{number}");
            }
        });
    });
}

/// How often each record arrived. Fails if one is not as it was emitted.
fn numbers(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for (_, record) in receiver.records() {
        let text = body(&record).to_owned();
        let number: usize = text.parse().unwrap();
        assert_eq!(attributes(&record.attributes)["twice"], (2 * number).to_string());
        assert_eq!((record.trace_id.len(), record.span_id.len()), (16, 8));
        *found.entry(text).or_insert(0) += 1;
    }
    found
}

fn once(numbers: impl IntoIterator<Item = usize>) -> BTreeMap<String, usize> {
    numbers.into_iter().map(|number| (number.to_string(), 1)).collect()
}

/// Guarantees: what a shutdown leaves is counted, and sent by the next pipeline with the resource, the times
/// and the ids that it had; both add up, and nothing stays behind.
#[test]
fn what_a_shutdown_leaves_is_sent_as_it_was() {
    let spool = Spool::new();
    let before = crate::killed::nanos();
    let report = spool.leave(0..3_000);
    let after = crate::killed::nanos();
    assert!(report.is_complete, "{report}");
    assert_eq!((report.stats.spooled, report.stats.dropped(), report.stats.pending), (3_000, 0, 0));
    let receiver = Receiver::start();
    let pipeline = spool.builder(&receiver.url()).with_service_name("next").build().unwrap();
    emit(&pipeline, 3_000..3_010);
    let stats = pipeline.shutdown(LONG).stats;
    assert_eq!((stats.emitted, stats.recovered, stats.delivered), (3_010, 3_000, 3_010));
    assert!(numbers(&receiver) == once(0..3_010));
    for logs in receiver.logs() {
        let name = attributes(&logs.resource.unwrap().attributes)["service.name"].clone();
        for record in logs.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            let is_left = body(record).parse::<usize>().unwrap() < 3_000;
            assert_eq!(name, if is_left { "left" } else { "next" });
            assert_eq!((before..after).contains(&record.time_unix_nano), is_left);
        }
    }
    assert_eq!(fs::read_dir(&spool.0).unwrap().count(), 0, "nothing stays behind");
}

/// Scenario: single bytes of what is left are changed.
///
/// Guarantees: what arrives is as it was emitted, what does not arrive is counted, and that is little.
#[test]
fn a_changed_byte_costs_little_and_is_counted() {
    let mut random = Random::from_env();
    for _ in 0..40 {
        let spool = Spool::new();
        spool.leave(0..50);
        let segments = spool.segments();
        let mut bytes = fs::read(&segments[0]).unwrap();
        let at = random.next() as usize % bytes.len();
        bytes[at] ^= 1 << (random.next() % 8);
        fs::write(&segments[0], bytes).unwrap();
        let (report, arrived) = spool.recover();
        let stats = report.stats;
        match segments[0].with_extension("damaged").exists() {
            // The label is damaged. It stays for whoever wants to look into it.
            true => assert_eq!((arrived.len(), stats.emitted, stats.dropped_damaged), (0, 1, 1), "byte {at}"),
            false => {
                assert!(arrived.len() >= 48, "byte {at}: {} arrived", arrived.len());
                assert!(arrived.len() as u64 + stats.dropped_damaged >= 50, "byte {at}: {report}");
                assert_eq!(stats.emitted, stats.delivered + stats.dropped_damaged, "byte {at}: {report}");
            }
        }
        assert!(arrived.values().all(|times| *times == 1));
    }
}

/// Guarantees: of a file that ends anywhere inside its last record, every record before arrives.
#[test]
fn a_file_cut_inside_its_last_record_has_all_before_it() {
    let whole = Spool::new();
    whole.leave(0..3);
    let segment = fs::read(&whole.segments()[0]).unwrap();
    // Up to the last byte that is not zero: the rest was never written.
    let end = segment.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    // The last record has more bytes.
    for cut in 1..70 {
        let spool = Spool::new();
        let folder = spool.0.join("00-0-0");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("lock"), "").unwrap();
        fs::write(folder.join("logs-00000000.seg"), &segment[..end - cut]).unwrap();
        let (report, arrived) = spool.recover();
        assert_eq!((arrived, report.stats.dropped_damaged), (once(0..2), 1), "{cut} bytes less");
    }
}

/// Scenario: 10,000 segments are left, of an earlier time.
///
/// Guarantees: all are sent, in their order, and the memory for them is not what they take.
#[test]
fn ten_thousand_old_segments_are_sent() {
    let spool = Spool::new();
    let whole = Spool::new();
    // Small segments.
    let pipeline = whole.builder("http://127.0.0.1:1").with_memory_limit(64 * 1024).build().unwrap();
    emit(&pipeline, [7]);
    pipeline.shutdown(Duration::ZERO);
    let segment = fs::read(&whole.segments()[0]).unwrap();
    let folder = spool.0.join("00-0-0");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("lock"), "").unwrap();
    for number in 0..10_000 {
        fs::write(folder.join(format!("logs-{number:08}.seg")), &segment).unwrap();
    }
    // Which the process's end has left unfinished.
    fs::write(folder.join("logs-00010000.new"), &segment[..100]).unwrap();
    let (report, arrived) = spool.recover();
    assert_eq!(arrived, BTreeMap::from([("7".to_owned(), 10_000)]), "{report}");
    assert_eq!((report.stats.recovered, report.stats.delivered), (10_000, 10_000));
    assert_eq!(fs::read_dir(&spool.0).unwrap().count(), 0);
}

/// Guarantees: processes that share a directory keep to their own segments; what is left is sent by one of
/// those that look for it at the same time.
#[test]
fn pipelines_share_a_directory() {
    let spool = Spool::new();
    let receiver = Receiver::start();
    let living = spool.builder(&receiver.url()).build().unwrap();
    emit(&living, 0..10);
    spool.leave(10..2_000);
    let others: Vec<_> = (0..4).map(|_| spool.builder(&receiver.url()).build().unwrap()).collect();
    for pipeline in others.iter().chain([&living]) {
        assert!(pipeline.shutdown(LONG).is_complete);
    }
    assert!(numbers(&receiver) == once(0..2_000));
}

/// Guarantees: a directory that cannot be used is an error, at once.
#[test]
fn a_directory_that_cannot_be_used_is_an_error() {
    let spool = Spool::new();
    fs::create_dir_all(spool.0.parent().unwrap()).unwrap();
    fs::write(&spool.0, "a file").unwrap();
    let error = spool.builder("http://127.0.0.1:1").build().unwrap_err().to_string();
    assert!(error.contains("the spool") && error.contains("cannot be used"), "{error}");
}

/// Scenario: the directory is removed while the program runs and the receiver is away.
///
/// Guarantees: what is in memory is delivered, and what was on the disk only is counted.
#[test]
fn a_directory_that_is_removed_costs_what_was_on_the_disk_only() {
    let spool = Spool::new();
    let port = Reserved::new();
    let url = format!("http://{}", port.address);
    let pipeline = spool.builder(&url).with_memory_limit(256 * 1024).build().unwrap();
    emit(&pipeline, 0..10_000);
    // While segments are made in it.
    while fs::remove_dir_all(&spool.0).is_err() {
        assert!(spool.0.exists());
    }
    emit(&pipeline, 10_000..20_000);
    let receiver = Receiver::at(port.listen(), |_| Some(crate::http::ok()));
    let stats = pipeline.shutdown(LONG).stats;
    let arrived = numbers(&receiver);
    assert_eq!(arrived.len() as u64, stats.delivered);
    assert!(stats.dropped_damaged > 0 && stats.unspooled > 0, "{stats:?}");
    assert_eq!(stats.emitted, stats.delivered + stats.dropped(), "{stats:?}");
}

/// Guarantees: beyond the spool's limit, records are in memory as without a spool, which is counted, and
/// the newest are dropped when that is full; what is on the disk stays.
#[test]
fn a_spool_that_is_full_goes_on_in_memory() {
    let spool = Spool::new();
    let away = Reserved::new();
    let pipeline = spool.small_builder(&away).build().unwrap();
    emit(&pipeline, 0..10_000);
    let stats = pipeline.shutdown(AWAY).stats;
    assert!(stats.dropped_queue_full > 0 && stats.dropped_shutdown > 0 && stats.spooled > 0, "{stats:?}");
    assert_eq!(stats.emitted, stats.spooled + stats.dropped(), "{stats:?}");
    let (report, arrived) = spool.recover();
    assert_eq!((arrived.len() as u64, report.stats.dropped()), (stats.spooled, 0));
}

/// Guarantees: with `DropOldest`, a full spool makes room for what is new.
#[test]
fn a_full_spool_can_drop_the_oldest() {
    let spool = Spool::new();
    let away = Reserved::new();
    let pipeline = spool.small_builder(&away).with_overflow(Overflow::DropOldest).build().unwrap();
    emit(&pipeline, 0..10_000);
    let stats = pipeline.shutdown(AWAY).stats;
    assert!(stats.dropped_oldest > 0 && stats.dropped_queue_full == 0, "{stats:?}");
    assert_eq!(stats.emitted, stats.spooled + stats.dropped(), "{stats:?}");
    let (_, arrived) = spool.recover();
    assert!(arrived.contains_key("9999") || stats.dropped_shutdown > 0, "{stats:?}");
}

/// Scenario: a disk of 1 MiB, and one that is read-only.
///
/// Guarantees: a full disk is counted, ends no process, and loses nothing that memory has room for; a
/// read-only one is an error at the start.
#[test]
fn a_full_disk_ends_no_process() {
    let Some(test) = isolated(|_| on_small_disks()) else { return };
    let unshare = |command: &[&str]| {
        let mut namespace = Command::new("unshare");
        namespace.arg("-rm").args(command).env("SPANLOG_TEST_PART", "child");
        namespace.status().is_ok_and(|status| status.success())
    };
    if !unshare(&["true"]) {
        eprintln!("NOT TESTED: a full disk, as this user may not mount one");
        return;
    }
    let own = std::env::current_exe().unwrap();
    assert!(unshare(&[own.to_str().unwrap(), &test.test, "--exact", "--nocapture"]));
}

fn on_small_disks() {
    let spool = Spool::new();
    fs::create_dir_all(&spool.0).unwrap();
    let path = spool.0.to_str().unwrap();
    // In the namespace that the test has started this process in.
    let mount = |options: &str| {
        Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs", path]).status().unwrap().success()
    };
    assert!(mount("size=1m"));
    let receiver = Receiver::acting(|number| match number {
        0 => Act::Later(Duration::from_millis(500), Box::new(Act::Send(response(503, &[], b"")))),
        _ => crate::http::ok(),
    });
    let pipeline = spool.builder(&receiver.url()).build().unwrap();
    emit(&pipeline, 0..20_000);
    let stats = pipeline.shutdown(LONG).stats;
    assert!(stats.unspooled > 0, "{stats:?}");
    assert_eq!((stats.delivered, numbers(&receiver).len()), (20_000, 20_000));
    assert!(mount("size=1m,ro"));
    assert!(spool.builder("http://127.0.0.1:1").build().is_err());
}

/// Guarantees: with each policy, what was emitted arrives; the window of a failing machine is documented.
#[test]
fn every_way_to_sync_delivers() {
    for sync in [SpoolSync::Never, SpoolSync::Interval(Duration::from_millis(1)), SpoolSync::EveryBatch] {
        let spool = Spool::new();
        let receiver = Receiver::start();
        let pipeline = spool.builder(&receiver.url()).with_spool_sync(sync).build().unwrap();
        emit(&pipeline, 0..5_000);
        let stats = pipeline.shutdown(LONG).stats;
        assert!(stats.delivered == 5_000 && numbers(&receiver) == once(0..5_000), "{sync:?}");
    }
}

/// Scenario: a process is killed whose forked child logs.
///
/// Guarantees: the child's records are counted there, and are not in the parent's files. Those of a pipeline of
/// its own are in files of its own.
#[test]
fn a_forked_child_writes_nothing_to_its_parents_files() {
    let Some(test) = isolated(|_| fork_and_log()) else { return };
    let spool = Spool::new();
    let victim = Victim::start(&test, &[("SPOOL", spool.0.to_str().unwrap())]);
    victim.kill();
    let (_, arrived) = spool.recover();
    assert_eq!(arrived, once(0..30));
}

#[expect(unsafe_code, reason = "only `fork` makes such a child")]
fn fork_and_log() {
    let spool = std::env::var("SPOOL").unwrap();
    let pipeline = Pipeline::builder().with_endpoint("http://127.0.0.1:1").with_spool(spool).build().unwrap();
    emit(&pipeline, 0..10);
    // SAFETY: the child does what is tested, and ends without running anything of its parent.
    let child = unsafe { libc::fork() };
    if child == 0 {
        emit(&pipeline, 100..200);
        let is_counted = pipeline.stats().dropped_shutdown == 100;
        // SAFETY: as above.
        unsafe { libc::_exit(i32::from(!is_counted)) };
    }
    let mut status = 0;
    // SAFETY: the child is ours, and `status` is there for the answer.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(status, 0);
    emit(&pipeline, 10..20);
    // A child that goes on has a pipeline of its own, which keeps its records like any other.
    // SAFETY: the child has threads and locks of its own only.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let own = Pipeline::builder().with_endpoint("http://127.0.0.1:1");
        let own = own.with_spool(std::env::var("SPOOL").unwrap()).build().unwrap();
        emit(&own, 20..30);
        let stats = own.shutdown(AWAY).stats;
        // SAFETY: as above.
        unsafe { libc::_exit(i32::from(stats.spooled != 10)) };
    }
    let mut status = 0;
    // SAFETY: the child is ours, and `status` is there for the answer.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(status, 0);
    println!("ready");
    loop {
        std::thread::park();
    }
}

/// Guarantees: a segment is a source of a graph, with its spans and records, before anybody has sent it.
#[cfg(feature = "graph")]
#[test]
fn a_segment_can_be_drawn() {
    let spool = Spool::new();
    let away = Reserved::new();
    let builder = spool.builder(&format!("http://{}", away.address)).with_service_name("drawn");
    let pipeline = builder.build().unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(pipeline.span_processor()).build();
    let layer = LogLayer::direct(pipeline.clone());
    tracing::dispatcher::with_default(&subscriber(&provider, layer), || {
        let done: Result<(), String> = spanlog::op::run("terraform", "plan", [], || {
            tracing::info!("inside the op");
            Ok(())
        });
        done.unwrap();
    });
    pipeline.shutdown(AWAY);
    let segments = spool.segments();
    assert_eq!(segments.len(), 2, "log records and spans");
    let graph = spanlog::graph::ToolCallGraph::read_files(&segments).unwrap();
    assert!(graph.notes().is_empty(), "{:?}", graph.notes());
    let text = graph.to_text();
    assert!(text.contains("terraform plan") && text.contains("1 info"), "{text}");
    let call = graph.roots().next().unwrap().call();
    assert_eq!(call.service.as_deref(), Some("drawn"));
}

/// Scenario: a backlog that takes longer than a shutdown may take, with a receiver that is slow and well.
///
/// Guarantees: the shutdown ends in time, and what is left stays for the next.
#[test]
fn a_shutdown_does_not_wait_for_all_that_others_left() {
    let spool = Spool::new();
    spool.leave(0..30_000);
    let receiver = Receiver::acting(|_| Act::Later(Duration::from_millis(300), Box::new(crate::http::ok())));
    let pipeline = spool.builder(&receiver.url()).with_batch_records(1_000).build().unwrap();
    emit(&pipeline, 30_000..30_010);
    let report = pipeline.shutdown(Duration::from_secs(2));
    assert!(report.is_complete, "{report}");
    let stats = report.stats;
    assert!(stats.recovered < 30_000 && stats.delivered > 0 && stats.dropped() == 0, "{report}");
    let mut arrived = numbers(&receiver);
    assert!((30_000..30_010).all(|number| arrived.contains_key(&number.to_string())), "what is new");
    let (_, rest) = spool.recover();
    arrived.extend(rest.clone());
    assert!(arrived == once(0..30_010), "{} arrived", arrived.len());
}

/// Guarantees: what is new does not wait until everything is sent that others left, nor the other way round.
#[test]
fn what_is_new_goes_by_turns_with_what_others_left() {
    let spool = Spool::new();
    spool.leave(0..20_000);
    let receiver = Receiver::acting(|_| Act::Later(Duration::from_millis(20), Box::new(crate::http::ok())));
    let pipeline = spool.builder(&receiver.url()).with_batch_records(1_000).build().unwrap();
    while receiver.requests().is_empty() {
        std::thread::yield_now();
    }
    emit(&pipeline, 20_000..20_010);
    pipeline.shutdown(LONG);
    let is_new = |(_, record): &(String, LogRecord)| body(record).parse::<usize>().unwrap() >= 20_000;
    let records = receiver.records();
    let (first, last) = (records.iter().position(is_new).unwrap(), records.len() - 1);
    assert!(first > 0 && first < last - 5_000, "{first} of {last}");
    assert!(numbers(&receiver) == once(0..20_010));
}

/// Scenario: DEBUG records come while the spool and memory are full of warnings, and warnings while they are
/// full of DEBUG.
///
/// Guarantees: with `DropOldest`, what matters less is dropped.
#[test]
fn a_full_spool_drops_what_matters_least() {
    let spool = Spool::new();
    let away = Reserved::new();
    let pipeline = spool.small_builder(&away).with_overflow(Overflow::DropOldest).build().unwrap();
    let layer = LogLayer::direct(pipeline.clone());
    tracing::dispatcher::with_default(&subscriber(&SdkTracerProvider::default(), layer), || {
        (0..2_000).for_each(|number| tracing::debug!(twice = 2 * number, "{number}"));
        (2_000..2_500).for_each(|number| tracing::warn!(twice = 2 * number, "{number}"));
        (2_500..9_000).for_each(|number| tracing::debug!(twice = 2 * number, "{number}"));
    });
    let stats = pipeline.stats();
    assert!(stats.dropped_oldest + stats.dropped_queue_full > 1_000, "{stats:?}");
    let receiver = Receiver::at(away.listen(), |_| Some(crate::http::ok()));
    pipeline.shutdown(LONG);
    let bodies: Vec<usize> =
        receiver.records().iter().map(|(_, record)| body(record).parse().unwrap()).collect();
    let warnings = bodies.iter().filter(|number| (2_000..2_500).contains(*number)).count();
    assert_eq!(warnings, 500, "of {} records", bodies.len());
}

/// Guarantees: an op that ends after the shutdown, or whose span is refused, leaves no file behind; one that has
/// ended is not closed as interrupted, even if the process was killed before it could say so.
#[test]
fn an_op_that_has_ended_leaves_nothing() {
    let spool = Spool::new();
    let away = Reserved::new();
    let open = || -> Vec<PathBuf> {
        let is_open = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("open-");
        spool.segments().into_iter().filter(is_open).collect()
    };
    let pipeline = spool.builder(&format!("http://{}", away.address)).build().unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(pipeline.span_processor()).build();
    let layer = LogLayer::direct(pipeline.clone());
    tracing::dispatcher::with_default(&subscriber(&provider, layer), || {
        // Beyond what one segment has room for, beside one that stays open.
        let outer = spanlog::op::start("terraform", "apply", []);
        for _ in 0..2_000 {
            spanlog::op::start("terraform", "init", []).end(&Ok::<(), String>(()));
        }
        outer.end(&Ok::<(), String>(()));
        assert_eq!(open().len(), 1, "others are removed");
        let op = spanlog::op::start("terraform", "plan", []);
        let kept = open();
        let file = fs::read(&kept[0]).unwrap();
        op.end(&Ok::<(), String>(()));
        pipeline.shutdown(AWAY);
        assert_eq!(open().len(), 0);
        // As if the process had been killed in between.
        fs::write(&kept[0], file).unwrap();
        spanlog::op::start("terraform", "late", []).end(&Ok::<(), String>(()));
        assert_eq!(open(), kept);
    });
    let receiver = Receiver::start();
    let report = spool.builder(&receiver.url()).build().unwrap().shutdown(LONG);
    let spans = receiver.spans();
    assert_eq!(spans.len(), 2_002, "{report}");
    assert!(spans.iter().all(|(_, span)| span.status.as_ref().unwrap().code == 0), "none is interrupted");
}

/// Scenario: little memory, which both signals share, and a receiver that is away.
///
/// Guarantees: nothing is lost, neither records nor spans, from one thread or from some.
#[test]
fn little_memory_loses_nothing() {
    for threads in [1, 4] {
        let spool = Spool::new();
        let away = Reserved::new();
        let builder = spool.builder(&format!("http://{}", away.address));
        let pipeline = builder.with_memory_limit(1_000_000).build().unwrap();
        let provider = SdkTracerProvider::builder().with_span_processor(pipeline.span_processor()).build();
        let dispatch = subscriber(&provider, LogLayer::direct(pipeline.clone()));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let dispatch = &dispatch;
                scope.spawn(move || {
                    tracing::dispatcher::with_default(dispatch, || {
                        for number in 0..20_000 / threads {
                            let work = || {
                                tracing::info!("{number}");
                                Ok::<(), String>(())
                            };
                            spanlog::op::run("terraform", "plan", [], work).unwrap();
                        }
                    });
                });
            }
        });
        let report = pipeline.shutdown(LONG);
        for stats in [report.stats, report.spans] {
            assert_eq!(
                (stats.emitted, stats.dropped(), stats.unspooled),
                (20_000, 0, 0),
                "{threads}: {report}"
            );
            assert_eq!(stats.spooled, 20_000, "{threads}: {report}");
        }
    }
}

/// Guarantees: a program may change its directory; a limit that has no room for a segment is an error; only the
/// user who runs the program can read the spool.
#[test]
fn settings_of_the_spool_mean_what_they_say() {
    let spool = Spool::new();
    let error = spool.builder("http://127.0.0.1:1").with_spool_limit(1).build().unwrap_err();
    assert!(error.to_string().contains("limit of the spool"), "{error}");
    assert!(Pipeline::builder().with_spool("").build().is_err());
    spool.leave(0..10);
    let mode = |path: &Path| {
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
    };
    let segment = &spool.segments()[0];
    assert_eq!([&spool.0, segment.parent().unwrap(), segment].map(mode), [0o700, 0o700, 0o600]);
    let Some(test) = isolated(|_| change_directory()) else { return };
    test.run(&[]);
}

fn change_directory() {
    let folder = directory("relative");
    fs::create_dir_all(&folder).unwrap();
    std::env::set_current_dir(&folder).unwrap();
    let pipeline =
        Pipeline::builder().with_endpoint("http://127.0.0.1:1").with_spool("here").build().unwrap();
    std::env::set_current_dir("/").unwrap();
    emit(&pipeline, 0..10);
    let stats = pipeline.shutdown(AWAY).stats;
    assert_eq!((stats.spooled, stats.unspooled), (10, 0), "{stats:?}");
    fs::remove_dir_all(folder.parent().unwrap()).unwrap();
}

/// Scenario: a receiver takes five requests of fifty records, which are parts of one segment, and none then.
///
/// Guarantees: what it took is not sent again by the next process.
#[test]
fn what_was_taken_of_a_segment_is_not_sent_again() {
    let spool = Spool::new();
    let receiver = Receiver::acting(|number| match number {
        0..5 => crate::http::ok(),
        _ => Act::Send(response(503, &[("retry-after", "3600")], b"")),
    });
    let pipeline = spool.builder(&receiver.url()).with_batch_records(50).build().unwrap();
    emit(&pipeline, 0..400);
    let report = pipeline.shutdown(LONG);
    assert!(report.is_complete, "{report}");
    assert_eq!((report.stats.delivered, report.stats.spooled), (250, 150), "{report}");
    // One thread has emitted them, and one connection has sent them in order.
    let (_, rest) = spool.recover();
    assert!(rest == once(250..400), "{rest:?}");
}
