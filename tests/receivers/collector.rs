//! A Collector that passes on what it receives, what it counts, and what it costs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::port::Reserved;
use crate::program::Running;

/// A Collector between a program and the next hop. Each signal has an address of its own, so that its bytes
/// are counted apart.
pub struct Collector {
    pub running: Running,
    logs: Reserved,
    traces: Reserved,
    page: Reserved,
}

/// What makes one Collector lose, and another not.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Settings of the exporter, other than its endpoint.
    pub exporter: &'a str,
    /// The processors, each with its settings.
    pub processors: &'a [(&'a str, &'a str)],
}

impl Collector {
    pub fn start(path: &Path, next: &str, settings: Settings<'_>) -> Self {
        let [logs, traces, page] = [(); 3].map(|()| Reserved::new());
        let folder = crate::target().join(format!("hop-{}-{}", std::process::id(), page.address.port()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let receiver = |at: &Reserved| format!("{{protocols: {{http: {{endpoint: '{}'}}}}}}", at.address);
        let processors: Vec<_> =
            settings.processors.iter().map(|(name, with)| format!("{name}: {with}")).collect();
        let names: Vec<_> = settings.processors.iter().map(|(name, _)| *name).collect();
        let pipeline = |receiver: &str| {
            format!("{{receivers: [{receiver}], processors: [{}], exporters: [otlphttp]}}", names.join(", "))
        };
        let text = format!(
            "receivers: {{otlp/logs: {}, otlp/traces: {}}}\n\
             processors: {{{}}}\n\
             exporters: {{otlphttp: {{endpoint: '{next}', {}}}}}\n\
             service:\n  telemetry:\n    metrics:\n      level: detailed\n      \
             readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {}}}}}}}}}]\n  \
             pipelines: {{logs: {}, traces: {}}}\n",
            receiver(&logs),
            receiver(&traces),
            processors.join(", "),
            settings.exporter,
            page.address.port(),
            pipeline("otlp/logs"),
            pipeline("otlp/traces"),
        );
        let config = folder.join("config.yaml");
        fs::write(&config, text).unwrap();
        let mut command = Command::new(path);
        command.arg("--config").arg(config);
        let at = [logs.address, traces.address, page.address];
        let running = Running::start(&mut command, folder, &at);
        Self { running, logs, traces, page }
    }

    pub fn logs_url(&self) -> String {
        format!("http://{}/v1/logs", self.logs.address)
    }

    pub fn traces_url(&self) -> String {
        format!("http://{}/v1/traces", self.traces.address)
    }

    /// What it counts.
    pub fn counters(&self) -> Page {
        let text = get(self.page.address, "/metrics");
        Page::new(&text.unwrap_or_else(|why| panic!("no counters: {why}\n{}", self.running.written())))
    }

    /// Bytes of the bodies of all requests for records and for spans, as they were on the wire.
    pub fn received_bytes(&self) -> (u64, u64) {
        let page = self.counters();
        let of = |at: &Reserved| {
            let port = format!("server_port=\"{}\"", at.address.port());
            page.sum("http_server_request_body_size_bytes_sum", &port)
        };
        (of(&self.logs), of(&self.traces))
    }
}

/// What a server answers, which must be all there within half a minute.
fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    const LIMIT: Duration = Duration::from_secs(30);
    let begun = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let left = LIMIT.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "its answer does not end"));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part)? {
            0 => break,
            count => bytes.extend_from_slice(&part[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The samples of a page for Prometheus.
#[derive(Debug)]
pub struct Page(BTreeMap<String, f64>);

impl Page {
    fn new(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter_map(|line| line.rsplit_once(' '));
        Self(samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }

    /// The value of a counter, 0 if it has not counted yet. Its documentation names it without `_total`.
    pub fn count(&self, name: &str) -> u64 {
        self.sum(&format!("{name}_total"), "")
    }

    /// The sum of all samples of this name with a label.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole numbers")]
    fn sum(&self, name: &str, label: &str) -> u64 {
        let samples = self.0.range(name.to_owned()..).take_while(|(sample, _)| sample.starts_with(name));
        let own =
            samples.filter(|(sample, _)| sample[name.len()..].starts_with('{') && sample.contains(label));
        own.map(|(_, value)| *value as u64).sum()
    }
}

/// The CPU time of all threads of a process so far: its id, or `self`.
pub fn cpu(process: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
    // User and system time, in hundredths of a second.
    Duration::from_millis(10 * (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()))
}

/// The most memory that a process had, in bytes.
pub fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_page_is_summed_by_name_and_label() {
    let page = Page::new(
        "# TYPE a_total counter\na_total{x=\"1\"} 2\na_total{x=\"2\"} 3\na_total_more{x=\"1\"} 9\n",
    );
    assert_eq!((page.count("a"), page.sum("a_total", "x=\"2\""), page.count("b")), (5, 3, 0));
}
