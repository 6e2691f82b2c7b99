//! Whether what was sent has arrived, and what to do if it has not.

use std::thread;
use std::time::{Duration, Instant};

use crate::doctor::checkup::Checkup;
use crate::doctor::finding::{Finding, Problem, SILENT};
use crate::otlp::counters::PipelineStats;
use crate::otlp::deliver::reporter::{Effect, Reporter, Trouble};
use crate::otlp::lane::Lane;
use crate::otlp::pipeline::Pipeline;
use crate::otlp::transport::Fault;

/// How long a receiver may fail until the check-up stops waiting for it.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(10);

/// How many seconds two clocks may differ. A `Date` has whole seconds, and the answer takes its time.
const MAX_SKEW: u64 = 5;

/// Pipelines, and what they had counted before anything was sent.
pub(crate) struct Watch {
    begun: Instant,
    pipelines: Vec<(Pipeline, [PipelineStats; 2])>,
}

/// One signal of a pipeline, whose delivery is waited for.
struct Waiting<'a> {
    lane: &'a Lane,
    before: PipelineStats,
    flush: Option<u64>,
    /// How long it took until all had an outcome.
    took: Option<Duration>,
    /// The check-up no longer waits for it.
    is_left: bool,
}

impl Watch {
    pub(crate) fn begin(pipelines: Vec<Pipeline>) -> Self {
        let with_stats = |pipeline: Pipeline| {
            let stats = [pipeline.stats(), pipeline.span_stats()];
            (pipeline, stats)
        };
        Self { begun: Instant::now(), pipelines: pipelines.into_iter().map(with_stats).collect() }
    }

    /// Waits until `until` for what was sent since the beginning, and adds its outcome. Returns
    /// which signals, of [logs, spans], went through a pipeline.
    pub(crate) fn finish(self, until: Instant, checkup: &mut Checkup) -> [bool; 2] {
        let lanes = self.pipelines.iter().flat_map(|(pipeline, before)| {
            pipeline.lanes().map(|lane| (lane, before[lane.queue().signal() as usize]))
        });
        let mut waiting: Vec<_> = lanes
            .filter(|(lane, before)| lane.queue().counters.snapshot().emitted > before.emitted)
            .map(|(lane, before)| Waiting {
                lane,
                before,
                flush: lane.begin_flush(),
                took: None,
                is_left: false,
            })
            .collect();
        let begun = Instant::now();
        loop {
            waiting.iter_mut().filter(|one| !one.is_left).for_each(|one| one.poll(begun, until));
            if waiting.iter().all(|one| one.is_left) {
                break;
            }
            thread::sleep(PAUSE);
        }
        let mut used = [false; 2];
        let mut troubles = Vec::new();
        for one in &waiting {
            used[one.lane.queue().signal() as usize] = true;
            one.judge(self.begun, checkup, &mut troubles);
        }
        add_troubles(troubles, checkup);
        used
    }
}

impl<'a> Waiting<'a> {
    fn poll(&mut self, begun: Instant, until: Instant) {
        let (queue, now) = (self.lane.queue(), Instant::now());
        if self.flush.is_some_and(|flush| queue.control.wait_for_flush(flush, now)) {
            self.took = Some(begun.elapsed());
        }
        let is_failing = || {
            let trouble = self.lane.reporter().and_then(Reporter::trouble);
            trouble.is_some_and(|trouble| trouble.effect == Effect::Delayed)
        };
        self.is_left = self.took.is_some()
            || self.flush.is_none()
            || now >= until
            || (begun.elapsed() >= GRACE && is_failing());
    }

    fn judge(&self, begun: Instant, checkup: &mut Checkup, troubles: &mut Vec<Told<'a>>) {
        let queue = self.lane.queue();
        let items = queue.signal().items();
        let Some(reporter) = self.lane.reporter().filter(|_| self.flush.is_some() && !queue.is_closed())
        else {
            if self.lane.is_forked() {
                checkup.add(Finding::forked());
            } else {
                checkup.add(Finding::shut_down());
            }
            return;
        };
        let (receiver, now) = (reporter.receiver(), queue.counters.snapshot());
        // One that is older, and did not delay anything, is about other requests.
        let trouble = reporter.trouble().filter(|told| told.effect == Effect::Delayed || told.at >= begun);
        let is_lost = now.lost() > self.before.lost();
        let is_silent = trouble.as_ref().is_none_or(|trouble| trouble.effect == Effect::Accepted);
        match self.took {
            Some(took) if is_silent && !is_lost && now.delivered > self.before.delivered => {
                checkup.fact(format!(
                    "{items} arrived at {receiver} after {} ms ({})",
                    took.as_millis(),
                    self.lane.exporter
                ));
            }
            Some(_) if is_silent && is_lost => checkup.add(Finding::lost(items, receiver)),
            None if is_silent => troubles.push(Told { items, receiver, trouble: no_answer() }),
            _ => {}
        }
        troubles.extend(trouble.map(|trouble| Told { items, receiver, trouble }));
        let skew = reporter.clock().filter(|ahead| self.took.is_some() && ahead.unsigned_abs() > MAX_SKEW);
        if let Some(ahead) = skew.filter(|_| !checkup.has(Problem::ClockSkew)) {
            checkup.add(Finding::clock_skew(receiver, ahead));
        }
    }
}

/// What there is to say where there has been no answer at all.
pub(crate) fn no_answer() -> Trouble {
    Trouble::new("there has been no answer", Effect::Delayed, Fault::Silent)
}

/// Trouble of one signal with its receiver.
pub(crate) struct Told<'a> {
    pub(crate) items: &'static str,
    pub(crate) receiver: &'a str,
    pub(crate) trouble: Trouble,
}

/// Adds a finding for each trouble, and one for those that are alike: the signals usually have one receiver.
pub(crate) fn add_troubles(mut troubles: Vec<Told<'_>>, checkup: &mut Checkup) {
    while !troubles.is_empty() {
        let first = troubles.remove(0);
        let is_alike = |other: &Told<'_>| {
            let key = |told: &Told<'_>| {
                (told.trouble.why.clone(), told.trouble.effect, host(told.receiver).to_owned())
            };
            key(other) == key(&first)
        };
        match troubles.iter().position(is_alike) {
            Some(index) => {
                let other = troubles.remove(index);
                let items = format!("{} and {}", first.items, other.items);
                let both = format!("{} and {}", first.receiver, other.receiver);
                // Where the path is wrong, it is shown.
                let is_about_path = first.trouble.fault == Fault::WrongPath;
                let receiver = if is_about_path { &both } else { host(first.receiver) };
                checkup.add(finding(&items, receiver, &first.trouble));
            }
            None => checkup.add(finding(first.items, first.receiver, &first.trouble)),
        }
    }
}

/// A URL without its path; any other text as it is.
fn host(receiver: &str) -> &str {
    let scheme = receiver.find("://").map_or(0, |at| at + 3);
    match receiver[scheme..].find('/') {
        Some(path) if scheme > 0 => &receiver[..scheme + path],
        _ => receiver,
    }
}

fn finding(items: &str, receiver: &str, trouble: &Trouble) -> Finding {
    let why = &trouble.why;
    let text = match trouble.effect {
        Effect::Delayed => format!("{items} do not arrive at {receiver}: {why}"),
        Effect::Lost => format!("{items} are refused by {receiver}: {why}"),
        Effect::Accepted => format!("{receiver} takes {items}, with a message: {why}"),
    };
    let (problem, advice) = match (trouble.fault, trouble.effect) {
        (Fault::Unreachable, _) => (Problem::Unreachable, UNREACHABLE),
        (Fault::Silent, _) => (Problem::Unreachable, SILENT),
        (Fault::Tls, _) => (Problem::Tls, TLS),
        (Fault::WrongServer, _) => (Problem::WrongServer, WRONG_SERVER),
        (Fault::WrongPath, _) => (Problem::WrongPath, WRONG_PATH),
        (Fault::Redirect, _) => (Problem::WrongPath, "use the URL that it names: redirects are not followed"),
        (Fault::Unauthorized, _) => (Problem::Unauthorized, UNAUTHORIZED),
        (Fault::Proxy, _) => (
            Problem::Proxy,
            "look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, and at the proxy's log",
        ),
        (Fault::Other, Effect::Accepted) => {
            (Problem::ReceiverWarning, "the receiver's documentation says what it means")
        }
        (Fault::Other, Effect::Lost) => (Problem::Refused, "the receiver's log may say more"),
        (Fault::Other, Effect::Delayed) => (Problem::NotDelivered, "the receiver's log may say more"),
    };
    Finding::new(problem, text, advice)
}

const UNREACHABLE: &str =
    "is a receiver running there, and are host and port right? OTLP over HTTP usually has port \
                           4318, gRPC 4317. In a container, localhost is the container itself";

const TLS: &str = "look at the scheme (http:// or https://) and at the certificates: `with_ca_certificate`, \
                   OTEL_EXPORTER_OTLP_CERTIFICATE, and those of clients";

const WRONG_SERVER: &str = "look at the port, the protocol and the scheme: OTLP over HTTP usually has port 4318, gRPC \
                            (feature `grpc`, `with_protocol(Protocol::Grpc)`, OTEL_EXPORTER_OTLP_PROTOCOL=grpc) 4317";

const WRONG_PATH: &str = "`with_endpoint` and OTEL_EXPORTER_OTLP_ENDPOINT take a base URL, to which /v1/logs and \
                          /v1/traces are added; `with_logs_url`, `with_traces_url` and the variables of one signal \
                          take a whole one. Or it takes only one of the signals";

const UNAUTHORIZED: &str =
    "look at the token: `with_header`, or OTEL_EXPORTER_OTLP_HEADERS, in which a space is \
                            written %20 (`Authorization=Bearer%20…`)";
