//! Many runner processes at once, and one real Collector: it has what they have counted, and so has what is
//! behind it.
//!
//! There are 12 of them. `SPANLOG_FLEET=12,200` sets how many, one number after the other.
//! `SPANLOG_WRITE_DOCS=1` writes the tables of `docs/scaling.md`, unless the build has debug assertions,
//! whose CPU time says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::{self, BufReader, Lines, Write};
use std::path::Path;
use std::process::{self, Child, ChildStdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{any_value::Value, KeyValue};
use spanlog::{job, op, JobMetadata};

use crate::collector::{cpu, peak_memory, Collector, Settings};
use crate::http::{ok, Receiver};
use crate::otlp::{decode, records, spans};
use crate::process::{ended_within, isolated, Isolated};
use crate::random::Random;
use crate::{program, table};

/// Longer than a loaded machine takes.
const LONG: Duration = Duration::from_secs(120);
/// When the runners of a round are killed, and the test fails.
const LIMIT: Duration = Duration::from_secs(300);

const STEPS: usize = 5;
const OPS_OF_A_STEP: usize = 50;
const RECORDS_OF_AN_OP: usize = 20;
/// Milliseconds between two ops, so that a runner emits some 2,000 records a second.
const PAUSE: &str = "10";

/// What one runner has counted.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counts {
    records: u64,
    spans: u64,
    cpu: Duration,
}

/// The runner: one job, whose receipt, counters and outputs agree. Returns when everything is delivered.
fn run(name: &str) -> Counts {
    let guard = spanlog::builder().with_console(false).with_service_name("runner").install().unwrap();
    let pause = Duration::from_millis(env::var("PAUSE").unwrap().parse().unwrap());
    println!("ready");
    assert_ne!(io::stdin().read_line(&mut String::new()).unwrap(), 0, "the test is gone");
    let before = own_cpu();
    let metadata = JobMetadata::new(name.to_owned(), format!("execution-{name}")).with_org_id("org-7");
    let execution = job::execution(metadata, "deploy");
    let mut random = Random::new(u64::from(process::id()) << 20);
    execution.in_scope(|| {
        for step in 0..STEPS {
            let mut ops = 0..OPS_OF_A_STEP;
            let done = job::step(format!("step {step}")).run(|| {
                ops.try_for_each(|_| {
                    (!pause.is_zero()).then(|| thread::sleep(pause));
                    apply(&mut random)
                })
            });
            done.unwrap();
        }
    });
    let receipt = execution.close(LONG);
    let cpu = match (before, own_cpu()) {
        ((Some(before), _), (Some(after), _)) => after.saturating_sub(before),
        ((_, before), (_, after)) => after.saturating_sub(before),
    };
    let (stats, report) = (guard.stats(), guard.shutdown(LONG));
    assert!(receipt.is_complete() && report.is_complete(), "{receipt}\n{report}");
    let of = |signal: &str| {
        let mut outputs = report.outputs.iter().filter(|output| output.signal == signal);
        let output = outputs.next().unwrap();
        assert!(outputs.next().is_none(), "{report}");
        output.exported
    };
    assert_eq!((stats.emitted, of("logs")), (receipt.logs.delivered, receipt.logs.delivered));
    assert_eq!(of("traces"), receipt.spans.delivered);
    Counts { records: of("logs"), spans: of("traces"), cpu }
}

/// The CPU time of all live threads of this process, to the nanosecond where the kernel says it, as a runner uses a few
/// hundredths of a second; and that of the process, to a hundredth. No thread ends between two readings.
fn own_cpu() -> (Option<Duration>, Duration) {
    let of = |task: io::Result<fs::DirEntry>| -> Option<u64> {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse().ok()
    };
    let nanos = fs::read_dir("/proc/self/task").ok().and_then(|tasks| tasks.map(of).sum::<Option<u64>>());
    (nanos.map(Duration::from_nanos), cpu("self"))
}

/// An op with records that are alike and not the same, as those of tools are.
fn apply(random: &mut Random) -> Result<(), io::Error> {
    op::run("terraform", "apply", [], || {
        for record in 0..RECORDS_OF_AN_OP {
            let resource = format!("aws_subnet.private[{record}] (subnet-{:014x})", random.next());
            let elapsed_ms = (random.next() % 100_000) as f64 / 100.0;
            tracing::info!(resource, action = "update", elapsed_ms, attempt = 1, "resource updated");
        }
        Ok(())
    })
}

/// The runners, which are killed when it is dropped.
#[derive(Default)]
struct Fleet {
    children: Vec<Child>,
    /// What each prints.
    lines: Vec<Lines<BufReader<ChildStdout>>>,
}

impl Fleet {
    /// Starts them, which have not begun when it returns.
    fn start(test: &Isolated, count: usize, variables: &[(&str, &str)]) -> Self {
        let mut fleet = Self::default();
        for number in 0..count {
            let (child, lines) = test.part(&format!("job-{number}")).start_until_ready(variables);
            fleet.children.push(child);
            fleet.lines.push(lines);
        }
        fleet
    }

    fn begin(&mut self) {
        for child in &mut self.children {
            child.stdin.take().unwrap().write_all(b"\n").unwrap();
        }
    }

    /// Waits for them, and does `meanwhile` again and again. Returns what each has counted.
    fn counts(&mut self, mut meanwhile: impl FnMut()) -> Vec<Counts> {
        let begun = Instant::now();
        let Self { children, lines } = self;
        let counted: Vec<_> = thread::scope(|scope| {
            let reading = scope.spawn(|| lines.iter_mut().map(counted).collect());
            let mut running = KilledByPanic(children);
            while !reading.is_finished() {
                if begun.elapsed() > LIMIT {
                    running.kill();
                }
                meanwhile();
                thread::sleep(Duration::from_millis(5));
            }
            reading.join().unwrap()
        });
        let of = |(number, (child, counts)): (usize, (&mut Child, Option<Counts>))| {
            let (status, time) = (ended_within(child, LONG), begun.elapsed());
            assert!(
                status.is_some_and(|status| status.success()),
                "job-{number} has not ended well: {status:?}, {time:?} after it began, killed at {LIMIT:?}"
            );
            counts.unwrap_or_else(|| panic!("job-{number} has not said what it counted"))
        };
        children.iter_mut().zip(counted).enumerate().map(of).collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a runner says that it has counted, once it has ended.
fn counted(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<Counts> {
    let mut rest = lines.map_while(Result::ok);
    let said = rest.find_map(|line| Some(line.split_once("counted ")?.1.to_owned()));
    rest.for_each(drop);
    let numbers: Vec<u64> = said?.split(' ').map(|number| number.parse().unwrap()).collect();
    let [records, spans, micros] = numbers[..] else { panic!("{numbers:?}") };
    Some(Counts { records, spans, cpu: Duration::from_micros(micros) })
}

/// Children that do not outlive a panic, so that what reads their lines ends.
struct KilledByPanic<'a>(&'a mut [Child]);

impl KilledByPanic<'_> {
    fn kill(&mut self) {
        for child in &mut *self.0 {
            let _ = child.kill();
        }
    }
}

impl Drop for KilledByPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.kill();
        }
    }
}

/// What has arrived of one job.
#[derive(Debug, Default)]
struct Arrived {
    records: u64,
    /// The span and the text of each record, which are those of no other.
    different: BTreeSet<(Vec<u8>, String)>,
    spans: u64,
    ids: BTreeSet<Vec<u8>>,
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    let found = attributes.iter().find(|pair| pair.key == key).unwrap_or_else(|| panic!("no {key}"));
    match found.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{key}: {other:?}"),
    }
}

/// Adds what the receiver has got since the last call.
fn take(receiver: &Receiver, jobs: &mut BTreeMap<String, Arrived>) {
    for request in receiver.take_requests() {
        if request.path() == "/v1/traces" {
            for (_, span) in spans(decode::<ExportTraceServiceRequest>(&request).resource_spans) {
                let job = jobs.entry(text(&span.attributes, "runner_job.id").to_owned()).or_default();
                job.spans += 1;
                job.ids.insert(span.span_id);
            }
        } else {
            for (_, record) in records(decode::<ExportLogsServiceRequest>(&request).resource_logs) {
                let job = jobs.entry(text(&record.attributes, "runner_job.id").to_owned()).or_default();
                job.records += 1;
                let resource = text(&record.attributes, "resource").to_owned();
                job.different.insert((record.span_id, resource));
            }
        }
    }
}

/// The Collector's memory limit is far away, its queue holds everything that a round emits, and no request is sent
/// twice because its answer is late.
fn start(path: &Path, next: &Receiver, compression: &str) -> Collector {
    let exporter =
        format!("compression: {compression}, timeout: 600s, sending_queue: {{queue_size: 100000}}");
    let processors = [("memory_limiter", "{check_interval: 1s, limit_mib: 4000}")];
    Collector::start(path, &next.url(), Settings { exporter: &exporter, processors: &processors })
}

/// What a round has cost.
struct Cost {
    records: u64,
    spans: u64,
    time: Duration,
    runners: Duration,
    collector: Duration,
    /// The most that the Collector had, and how much of that it did not have before.
    memory: (u64, u64),
    record_bytes: u64,
    span_bytes: u64,
}

/// What a round is made of.
#[derive(Clone, Copy)]
struct Round<'a> {
    runners: usize,
    pause: &'a str,
    compression: &'a str,
    /// Otherwise the next hop answers when all runners have ended.
    is_open: bool,
}

/// Lets the next hop answer when it is dropped.
struct Gate(Arc<AtomicBool>);

impl Drop for Gate {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn round(test: &Isolated, path: &Path, round: Round<'_>) -> Cost {
    let Round { runners: count, pause, compression, is_open } = round;
    let gate = Arc::new(AtomicBool::new(is_open));
    let opened = gate.clone();
    let next = Receiver::acting(move |_| {
        while !opened.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        ok()
    });
    let gate = Gate(gate);
    let collector = start(path, &next, compression);
    let (logs, traces) = (collector.logs_url(), collector.traces_url());
    let variables = [
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", logs.as_str()),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces.as_str()),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
        // What arrives after a timeout would arrive twice.
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "600000"),
        ("PAUSE", pause),
    ];
    let mut fleet = Fleet::start(test, count, &variables);
    let id = collector.running.id();
    let (begun, before, memory_before) = (Instant::now(), cpu(&id.to_string()), peak_memory(id));
    fleet.begin();
    let mut jobs = BTreeMap::new();
    let counts = fleet.counts(|| take(&next, &mut jobs));
    if !is_open {
        assert!(jobs.is_empty());
        let page = collector.counters();
        assert_eq!(
            (page.count("otelcol_exporter_sent_log_records"), page.count("otelcol_exporter_sent_spans")),
            (0, 0)
        );
    }
    let memory = peak_memory(id);
    drop(gate);
    let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum::<u64>();
    let (records, spans) = (sum(|counts| counts.records), sum(|counts| counts.spans));
    // It counts what was answered, which has arrived.
    collector.running.wait("through", || {
        let page = collector.counters();
        let sent = |what: &str| page.count(&format!("otelcol_exporter_sent_{what}"));
        (sent("log_records"), sent("spans")) == (records, spans)
    });
    let (time, collector_cpu) = (begun.elapsed(), cpu(&id.to_string()).saturating_sub(before));
    take(&next, &mut jobs);

    let each = (STEPS * OPS_OF_A_STEP * RECORDS_OF_AN_OP, 1 + STEPS + STEPS * OPS_OF_A_STEP);
    assert_eq!(jobs.len(), count);
    for (number, counts) in counts.iter().enumerate() {
        let job = &jobs[&format!("job-{number}")];
        assert_eq!((counts.records, counts.spans), (each.0 as u64, each.1 as u64));
        assert_eq!((job.records, job.spans), (counts.records, counts.spans), "job-{number}");
        assert_eq!((job.different.len(), job.ids.len()), each, "job-{number} has something twice");
        assert!(
            job.different.iter().all(|(span, _)| job.ids.contains(span)),
            "a span of job-{number} is missing"
        );
    }
    let page = collector.counters();
    let accepted = |what: &str| page.count(&format!("otelcol_receiver_accepted_{what}"));
    assert_eq!((accepted("log_records"), accepted("spans")), (records, spans));
    // `hops.rs` shows that these count.
    for lost in ["receiver_refused", "processor_refused", "exporter_send_failed", "exporter_enqueue_failed"] {
        for what in ["log_records", "spans"] {
            assert_eq!(page.count(&format!("otelcol_{lost}_{what}")), 0, "{lost} {what}");
        }
    }
    let (record_bytes, span_bytes) = collector.received_bytes();
    let runners = counts.iter().map(|counts| counts.cpu).sum();
    let memory = (memory, memory - memory_before);
    Cost { records, spans, time, runners, collector: collector_cpu, memory, record_bytes, span_bytes }
}

impl Cost {
    /// The row of a round in the table of `docs/scaling.md`.
    fn row(&self, round: Round<'_>) -> Vec<String> {
        let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
        let per = |amount: u64, count: u64| format!("{:.1}", amount as f64 / count as f64);
        vec![
            round.runners.to_string(),
            format!("{} ms", round.pause),
            round.compression.to_owned(),
            self.records.to_string(),
            self.spans.to_string(),
            seconds(self.time),
            format!("{:.0}", self.records as f64 / self.time.as_secs_f64()),
            seconds(self.runners),
            seconds(self.collector),
            (self.memory.0 >> 20).to_string(),
            per(self.record_bytes, self.records),
            per(self.span_bytes, self.spans),
        ]
    }
}

/// Of one ClickHouse server with 32 cores, as its Collector exporter's documentation says: 20 billion rows a day.
const ROWS_OF_A_SERVER: f64 = 20e9 / 86_400.0;

/// What a core of a Collector that inserts into ClickHouse passes on a second, as that documentation says.
const RECORDS_OF_A_CORE: f64 = 40_000.0;

/// The rows of the table of sizes in `docs/scaling.md`, for a million records a second: what, how it follows from the
/// other table, without compression, and with gzip if it depends on that.
fn sizes([plain, gzip, busy]: &[Cost; 3], (held, queued): (usize, &Cost)) -> Vec<[String; 4]> {
    let shown = |value: f64| match value {
        large if large >= 20.0 || large.fract() == 0.0 => format!("{large:.0}"),
        small => format!("{small:.1}"),
    };
    let text = |what: &str, how: &str, value: String, packed: String| {
        [what.to_owned(), how.to_owned(), value, packed]
    };
    let one = |what: &str, how: &str, value: f64| text(what, how, shown(value), "–".to_owned());
    let two = |what: &str, how: &str, value: &dyn Fn(&Cost) -> f64| {
        text(what, how, shown(value(plain)), shown(value(gzip)))
    };
    let (record, span) = (alone("record"), alone("span"));
    let share = plain.spans as f64 / plain.records as f64;
    let rows = 1e6 * (1.0 + share);
    let queued = queued.memory.1 as f64 / queued.records as f64;
    let bytes = |cost: &Cost| (cost.record_bytes + cost.span_bytes) as f64 / cost.records as f64;
    let of_a_day = |cost: &Cost| bytes(cost) * 86_400e6 / 1e12;
    let cpu = |time: Duration, cost: &Cost| time.as_secs_f64() / cost.records as f64 * 1e6;
    vec![
        one("runners of 2,000 records/s", "10⁶ ÷ 2,000", 500.0),
        two("cores of all runners", "10⁶ × CPU s, runners ÷ records", &|cost| cpu(cost.runners, cost)),
        one(
            "the same of runners without pauses",
            "the same, of the row without pauses",
            cpu(busy.runners, busy),
        ),
        one(
            "the same of records and spans alone, by `docs/benchmarks.md`",
            &format!("10⁶ × ({record} ns + {span} ns × spans ÷ records) ÷ 10⁹"),
            (record + span * share) / 1e3,
        ),
        two(
            "bytes of a record with its share of spans",
            "bytes/record + bytes/span × spans ÷ records",
            &bytes,
        ),
        two("Gbit/s of a hop", "10⁶ × these bytes × 8 ÷ 10⁹", &|cost| bytes(cost) * 8e6 / 1e9),
        two("TB a day of a hop", "10⁶ × these bytes × 86,400 ÷ 10¹²", &of_a_day),
        two(
            "cores of the Collectors of the first hop, half busy",
            "10⁶ × CPU s, Collector ÷ records × 2",
            &|cost| cpu(cost.collector, cost) * 2.0,
        ),
        one(
            "GB of memory of the Collectors of the first hop, with a next hop that is away for 60 s",
            &format!(
                "60 × 10⁶ × {queued:.0} bytes, measured with {held} runners and a next hop that is held"
            ),
            queued * 60e6 / 1e9,
        ),
        one(
            "on paper: cores of the Collectors that insert into ClickHouse, half busy",
            "10⁶ ÷ 40,000 × 2",
            1e6 / RECORDS_OF_A_CORE * 2.0,
        ),
        two("on paper: Kafka partitions", "10⁶ × bytes of a record ÷ 10 MB/s, rounded up", &|cost| {
            (bytes(cost) * 1e6 / 10e6).ceil()
        }),
        one("on paper: inserts/s of 100,000 rows", "10⁶ × (1 + spans ÷ records) ÷ 100,000", rows / 1e5),
        one(
            "on paper: ClickHouse servers of 32 cores",
            "the same rows/s ÷ (20 × 10⁹ ÷ 86,400)",
            rows / ROWS_OF_A_SERVER,
        ),
        text(
            "on paper: TB a day on ClickHouse's disks",
            "TB a day of a hop ÷ 11, ÷ 7",
            format!("{}–{}", shown(of_a_day(plain) / 11.0), shown(of_a_day(plain) / 7.0)),
            "–".to_owned(),
        ),
    ]
}

/// CPU nanoseconds of all threads for one record or span, as the bench has measured them.
fn alone(what: &str) -> f64 {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks.md");
    let page = fs::read_to_string(page).unwrap();
    let begins = format!("| {what} delivered over HTTP to another process");
    let mut rows =
        page.lines().filter(|line| line.starts_with(&begins) && line.contains(" CPU ns of all threads"));
    let row = rows.next().unwrap_or_else(|| panic!("docs/benchmarks.md has no {what}"));
    row.split(" | ").nth(2).unwrap().parse().unwrap()
}

/// Guarantees: of each of many runner processes, every record and every span is there once behind a Collector,
/// as often as the runner's receipt, its counters and its outputs say, and the Collector counts the same. What
/// the next hop does not take waits in the Collector's queue.
#[test]
fn runners_and_their_collector_count_the_same() {
    let Some(test) = isolated(|part| {
        let Counts { records, spans, cpu } = run(part);
        println!("counted {records} {spans} {}", cpu.as_micros());
    }) else {
        return;
    };
    let Some(path) = program::collector() else { return };
    let fleets = env::var("SPANLOG_FLEET").unwrap_or_else(|_| "12".to_owned());
    let mut measured = Vec::new();
    for runners in fleets.split(',').map(|count| count.trim().parse().unwrap()) {
        let costs = [(PAUSE, "none"), (PAUSE, "gzip"), ("0", "none")].map(|(pause, compression)| {
            let one = Round { runners, pause, compression, is_open: true };
            let cost = round(&test, &path, one);
            write("fleet", 3, &cost.row(one));
            cost
        });
        let held = Round { runners: runners.min(40), pause: PAUSE, compression: "none", is_open: false };
        measured.push((costs, held.runners, round(&test, &path, held)));
    }
    let (costs, held, queued) = measured.last().unwrap();
    sizes(costs, (*held, queued)).iter().for_each(|row| write("sizes", 1, row));
}

fn write(table: &str, keys: usize, row: &[String]) {
    println!("{}", row.join(" | "));
    if !cfg!(debug_assertions) {
        table::write_row("docs/scaling.md", table, keys, row);
    }
}
