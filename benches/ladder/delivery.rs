//! What it takes until a record has arrived in another process: CPU, bytes, and memory where nobody takes it.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use crate::client::{Who, WARM_UP};
use crate::loopback;
use crate::report::Row;

/// A second or more of each client.
const COUNTS: [(Who, u64); 3] =
    [(Who::Direct, 256 * 8_192), (Who::Appender, 48 * 8_192), (Who::Emit, 48 * 8_192)];

const STARTS: usize = 5;

/// What memory may take beside the limit of the queue.
const BESIDE: f64 = (8 << 20) as f64;

/// Serves until its input ends, and then says how many records came, in how many bytes, with how many attributes.
pub(crate) fn serve_sink() {
    println!("{}", loopback::start_sink().unwrap());
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let (bytes, records) = loopback::arrived();
    let attributes = loopback::first().resource_logs[0].scope_logs[0].log_records[0].attributes.len();
    println!("{records} {bytes} {attributes}");
}

/// Each client once, asserting.
pub(crate) fn check() {
    for who in [Who::Direct, Who::Appender, Who::Emit] {
        deliver(who, 8_192);
    }
    away(400_000);
}

/// The rows of the table of targets.
pub(crate) fn rows() -> Vec<Row<'static>> {
    if fs::read_to_string("/proc/self/schedstat").is_err() {
        eprintln!("NOT MEASURED: what delivery takes is read from /proc, which is not there");
        return Vec::new();
    }
    let mut cpu = vec![Vec::new(); COUNTS.len()];
    let mut bytes = vec![0.0; COUNTS.len()];
    for start in 0..STARTS {
        for index in 0..COUNTS.len() {
            // Every other turn the other way round, so that nobody always runs behind the same.
            let index = if start % 2 == 0 { index } else { COUNTS.len() - 1 - index };
            let (who, count) = COUNTS[index];
            let delivered = deliver(who, count);
            cpu[index].push(delivered.cpu_nanos);
            bytes[index] = delivered.bytes;
        }
    }
    let cpu: Vec<f64> = cpu
        .into_iter()
        .map(|mut turns: Vec<f64>| {
            turns.sort_by(f64::total_cmp);
            turns[turns.len() / 2]
        })
        .collect();
    let what = "record delivered over HTTP to another process, both with 3 stamps";
    let row = |figure, own: String, other: String, value, at_most| Row {
        what,
        figure,
        own,
        other,
        value: Some(value),
        at_most,
    };
    let nanos = |value: f64| format!("{value:.0}");
    let mut rows = vec![
        row(
            "CPU ns of all threads, against appender + opentelemetry-otlp",
            nanos(cpu[0]),
            nanos(cpu[1]),
            cpu[0] / cpu[1],
            0.1,
        ),
        row("CPU ns of all threads, against emit_otlp", nanos(cpu[0]), nanos(cpu[2]), cpu[0] / cpu[2], 0.1),
        row(
            "request bytes, against opentelemetry-otlp",
            format!("{:.1}", bytes[0]),
            format!("{:.1}", bytes[1]),
            bytes[0] / bytes[1],
            1.0,
        ),
    ];
    let away = away(10_000_000);
    let mib = |bytes: f64| format!("{:.1}", bytes / f64::from(1 << 20));
    let what = "10 million events with the collector down";
    rows.push(Row {
        what,
        figure: "MiB that memory grew, against the queue's limit + 8",
        own: mib(away.grown),
        other: mib(away.limit + BESIDE),
        value: Some(away.grown / (away.limit + BESIDE)),
        at_most: 1.0,
    });
    rows.push(Row {
        what,
        figure: "MiB of that in the second half",
        own: mib(away.late),
        other: String::new(),
        value: Some(away.late / f64::from(1 << 20)),
        at_most: 1.0,
    });
    rows
}

/// For each record.
struct Delivered {
    cpu_nanos: f64,
    bytes: f64,
}

fn deliver(who: Who, count: u64) -> Delivered {
    let mut sink = process(&["--sink"]);
    let mut said = BufReader::new(sink.stdout.take().unwrap());
    let at: SocketAddr = line(&mut said).trim().parse().unwrap();
    let cpu_nanos: f64 = client(who, count, at).trim().parse().unwrap();
    drop(sink.stdin.take());
    let told: Vec<u64> = line(&mut said).split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert!(sink.wait().unwrap().success());
    let [records, bytes, attributes] = told[..] else { panic!("{told:?}") };
    assert_eq!(records, count + WARM_UP, "{who:?}");
    // Four of the event, four of the spans, three stamps.
    assert_eq!(attributes, 11, "{who:?}");
    Delivered { cpu_nanos: cpu_nanos / count as f64, bytes: bytes as f64 / records as f64 }
}

struct Away {
    limit: f64,
    grown: f64,
    late: f64,
}

fn away(count: u64) -> Away {
    // A port of which it is known that nobody listens there.
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = client(Who::Away, count, at);
    let told: Vec<f64> = said.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [limit, grown, late] = told[..] else { panic!("{told:?}") };
    Away { limit, grown, late }
}

/// Runs a client to its end. What it said.
fn client(who: Who, count: u64, at: SocketAddr) -> String {
    let mut child = process(&["--client", &who.name(), &count.to_string(), &at.to_string()]);
    let said = line(&mut BufReader::new(child.stdout.take().unwrap()));
    assert!(child.wait().unwrap().success(), "{who:?}: the process has failed, see above");
    said
}

fn process(arguments: &[&str]) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    for (variable, _) in env::vars_os() {
        if variable.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(variable);
        }
    }
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}
