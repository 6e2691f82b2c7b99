//! [`Guard`]: flush and shutdown within the caller's deadline, and the report of their outcome.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{mpsc, Arc};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_core::dispatcher::WeakDispatch;

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::forked::ForkedMutex;
use crate::install::metered::{Meter, Output};
use crate::otlp::pipeline::Pipeline;
use crate::otlp::signal::Signal;
use crate::panics::PanicHook;
use crate::stats::{Counters, Stats};

/// How long a dropped guard waits for delivery.
pub(crate) const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before a flush that timed out is retried.
const PAUSE: Duration = Duration::from_millis(20);

/// Keeps what was installed alive. Dropping it delivers what is pending, for at most 5 seconds.
///
/// Keep it in `main` until the end. It works without a tokio runtime, and within one of either
/// kind: the exporters have threads of their own.
#[must_use = "dropping the guard shuts telemetry down"]
#[derive(Debug)]
pub struct Guard(pub(crate) Arc<Telemetry>);

/// What was installed.
#[derive(Debug)]
pub(crate) struct Telemetry {
    /// On the SDK path only.
    pub(crate) logs: Option<SdkLoggerProvider>,
    /// On the direct path, one for each destination.
    pub(crate) direct: Vec<Direct>,
    pub(crate) spans: Option<SdkTracerProvider>,
    /// What the layers are in.
    pub(crate) subscriber: WeakDispatch,
    /// The resource has a `service.name` that somebody set.
    pub(crate) has_service_name: bool,
    /// The program added processors, which may export.
    pub(crate) has_own_logs: bool,
    pub(crate) has_own_spans: bool,
    pub(crate) counters: Counters,
    /// One for each SDK exporter.
    pub(crate) meters: Vec<Arc<Meter>>,
    /// What the SDK's exporters had lost when a flush last reported it.
    pub(crate) reported: AtomicU64,
    /// A flush of the SDK's log processors is under way.
    pub(crate) flushing_logs: Arc<AtomicBool>,
    /// A flush of the span processors is under way.
    pub(crate) flushing_spans: Arc<AtomicBool>,
    pub(crate) is_down: AtomicBool,
    /// Held by the first shutdown while it waits.
    pub(crate) stopping: ForkedMutex<()>,
}

/// A flush of the SDK's providers that is under way.
pub(crate) struct SdkFlush {
    /// What each exporter had received before.
    taken: Vec<u64>,
    signals: [Option<Receiver<Result<(), Error>>>; 2],
    /// Another flush has not ended in time.
    is_busy: bool,
}

/// A pipeline, and the name of its destination.
#[derive(Debug)]
pub(crate) struct Direct {
    pub(crate) exporter: &'static str,
    pub(crate) pipeline: Pipeline,
    pub(crate) has_logs: bool,
    pub(crate) has_spans: bool,
}

impl Direct {
    fn read(&self) -> impl Iterator<Item = Output> {
        let exporter = self.exporter;
        let signals = [
            (Signal::Logs, self.has_logs, self.pipeline.stats()),
            (Signal::Traces, self.has_spans, self.pipeline.span_stats()),
        ];
        signals.into_iter().filter(|(_, is_used, _)| *is_used).map(move |(signal, _, stats)| Output {
            signal: signal.name(),
            exporter,
            taken: stats.emitted,
            exported: stats.delivered,
            failed: stats.lost(),
            recovered: stats.recovered,
            spooled: stats.spooled,
            pending: stats.pending,
        })
    }
}

impl Guard {
    /// Delivers all records that were logged and all spans that ended before, or as many as
    /// `deadline` allows.
    ///
    /// # Errors
    ///
    /// If the deadline passed, if anything was lost since the last flush, for whatever reason, or
    /// after [`shutdown`](Self::shutdown).
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        self.0.flush(deadline)
    }

    /// Delivers what is pending, stops everything that was installed, and reports the outcome.
    ///
    /// It returns by the deadline, whatever the exporters do. What is logged afterwards only
    /// reaches the console. A second call only reports.
    pub fn shutdown(&self, deadline: Duration) -> Report {
        self.0.shutdown(deadline)
    }

    /// The counters of the log layer. If there are layers for a receiver and for a file, those of
    /// the former.
    pub fn stats(&self) -> Stats {
        self.0.counters.snapshot()
    }

    /// The outcome of records and spans beyond the layers, for each exporter.
    pub fn outputs(&self) -> Vec<Output> {
        self.0.outputs()
    }
}

impl Telemetry {
    fn flush(&self, deadline: Duration) -> Result<(), Error> {
        if self.is_down.load(Ordering::Acquire) {
            return Err(Error::delivery("telemetry is shut down".into()));
        }
        let until = after(deadline);
        let sdk = self.start_sdk_flush(until);
        let direct = self.each_direct(|pipeline| pipeline.flush(left(until)));
        direct.and(self.finish_sdk_flush(sdk, until))?;
        let failed = self.meters.iter().map(|meter| meter.read().failed).sum();
        match failed - self.reported.swap(failed, Ordering::AcqRel).min(failed) {
            0 => Ok(()),
            lost => Err(Error::delivery(format!("{lost} records or spans were lost since the last flush"))),
        }
    }

    /// Starts a flush of the SDK's providers.
    pub(crate) fn start_sdk_flush(&self, until: Instant) -> SdkFlush {
        let taken = self.meters.iter().map(|meter| meter.read().taken).collect();
        let logs = UnderWay::with(self.logs.clone(), &self.flushing_logs, until);
        let spans = UnderWay::with(self.spans.clone(), &self.flushing_spans, until);
        let is_busy = logs.is_some() != self.logs.is_some() || spans.is_some() != self.spans.is_some();
        let logs =
            start(logs, until, "logs", move |(logs, _under_way)| flush_until(until, || logs.force_flush()));
        let spans = start(spans, until, "traces", move |(spans, _under_way)| {
            flush_until(until, || spans.force_flush())
        });
        SdkFlush { taken, signals: [logs, spans], is_busy }
    }

    /// Waits for it until `until`.
    pub(crate) fn finish_sdk_flush(&self, flush: SdkFlush, until: Instant) -> Result<(), Error> {
        let result = flush.signals.into_iter().map(|signal| wait(signal, until)).fold(Ok(()), Result::and);
        if flush.is_busy {
            return result.and(Err(deadline_passed()));
        }
        if result.is_ok() {
            // What has no outcome after that was dropped by the SDK's queue.
            self.meters.iter().zip(flush.taken).for_each(|(meter, taken)| meter.settle(taken));
        }
        result
    }

    pub(crate) fn shutdown(&self, deadline: Duration) -> Report {
        let is_first = !self.is_down.swap(true, Ordering::AcqRel);
        let _stopping = is_first.then(|| self.stopping.lock());
        let until = after(deadline);
        let logs = start(self.logs.clone().filter(|_| is_first), until, "logs", move |logs| {
            logs.shutdown_with_timeout(left(until))
        });
        let spans = start(self.spans.clone().filter(|_| is_first), until, "traces", move |spans| {
            spans.shutdown_with_timeout(left(until))
        });
        let direct = self.each_direct(|pipeline| match pipeline.shutdown(left(until)) {
            report if report.is_complete => Ok(()),
            report => Err(Error::delivery(format!("not everything could be delivered: {report}"))),
        });
        let (logs, spans) = (direct.and(wait(logs, until)), wait(spans, until));
        for meter in &self.meters {
            // Nothing delivers it any more.
            meter.settle(meter.read().taken);
        }
        let outputs = self.outputs();
        let of_receiver = outputs.iter().rev().find(|output| output.signal == Signal::Logs.name());
        let delivered = of_receiver.map_or(0, |output| output.exported);
        Report { logs, spans, outputs, stats: Stats { delivered, ..self.counters.snapshot() } }
    }

    pub(crate) fn outputs(&self) -> Vec<Output> {
        let direct = self.direct.iter().flat_map(Direct::read);
        direct.chain(self.meters.iter().map(|meter| meter.read())).collect()
    }

    /// A hook that delivers what is pending before the process aborts.
    pub(crate) fn panic_hook(self: &Arc<Self>) -> PanicHook {
        let telemetry = Arc::clone(self);
        PanicHook::new().with_flush(move |deadline| drop(telemetry.flush(deadline)))
    }

    /// Does the work for all pipelines, and returns the first error.
    fn each_direct(&self, work: impl Fn(&Pipeline) -> Result<(), Error>) -> Result<(), Error> {
        self.direct.iter().map(|direct| work(&direct.pipeline)).fold(Ok(()), Result::and)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.is_down.load(Ordering::Acquire) {
            // The thread that handles signals may be at it, and the process must not end before.
            drop(self.0.stopping.lock());
            return;
        }
        let report = self.shutdown(DROP_PATIENCE);
        if !report.is_complete() {
            report_once(format_args!("not all telemetry was delivered: {report}"));
        }
    }
}

/// The result of [`Guard::shutdown`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// Whether the pipelines, of spans, too, or the logger provider with all its processors, stopped in
    /// time.
    pub logs: Result<(), Error>,
    /// Whether the tracer provider stopped in time, all its processors included.
    pub spans: Result<(), Error>,
    /// The outcome of records and spans, for each exporter.
    pub outputs: Vec<Output>,
    /// The counters of the log layer. `delivered` is what the receiver has, or else the file.
    pub stats: Stats,
}

impl Report {
    /// Everything stopped in time, and every record and span that an exporter was given has
    /// arrived.
    pub fn is_complete(&self) -> bool {
        self.logs.is_ok()
            && self.spans.is_ok()
            && self.outputs.iter().all(|output| output.exported == output.taken)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outputs = self.outputs.iter().map(Output::to_string);
        let errors = [&self.logs, &self.spans].into_iter().filter_map(|result| result.as_ref().err());
        let all: Vec<_> = outputs.chain(errors.map(Error::to_string)).collect();
        f.write_str(&all.join("; "))
    }
}

/// Starts work on a provider, if there is one.
fn start<P: Send + 'static>(
    provider: Option<P>,
    until: Instant,
    signal: &'static str,
    work: impl FnOnce(P) -> OTelSdkResult + Send + 'static,
) -> Option<Receiver<Result<(), Error>>> {
    provider.map(|provider| start_thread(until, signal, Box::new(|| work(provider))))
}

/// Starts work on a new thread, so that the caller can stop waiting: a call into the SDK can exceed its
/// timeout, and on a current-thread runtime no other task could run meanwhile.
fn start_thread(
    until: Instant,
    signal: &'static str,
    work: Box<dyn FnOnce() -> OTelSdkResult + Send>,
) -> Receiver<Result<(), Error>> {
    let (sender, receiver) = mpsc::channel();
    let result = sender.clone();
    let spawned = thread::Builder::new().name(format!("spanlog {signal}")).spawn(move || {
        let done = work()
            .map_err(|error| Error::delivery(format!("{signal} could not be delivered")).with_source(error));
        // If this fails, the caller has stopped waiting.
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
        Some(Err(_)) => Err(deadline_passed()),
    }
}

fn deadline_passed() -> Error {
    Error::delivery("the deadline passed before all was delivered".into())
}

/// A flush of a provider, of which there is one at a time: each has a thread, and those of callers who
/// did not wait for it would pile up.
struct UnderWay(Arc<AtomicBool>);

impl UnderWay {
    /// The provider with the right to flush it. `None` without a provider, or if another flush of it
    /// is still under way at `until`.
    fn with<P>(provider: Option<P>, is_under_way: &Arc<AtomicBool>, until: Instant) -> Option<(P, Self)> {
        let provider = provider?;
        while is_under_way.swap(true, Ordering::AcqRel) {
            if left(until) <= PAUSE {
                return None;
            }
            thread::sleep(PAUSE);
        }
        Some((provider, Self(Arc::clone(is_under_way))))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Retries a flush until the deadline: the SDK's batch processors wait for one no longer than five
/// seconds.
fn flush_until(until: Instant, flush: impl Fn() -> OTelSdkResult) -> OTelSdkResult {
    loop {
        match flush() {
            Err(error) if is_timeout(&error) && left(until) > PAUSE => thread::sleep(PAUSE),
            result => return result,
        }
    }
}

/// A provider only has the text of its processors' errors.
fn is_timeout(error: &OTelSdkError) -> bool {
    match error {
        OTelSdkError::Timeout(_) => true,
        OTelSdkError::InternalFailure(text) => text.contains("Timeout("),
        OTelSdkError::AlreadyShutdown => false,
    }
}

/// `deadline` from now. `Duration::MAX`, which is too long for an `Instant`, counts as a year.
fn after(deadline: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + deadline.min(YEAR)
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
