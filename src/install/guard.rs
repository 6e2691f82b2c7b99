//! [`Guard`]: flush and shutdown that keep the caller's deadline, and the report of what became of everything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{mpsc, Arc};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::install::metered::Meter;
use crate::install::output::Output;
use crate::otlp::pipeline::Pipeline;
use crate::stats::{Counters, Stats};

/// How long a dropped guard waits for delivery.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before a flush that was turned away is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Keeps what was installed alive. Dropping it delivers what is pending, for at most 5 seconds.
///
/// Keep it in `main` until the end. All of it works within a tokio runtime of either kind, and
/// without one: the exporters have threads of their own, and nothing here needs the caller's.
#[must_use = "dropping the guard shuts telemetry down"]
#[derive(Debug)]
pub struct Guard {
    pub(crate) logs: Option<SdkLoggerProvider>,
    pub(crate) direct: Vec<Direct>,
    pub(crate) spans: Option<SdkTracerProvider>,
    pub(crate) counters: Counters,
    pub(crate) meters: Vec<Arc<Meter>>,
    pub(crate) is_down: AtomicBool,
}

/// Records on the direct road, and where it leads.
#[derive(Debug)]
pub(crate) struct Direct {
    pub(crate) exporter: &'static str,
    pub(crate) pipeline: Pipeline,
}

impl Direct {
    fn read(&self) -> Output {
        let stats = self.pipeline.stats();
        let failed = stats.rejected + stats.dropped();
        let (taken, exported) = (stats.emitted, stats.delivered);
        Output { signal: "logs", exporter: self.exporter, taken, exported, failed }
    }
}

impl Guard {
    /// Delivers what was logged and what ended up to now, or as much as can be within `deadline`.
    ///
    /// # Errors
    ///
    /// If something could not be delivered, if the deadline passed, or after [`shutdown`](Self::shutdown).
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        if self.is_down.load(Ordering::Acquire) {
            return Err(Error::delivery("telemetry was shut down already".into()));
        }
        let before = self.failed();
        let until = after(deadline);
        let logs = self
            .logs
            .clone()
            .map(|logs| within(until, "logs", move || patiently(until, || logs.force_flush())));
        let spans = self
            .spans
            .clone()
            .map(|spans| within(until, "traces", move || patiently(until, || spans.force_flush())));
        let direct = self.each_direct(|pipeline| pipeline.flush(left(until)));
        direct.and(wait(logs, until)).and(wait(spans, until))?;
        match self.failed().saturating_sub(before) {
            0 => Ok(()),
            lost => Err(Error::delivery(format!("{lost} records or spans were lost while flushing"))),
        }
    }

    /// Delivers what is pending, stops everything that was installed, and says what became of it all.
    ///
    /// It returns by the deadline, whatever the exporters do meanwhile. What is logged afterwards
    /// reaches the console only. A second call does nothing but report.
    pub fn shutdown(&self, deadline: Duration) -> Report {
        let is_first = !self.is_down.swap(true, Ordering::AcqRel);
        let until = after(deadline);
        let logs = self
            .logs
            .clone()
            .filter(|_| is_first)
            .map(|logs| within(until, "logs", move || logs.shutdown_with_timeout(left(until))));
        let spans = self
            .spans
            .clone()
            .filter(|_| is_first)
            .map(|spans| within(until, "traces", move || spans.shutdown_with_timeout(left(until))));
        let direct = self.each_direct(|pipeline| stop(pipeline, left(until)));
        let (logs, spans) = (direct.and(wait(logs, until)), wait(spans, until));
        Report { logs, spans, outputs: self.outputs(), stats: self.stats() }
    }

    /// The counters of the log layer; of the one whose records go to OTLP, where others go to a file.
    pub fn stats(&self) -> Stats {
        self.counters.snapshot()
    }

    /// What became of records and spans beyond the layers, for each exporter.
    pub fn outputs(&self) -> Vec<Output> {
        let direct = self.direct.iter().map(Direct::read);
        direct.chain(self.meters.iter().map(|meter| meter.read())).collect()
    }

    /// Each gets its turn, whatever became of those before; the first error is told.
    fn each_direct(&self, work: impl Fn(&Pipeline) -> Result<(), Error>) -> Result<(), Error> {
        self.direct.iter().map(|direct| work(&direct.pipeline)).fold(Ok(()), Result::and)
    }

    fn failed(&self) -> u64 {
        self.meters.iter().map(|meter| meter.read().failed).sum()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.is_down.load(Ordering::Acquire) {
            return;
        }
        let report = self.shutdown(DROP_PATIENCE);
        if !report.is_complete() {
            report_once(format_args!("not all telemetry was delivered: {report}"));
        }
    }
}

/// What [`Guard::shutdown`] could do.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// Whether the pipeline, or the logger provider with all its processors, stopped in time.
    pub logs: Result<(), Error>,
    /// Whether the tracer provider stopped in time, all its processors included.
    pub spans: Result<(), Error>,
    /// What became of records and spans, for each exporter.
    pub outputs: Vec<Output>,
    /// The counters of the log layer.
    pub stats: Stats,
}

impl Report {
    /// Everything stopped in time, and every record and span that an exporter was given has arrived.
    pub fn is_complete(&self) -> bool {
        self.logs.is_ok()
            && self.spans.is_ok()
            && self.outputs.iter().all(|output| output.exported == output.taken)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for output in &self.outputs {
            write!(f, "{separator}{output}")?;
            separator = "; ";
        }
        for error in [&self.logs, &self.spans].into_iter().filter_map(|result| result.as_ref().err()) {
            write!(f, "{separator}{error}")?;
            separator = "; ";
        }
        Ok(())
    }
}

/// Work on a thread of its own, which the caller need not outwait: a call into the SDK can take
/// longer than it was told, and on a current-thread runtime nobody else could come to help.
fn within(
    until: Instant,
    signal: &'static str,
    work: impl FnOnce() -> OTelSdkResult + Send + 'static,
) -> Receiver<Result<(), Error>> {
    let (sender, receiver) = mpsc::channel();
    let result = sender.clone();
    let spawned = thread::Builder::new().name(format!("spanlog {signal}")).spawn(move || {
        let done = work()
            .map_err(|error| Error::delivery(format!("{signal} could not be delivered")).with_source(error));
        // The caller has stopped waiting, if it does not arrive.
        let _ = result.send(done);
    });
    if let Err(error) = spawned {
        let failed = Error::delivery(format!("{signal} could not be delivered in {:?}", left(until)));
        let _ = sender.send(Err(failed.with_source(error)));
    }
    receiver
}

fn wait(work: Option<Receiver<Result<(), Error>>>, until: Instant) -> Result<(), Error> {
    match work.map(|work| work.recv_timeout(left(until))) {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(_)) => Err(Error::delivery("the deadline passed before all was delivered".into())),
    }
}

/// The SDK's batch processors wait five seconds for a flush, and no longer, whatever was asked for.
fn patiently(until: Instant, flush: impl Fn() -> OTelSdkResult) -> OTelSdkResult {
    loop {
        match flush() {
            Err(error) if is_timeout(&error) && left(until) > PAUSE => thread::sleep(PAUSE),
            result => return result,
        }
    }
}

/// A provider has only the text of what its processors said.
fn is_timeout(error: &OTelSdkError) -> bool {
    match error {
        OTelSdkError::Timeout(_) => true,
        OTelSdkError::InternalFailure(text) => text.contains("Timeout("),
        OTelSdkError::AlreadyShutdown => false,
    }
}

fn stop(pipeline: &Pipeline, deadline: Duration) -> Result<(), Error> {
    let report = pipeline.shutdown(deadline);
    match report.is_complete {
        true => Ok(()),
        false => Err(Error::delivery(format!("logs could not be delivered: {report}"))),
    }
}

/// Whoever waits `Duration::MAX` waits a year: an `Instant` cannot be that far away.
fn after(deadline: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + deadline.min(YEAR)
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
