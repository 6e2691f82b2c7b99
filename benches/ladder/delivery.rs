//! What it costs to deliver a record to another process: CPU time, bytes, and memory while the
//! collector is down.

#[path = "../../tests/support/port.rs"]
mod port;

use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;

use self::port::Reserved;
use crate::client::{Client, BURST, WARM_UP};
use crate::loopback;
use crate::measure::{median, order};
use crate::process::Process;

/// Enough for at least a second of each client.
const COUNTS: [(Client, u64); 3] =
    [(Client::Direct, 256 * 8_192), (Client::Appender, 48 * 8_192), (Client::Emit, 48 * 8_192)];

const STARTS: usize = 5;

/// Runs until the input ends, then prints the number of records that arrived, their bytes, and the
/// number of attributes of the first.
pub(crate) fn serve_sink() {
    println!("{}", loopback::start_sink().unwrap());
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let (bytes, records) = loopback::arrived();
    println!("{records} {bytes} {}", loopback::attributes_of_first());
}

/// Runs each client once, asserting.
pub(crate) fn check() {
    for (client, _) in COUNTS {
        deliver(client, 8_192);
    }
    while_collector_is_down(400_000);
    for client in [Client::Spans, Client::SdkSpans] {
        deliver_spans(client, 8_192);
    }
}

/// Whether the platform has what this is measured with.
pub(crate) fn can_be_measured() -> bool {
    fs::read_to_string("/proc/self/schedstat").is_ok()
}

/// What one record costs.
#[derive(Clone, Copy)]
pub(crate) struct Delivered {
    pub(crate) cpu_nanos: f64,
    pub(crate) bytes: f64,
}

/// Measures the direct path, the appender with opentelemetry-otlp, and emit_otlp: the median of
/// some starts of each.
pub(crate) fn measure() -> [Delivered; 3] {
    let mut delivered = COUNTS.map(|_| Vec::new());
    for start in 0..STARTS {
        for index in order(start, COUNTS.len()) {
            let (client, count) = COUNTS[index];
            delivered[index].push(deliver(client, count));
        }
    }
    delivered.map(|starts| Delivered {
        cpu_nanos: median(starts.iter().map(|start| start.cpu_nanos).collect()),
        bytes: starts[STARTS - 1].bytes,
    })
}

/// What one span costs.
#[derive(Clone, Copy)]
pub(crate) struct DeliveredSpan {
    pub(crate) cpu_nanos: f64,
    /// On the thread that creates and ends it.
    pub(crate) own_nanos: f64,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
}

/// Measures spans through a pipeline, and through the SDK's batch processor with opentelemetry-otlp:
/// the median of some starts of each.
pub(crate) fn measure_spans() -> [DeliveredSpan; 2] {
    const SPANS: u64 = 40 * 8_192;
    let clients = [Client::Spans, Client::SdkSpans];
    let mut delivered = clients.map(|_| Vec::new());
    for start in 0..STARTS {
        for index in order(start, clients.len()) {
            delivered[index].push(deliver_spans(clients[index], SPANS));
        }
    }
    delivered.map(|starts| {
        let of = |figure: fn(&DeliveredSpan) -> f64| median(starts.iter().map(figure).collect());
        DeliveredSpan {
            cpu_nanos: of(|span| span.cpu_nanos),
            own_nanos: of(|span| span.own_nanos),
            allocations: of(|span| span.allocations),
            bytes: of(|span| span.bytes),
        }
    })
}

fn deliver_spans(client: Client, count: u64) -> DeliveredSpan {
    let mut sink = Process::start(&["--sink"]);
    let [at] = sink.read();
    let [cpu, own, allocations] = run::<3>(client, count, at);
    sink.close_input();
    let [spans, bytes, attributes] = sink.read::<u64, 3>();
    assert_eq!(spans, count + count / 4 / BURST * BURST + WARM_UP, "{client:?}");
    // Seven of its own, and those of tracing-opentelemetry: location, thread, target, level, times.
    assert!(attributes >= 7, "{client:?}: {attributes}");
    let each = |figure: f64| figure / count as f64;
    let bytes = bytes as f64 / spans as f64;
    DeliveredSpan { cpu_nanos: each(cpu), own_nanos: each(own), allocations: each(allocations), bytes }
}

fn deliver(client: Client, count: u64) -> Delivered {
    let mut sink = Process::start(&["--sink"]);
    let [at] = sink.read();
    let [cpu_nanos] = run::<1>(client, count, at);
    sink.close_input();
    let [records, bytes, attributes] = sink.read::<u64, 3>();
    assert_eq!(records, count + WARM_UP, "{client:?}");
    // Four of the event, four of the spans, three stamps.
    assert_eq!(attributes, 11, "{client:?}");
    Delivered { cpu_nanos: cpu_nanos / count as f64, bytes: bytes as f64 / records as f64 }
}

/// Bytes: the limit of the queue, how much memory grew, and how much of that in the second half of
/// the events.
pub(crate) fn while_collector_is_down(count: u64) -> [f64; 3] {
    let port = Reserved::new();
    run(Client::Unreachable, count, port.address)
}

/// Runs a client to its end, and returns what it prints.
fn run<const N: usize>(client: Client, count: u64, at: SocketAddr) -> [f64; N] {
    Process::start(&["--client", &client.name(), &count.to_string(), &at.to_string()]).read()
}
