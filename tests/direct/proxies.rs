//! Faults caused by real programs: haproxy, nginx and the OpenTelemetry Collector, where they are
//! installed.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use spanlog::otlp::{Pipeline, PipelineStats, Protocol};

#[cfg(feature = "grpc")]
use crate::grpc;
/// In its place without the feature, where nothing is sent to it.
#[cfg(not(feature = "grpc"))]
use crate::http as grpc;
use crate::http::Receiver;
use crate::port::Reserved;
use crate::program::Running;
use crate::{kinds, process, program};

const LONG: Duration = Duration::from_secs(30);

const CONFIGURATION: &str = "configuration.yaml";

/// Ports, by their placeholders in a configuration.
struct Ports(Vec<(String, Reserved)>);

impl Ports {
    /// Reserves a port for each `{name}` in `text` that is not one of `backends`. Writes the text,
    /// with addresses, to the file `CONFIGURATION` of a new directory.
    fn configure(text: &str, backends: &[(&str, SocketAddr)]) -> (Self, PathBuf) {
        let is_name = |name: &str| name.chars().all(|char| char.is_ascii_lowercase() || char == '_');
        let mut configuration = text.to_owned();
        for (name, address) in backends {
            configuration = configuration.replace(&format!("{{{name}}}"), &address.to_string());
        }
        let mut ports = Vec::new();
        for (name, _) in text.split('{').filter_map(|rest| rest.split_once('}')) {
            let placeholder = format!("{{{name}}}");
            if is_name(name) && configuration.contains(&placeholder) {
                let port = Reserved::new();
                configuration = configuration.replace(&placeholder, &port.address.to_string());
                ports.push((name.to_owned(), port));
            }
        }
        let directory = process::directory("proxies");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(CONFIGURATION), configuration).unwrap();
        (Self(ports), directory)
    }

    fn at(&self, name: &str) -> SocketAddr {
        self.0.iter().find(|(other, _)| *other == name).unwrap().1.address
    }

    fn url(&self, name: &str) -> String {
        format!("http://{}", self.at(name))
    }
}

/// The counts after sending three records to `url`.
fn send(url: String, protocol: Protocol) -> PipelineStats {
    send_with(url, protocol, "three", |builder| builder)
}

fn send_with(
    url: String,
    protocol: Protocol,
    text: &str,
    settings: impl FnOnce(spanlog::otlp::PipelineBuilder) -> spanlog::otlp::PipelineBuilder,
) -> PipelineStats {
    let builder = Pipeline::builder()
        .with_endpoint(url)
        .with_protocol(protocol)
        .with_timeout(Duration::from_secs(5))
        .with_retries(Duration::from_secs(5));
    let pipeline = settings(builder).build().unwrap();
    tracing::dispatcher::with_default(&kinds::dispatch(&pipeline), || {
        (0..3).for_each(|number| tracing::info!(number, "{text}"));
    });
    let _ = pipeline.flush(LONG);
    let report = pipeline.shutdown(LONG);
    assert!(report.is_complete, "{report}");
    assert_eq!((report.stats.emitted, report.stats.pending), (3, 0));
    report.stats
}

#[track_caller]
fn assert_delivered(stats: &PipelineStats, retries: u64) {
    assert_eq!((stats.delivered, stats.retries), (3, retries), "{stats:?}");
}

#[track_caller]
fn assert_refused(stats: &PipelineStats) {
    assert_eq!((stats.dropped_refused, stats.retries), (3, 0), "{stats:?}");
}

#[track_caller]
fn assert_given_up(stats: &PipelineStats) {
    assert_eq!(stats.dropped_gave_up, 3, "{stats:?}");
    assert!(stats.retries > 0, "{stats:?}");
}

const HAPROXY: &str = "
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout tarpit 1s
backend receiver
  server one {receiver}
backend grpc_receiver
  server one {grpc_receiver} proto h2
backend counts
  stick-table type string len 32 size 1k expire 10m store gpc0
frontend busy
  bind {busy}
  http-request track-sc0 str(a) table counts
  http-request sc-inc-gpc0(0)
  http-request return status 503 content-type text/plain string \"busy\" hdr Retry-After 1 if { sc0_get_gpc0 le 2 }
  default_backend receiver
frontend throttle
  bind {throttle}
  http-request return status 429 hdr Retry-After 7
frontend closing
  bind {closing}
  mode tcp
  tcp-request inspect-delay 5s
  tcp-request content reject if { req.len gt 0 }
  default_backend closed
backend closed
  mode tcp
  server one {receiver}
frontend late_error
  bind {late_error}
  http-request tarpit deny_status 500
frontend nobody
  bind {nobody}
  default_backend down
backend down
  server none 127.0.0.1:1
frontend permanent
  bind {permanent}
  http-request return status 401 if { hdr(x-case) 401 }
  http-request return status 413 if { hdr(x-case) 413 }
  http-request return status 400
frontend grpc_busy
  bind {grpc_busy} proto h2
  http-request track-sc0 str(g) table counts
  http-request sc-inc-gpc0(0)
  http-request return status 503 hdr Retry-After 1 if { sc0_get_gpc0 le 2 }
  default_backend grpc_receiver
frontend grpc_status
  bind {grpc_status} proto h2
  http-request return status 200 content-type application/grpc hdr grpc-status 14 hdr grpc-message overloaded
";

/// Guarantees: haproxy's answers are handled as the table of answers says.
#[test]
fn haproxy_fails_in_its_ways() {
    let Some(path) = program::find("haproxy") else { return };
    let (receiver, grpc) = (Receiver::start(), grpc::Receiver::start());
    let backends = [("receiver", receiver.address), ("grpc_receiver", grpc.address)];
    let (ports, directory) = Ports::configure(HAPROXY, &backends);
    let mut command = Command::new(path);
    command.args(["-db", "-f", CONFIGURATION]);
    let _running = Running::start(&mut command, directory, &[ports.at("grpc_status")]);

    let http = Protocol::HttpProtobuf;
    let begun = Instant::now();
    assert_delivered(&send(ports.url("busy"), http), 2);
    assert!(begun.elapsed() >= Duration::from_secs(2), "haproxy asks for a delay of a second, twice");
    assert_eq!(receiver.records().len(), 3);
    // The requested delay is longer than the time left for retries: there is one more attempt.
    let throttled = send(ports.url("throttle"), http);
    assert_eq!((throttled.dropped_gave_up, throttled.retries), (3, 1), "{throttled:?}");
    assert_given_up(&send(ports.url("closing"), http));
    assert_refused(&send(ports.url("late_error"), http));
    assert_given_up(&send(ports.url("nobody"), http));
    for case in ["400", "401", "413"] {
        let stats =
            send_with(ports.url("permanent"), http, case, |builder| builder.with_header("x-case", case));
        assert_refused(&stats);
    }
    assert_eq!(receiver.records().len(), 3);
    #[cfg(feature = "grpc")]
    {
        assert_delivered(&send(ports.url("grpc_busy"), Protocol::Grpc), 2);
        assert_eq!(grpc.records().len(), 3);
        assert_given_up(&send(ports.url("grpc_status"), Protocol::Grpc));
        assert_given_up(&send(ports.url("nobody"), Protocol::Grpc));
    }
}

const NGINX: &str = "
daemon off; master_process off; pid nginx.pid; error_log stderr;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path body; proxy_temp_path body; fastcgi_temp_path body;
  uwsgi_temp_path body; scgi_temp_path body; reset_timedout_connection on; client_body_buffer_size 4m;
  server { listen {reset}; location / { return 444; } }
  server { listen {busy}; location / { add_header Retry-After 1 always; return 503; } }
  server { listen {small}; location / { proxy_pass http://{receiver}; client_max_body_size 1m; } }
  server { listen {grpc} http2; location / { grpc_pass grpc://{grpc_receiver}; client_max_body_size 1m; } }
  server { listen {moved}; location / { return 302 http://{receiver}$request_uri; } }
}
";

/// Guarantees: nginx's answers are handled as the table of answers says.
#[test]
fn nginx_fails_in_its_ways() {
    let Some(path) = program::find("nginx") else { return };
    let (receiver, grpc) = (Receiver::start(), grpc::Receiver::start());
    let backends = [("receiver", receiver.address), ("grpc_receiver", grpc.address)];
    let (ports, directory) = Ports::configure(NGINX, &backends);
    let mut command = Command::new(path);
    command.arg("-p").arg(&directory).args(["-c", CONFIGURATION]);
    let _running = Running::start(&mut command, directory, &[ports.at("moved")]);

    let http = Protocol::HttpProtobuf;
    let large = "x".repeat(600_000);
    assert_given_up(&send(ports.url("reset"), http));
    assert_given_up(&send(ports.url("busy"), http));
    assert_refused(&send(ports.url("moved"), http));
    assert_delivered(&send(ports.url("small"), http), 0);
    assert_eq!(receiver.records().len(), 3);
    // 1.8 MB, where nginx accepts 1 MiB: the request is sent in parts.
    let parts = send_with(ports.url("small"), http, &large, |builder| builder);
    assert_delivered(&parts, 0);
    // The same records in smaller requests.
    let split = send_with(ports.url("small"), http, &large, |builder| builder.with_request_limit(1_000_000));
    assert_delivered(&split, 0);
    assert_eq!((parts.batches, split.batches, receiver.records().len()), (3, 3, 9));
    let too_large = "x".repeat(1_200_000);
    assert_refused(&send_with(ports.url("small"), http, &too_large, |builder| builder));
    #[cfg(feature = "grpc")]
    {
        assert_delivered(&send(ports.url("grpc"), Protocol::Grpc), 0);
        assert_eq!(grpc.records().len(), 3);
        assert_delivered(&send_with(ports.url("grpc"), Protocol::Grpc, &large, |builder| builder), 0);
    }
}

const COLLECTOR: &str = "
receivers:
  otlp/overloaded:
    protocols: {http: {endpoint: '{overloaded}'}, grpc: {endpoint: '{overloaded_grpc}'}}
  otlp/dead:
    protocols: {http: {endpoint: '{dead}'}, grpc: {endpoint: '{dead_grpc}'}}
  otlp/small:
    protocols:
      http: {endpoint: '{small}', max_request_body_size: 200000}
      grpc: {endpoint: '{small_grpc}', max_recv_msg_size_mib: 1}
processors:
  memory_limiter: {check_interval: 100ms, limit_mib: 1, spike_limit_mib: 0}
exporters:
  nop:
  otlphttp: {endpoint: 'http://127.0.0.1:1', sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs/overloaded: {receivers: [otlp/overloaded], processors: [memory_limiter], exporters: [nop]}
    logs/dead: {receivers: [otlp/dead], exporters: [otlphttp]}
    logs/small: {receivers: [otlp/small], exporters: [nop]}
";

/// Guarantees: the answers of a Collector that is out of memory, has no working exporter or rejects
/// large requests are handled as the table of answers says.
#[test]
fn the_collector_fails_in_its_ways() {
    let Some(path) = program::collector() else { return };
    let (ports, directory) = Ports::configure(COLLECTOR, &[]);
    let mut command = Command::new(path);
    command.args(["--config", CONFIGURATION]);
    let _running = Running::start(&mut command, directory, &[ports.at("small_grpc")]);
    // The limiter checks the memory every 100 ms.
    std::thread::sleep(Duration::from_millis(500));

    let (small, large) = ("x".repeat(90_000), "x".repeat(600_000));
    let mut ways = vec![(Protocol::HttpProtobuf, ""), (Protocol::HttpJson, "")];
    if cfg!(feature = "grpc") {
        ways.push((Protocol::Grpc, "_grpc"));
    }
    for (protocol, suffix) in ways {
        let url = |name: &str| ports.url(&format!("{name}{suffix}"));
        assert_given_up(&send(url("overloaded"), protocol));
        assert_given_up(&send(url("dead"), protocol));
        assert_delivered(&send(url("small"), protocol), 0);
        // Three of these are too large for it, and one is not.
        let (fits, too_large) = match protocol {
            Protocol::Grpc => (&large, "x".repeat(1_200_000)),
            _ => (&small, large.clone()),
        };
        assert_delivered(&send_with(url("small"), protocol, fits, |builder| builder), 0);
        assert_refused(&send_with(url("small"), protocol, &too_large, |builder| builder));
    }
}
