//! Whether what was sent through a pipeline has arrived, and if not, why.

use std::thread;
use std::time::{Duration, Instant};

use crate::doctor::checkup::Checkup;
use crate::doctor::finding::{Finding, Problem};
use crate::otlp::deliver::reporter::{Effect, Reporter, Trouble};
use crate::otlp::lane::Lane;
use crate::otlp::pipeline::Pipeline;

/// How long trouble must last until nobody waits for it to pass.
const GRACE: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(10);

/// How many seconds two clocks may differ. A `Date` has whole seconds, and the answer takes its time.
const MAX_SKEW: u64 = 5;

/// Waits until `until` for all that was sent through the pipelines so far, and adds what became of it. Nobody
/// waits for a receiver in lasting trouble.
pub(crate) fn wait(pipelines: &[Pipeline], until: Instant, checkup: &mut Checkup) {
    let begun = Instant::now();
    let lanes = pipelines.iter().flat_map(Pipeline::lanes);
    let used = lanes.filter(|lane| lane.queue().counters.snapshot().emitted > 0);
    let flushes: Vec<_> = used.map(|lane| (lane, lane.begin_flush())).collect();
    for (lane, flush) in flushes {
        let reporter = lane.reporter().filter(|_| !lane.queue().is_closed());
        let (Some(reporter), Some(flush)) = (reporter, flush) else {
            checkup.add(Finding::shut_down());
            continue;
        };
        let took = loop {
            let now = Instant::now();
            if lane.queue().control.wait_for_flush(flush, now) {
                break Some(begun.elapsed());
            }
            if now >= until || (reporter.trouble().is_some() && begun.elapsed() >= GRACE) {
                break None;
            }
            thread::sleep(PAUSE);
        };
        add_outcome(lane, reporter, took, checkup);
    }
}

/// `took`: how long it took until all had an outcome. `None`: some has none yet.
fn add_outcome(lane: &Lane, reporter: &Reporter, took: Option<Duration>, checkup: &mut Checkup) {
    let (items, receiver, exporter) = (lane.queue().signal().items(), reporter.receiver(), lane.exporter);
    let trouble = reporter.trouble();
    if let (Some(took), None | Some(Effect::Accepted)) =
        (took, trouble.as_ref().map(|trouble| trouble.effect))
    {
        checkup.fact(format!("{items} arrived at {receiver} after {} ms ({exporter})", took.as_millis()));
    }
    match trouble {
        Some(trouble) => checkup.add(finding(items, receiver, &trouble)),
        None if took.is_none() => checkup.add(Finding::new(
            Problem::NotDelivered,
            format!("{items} did not arrive at {receiver} in time, and no answer came yet"),
            SILENT,
        )),
        None => {}
    }
    let skew = reporter.clock().filter(|ahead| ahead.unsigned_abs() > MAX_SKEW);
    if let Some(ahead) = skew.filter(|_| !checkup.has(Problem::ClockSkew)) {
        checkup.add(Finding::clock_skew(receiver, ahead));
    }
}

/// What trouble is about, by the text of the receiver, or of the library that talks to it.
fn finding(items: &str, receiver: &str, trouble: &Trouble) -> Finding {
    let why = &trouble.why;
    let text = match trouble.effect {
        Effect::Delayed => format!("{items} do not arrive at {receiver}: {why}"),
        Effect::Lost => format!("{items} are refused by {receiver}: {why}"),
        Effect::Accepted => format!("{receiver} takes {items}, with a warning: {why}"),
    };
    let says = |parts: &[&str]| parts.iter().any(|part| why.contains(part));
    let (problem, advice) =
        match trouble.effect {
            Effect::Accepted if says(&["web page"]) => (Problem::WrongServer, WRONG_SERVER),
            Effect::Accepted => {
                (Problem::ReceiverWarning, "the receiver's documentation and its log say what it means")
            }
            _ => KINDS.iter().find(|(parts, ..)| says(parts)).map_or(
                (Problem::NotDelivered, "the receiver's log may say more"),
                |(_, problem, advice)| (*problem, *advice),
            ),
        };
    let problem = match (problem, trouble.effect) {
        (Problem::NotDelivered, Effect::Lost) => Problem::Refused,
        (problem, _) => problem,
    };
    Finding::new(problem, text, advice)
}

const WRONG_SERVER: &str =
    "look at the port, the protocol and the scheme: OTLP over HTTP usually has port 4318, gRPC \
                            (`with_protocol(Protocol::Grpc)`, OTEL_EXPORTER_OTLP_PROTOCOL=grpc) 4317";

const SILENT: &str = "something may drop packets on the way (a firewall, a proxy), or the receiver hangs";

/// Parts of texts, what they mean, and what to do.
const KINDS: [(&[&str], Problem, &str); 6] = [
    (
        &["web page", "does not speak gRPC", "does not speak HTTP", "HTTP version", "wants TLS or gRPC", "http parse fail"],
        Problem::WrongServer,
        WRONG_SERVER,
    ),
    (
        &["401 ", "403 ", "407 ", "Unauthenticated", "PermissionDenied"],
        Problem::Unauthorized,
        "look at the token: `with_header`, or OTEL_EXPORTER_OTLP_HEADERS, in which a space is written %20 \
         (`Authorization=Bearer%20…`)",
    ),
    (
        &["certificate", "does not speak TLS", "wants TLS", "tls", "TLS alert", "rustls"],
        Problem::Tls,
        "look at the scheme (http:// or https://) and at the certificates: `with_ca_certificate`, \
         OTEL_EXPORTER_OTLP_CERTIFICATE",
    ),
    (
        &["404 ", "405 ", "Unimplemented"],
        Problem::WrongPath,
        "`with_endpoint` and OTEL_EXPORTER_OTLP_ENDPOINT take a base URL, to which /v1/logs and /v1/traces are \
         added; `with_logs_url`, `with_traces_url` and the variables of one signal take a whole one",
    ),
    (
        &["refused", "No route", "unreachable", "failed to lookup", "dns", "resolve", "Name or service"],
        Problem::Unreachable,
        "is a receiver running there, and is host and port right? OTLP over HTTP usually has port 4318, gRPC 4317. \
         In a container, localhost is the container itself",
    ),
    (
        &["imeout", "timed out", "no answer in time"],
        Problem::Unreachable,
        SILENT,
    ),
];
