//! [`Pipeline`]: the handle with which callers flush, shut down and read counters.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crate::diagnostics::report_once;
use crate::error::Error;
use crate::forked::ForkedMutex;
use crate::job_account::{Account, Tally};
use crate::limits::Limits;
use crate::otlp::config::Config;
use crate::otlp::counters::PipelineStats;
use crate::otlp::lane::Lane;
use crate::otlp::queue::budget::Memory;
#[cfg(feature = "metrics")]
use crate::otlp::queue::control::Exports;
use crate::otlp::queue::Queue;
#[cfg(feature = "metrics")]
use crate::otlp::signal::Signal;
use crate::otlp::span::processor::PipelineSpanProcessor;
use crate::otlp::spool::Spool;
use crate::otlp::sync::after;
use crate::otlp::transport::Transport;

/// How long the last handle waits for delivery when it is dropped.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// Delivers log records and spans to an OTLP receiver or to files. Cheap to clone; dropping the last
/// clone delivers what is pending, for at most 5 seconds.
///
/// Each signal is delivered on a thread of its own. It works with and without an async runtime.
#[derive(Clone)]
pub struct Pipeline(Arc<Handle>);

struct Handle {
    logs: Lane,
    /// Started by the first [`Pipeline::span_processor`].
    traces: OnceLock<Lane>,
    /// Connects the spans. `None` once that was tried.
    connect: Mutex<Option<Connect>>,
    memory: Arc<Memory>,
    limits: Limits,
    spool: Option<Arc<Spool>>,
    has_service_name: bool,
    /// The losses of both signals that a flush has reported.
    reported: Mutex<Losses>,
}

/// Makes the transports of the spans, with their settings.
pub(crate) type Connect = Box<dyn FnOnce() -> Result<(Config, Vec<Box<dyn Transport>>), Error> + Send>;

/// The pipelines of this process.
fn all() -> &'static ForkedMutex<Vec<Weak<Handle>>> {
    static ALL: OnceLock<ForkedMutex<Vec<Weak<Handle>>>> = OnceLock::new();
    ALL.get_or_init(ForkedMutex::default)
}

/// Delivers what was emitted before, through all pipelines of this process, for at most `deadline`. Returns
/// the outcomes of the log records, and of the spans, of the account's job.
pub(crate) fn settle(account: &Account, deadline: Duration) -> [Tally; 2] {
    let until = after(deadline);
    let pipelines = Pipeline::all();
    let lanes = || pipelines.iter().flat_map(Pipeline::lanes);
    let flushes: Vec<_> = lanes().map(|lane| (lane, lane.begin_flush())).collect();
    for (lane, flush) in flushes {
        if let Some(flush) = flush {
            lane.queue().control.wait_for_flush(flush, until);
        }
    }
    // In a forked child, the locks of its parent's queues may be held for ever.
    let own = || lanes().filter(|lane| !lane.is_forked());
    // What leaves a queue meanwhile would be missed, or counted twice.
    let held: Vec<_> = own().map(|lane| lane.queue().hold()).collect();
    let mut tallies = account.tallies();
    for lane in own() {
        tallies[lane.queue().signal() as usize].emitted += lane.queue().queued(account);
    }
    drop(held);
    for tally in &mut tallies {
        tally.pending = tally.emitted.saturating_sub(tally.settled());
    }
    tallies
}

/// How many items of each signal were lost.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    logs: u64,
    spans: u64,
}

impl Pipeline {
    /// Those of this process that are in use.
    pub(crate) fn all() -> Vec<Self> {
        let known = all().lock().map(|pipelines| pipelines.clone()).unwrap_or_default();
        known.iter().filter_map(Weak::upgrade).map(Self).collect()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.limits
    }

    /// One without a transport for spans.
    #[cfg(test)]
    pub(crate) fn start(settings: Config, transport: Box<dyn Transport>) -> Result<Self, Error> {
        Self::start_with(settings, vec![transport], None)
    }

    /// Starts it with as many requests of log records in flight at once as there are transports.
    /// `connect`: for the spans.
    pub(crate) fn start_with(
        settings: Config,
        transports: Vec<Box<dyn Transport>>,
        connect: Option<Connect>,
    ) -> Result<Self, Error> {
        let (limits, memory) = (settings.limits, Memory::new(settings.memory_limit_bytes));
        let (spool, has_service_name) = (settings.spool.clone(), settings.has_service_name);
        let logs = Lane::start(settings, transports, &memory)?;
        let has_spans = connect.is_some() && spool.as_ref().is_some_and(|spool| spool.may_have_spans());
        let pipeline = Self(Arc::new(Handle {
            logs,
            traces: OnceLock::new(),
            connect: Mutex::new(connect),
            memory,
            limits,
            spool,
            has_service_name,
            reported: Mutex::default(),
        }));
        if let Some(mut pipelines) = all().lock() {
            pipelines.retain(|known| known.strong_count() > 0);
            pipelines.push(Arc::downgrade(&pipeline.0));
        }
        if has_spans {
            // Those that another process left are sent, whether or not this one has any.
            pipeline.try_span_processor()?;
        }
        Ok(pipeline)
    }

    /// Whether the resource has a `service.name` that somebody set.
    pub(crate) fn has_service_name(&self) -> bool {
        self.0.has_service_name
    }

    /// Whether it was shut down.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue().is_closed()
    }

    pub(crate) fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.0.lanes()
    }

    /// The queue that the layer's records go to.
    #[inline]
    pub(crate) fn queue(&self) -> &Queue {
        self.0.logs.queue()
    }

    /// A processor for any `SdkTracerProvider`, which puts finished spans into this pipeline. They
    /// are delivered like log records: to the same receiver or directory, with the same settings,
    /// in the same memory, of which each signal leaves a quarter for the other.
    ///
    /// The resource is the pipeline's. If the spans cannot be delivered, as with a file that cannot
    /// be opened, that is reported through the [diagnostics](crate::set_diagnostics), and they count
    /// as dropped.
    ///
    /// ```
    /// use opentelemetry_sdk::trace::SdkTracerProvider;
    ///
    /// let (pipeline, requests) = spanlog::testing::pipeline();
    /// let provider = SdkTracerProvider::builder().with_span_processor(pipeline.span_processor()).build();
    /// # drop((provider, requests));
    /// ```
    pub fn span_processor(&self) -> PipelineSpanProcessor {
        self.try_span_processor().unwrap_or_else(|error| {
            report_once(format_args!("spans cannot be delivered: {error}"));
            PipelineSpanProcessor::new(self.0.traces.get_or_init(|| Lane::closed(&self.0.memory)).clone())
        })
    }

    pub(crate) fn try_span_processor(&self) -> Result<PipelineSpanProcessor, Error> {
        let mut connect = self.0.connect.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = self.0.traces.get() {
            return Ok(PipelineSpanProcessor::new(lane.clone()));
        }
        let Some(connect) = connect.take().filter(|_| !self.queue().is_closed()) else {
            return Err(Error::delivery("the pipeline is shut down, or has no transport for spans".into()));
        };
        let (settings, transports) = connect()?;
        self.0.memory.share();
        let lane = Lane::start(settings, transports, &self.0.memory)?;
        Ok(PipelineSpanProcessor::new(self.0.traces.get_or_init(|| lane).clone()))
    }

    /// Waits until all records that were logged before, and all spans that ended before, are
    /// delivered or dropped, for at most `deadline`.
    ///
    /// # Errors
    ///
    /// If the deadline passed, if anything was lost since the last flush, for whatever reason, or
    /// after [`shutdown`](Self::shutdown).
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        let until = after(deadline);
        let lanes: Vec<_> = self.0.lanes().map(|lane| (lane, lane.begin_flush())).collect();
        let mut is_done = true;
        for (lane, flush) in lanes {
            let Some(flush) = flush else {
                return Err(Error::delivery("the pipeline is shut down".into()));
            };
            is_done &= lane.queue().control.wait_for_flush(flush, until);
        }
        if !is_done {
            let (logs, spans) = (self.stats().pending, self.span_stats().pending);
            let pending =
                format!("{logs} log records and {spans} spans are still pending after {deadline:?}");
            return Err(Error::delivery(pending));
        }
        match self.0.new_losses() {
            Losses { logs: 0, spans: 0 } => Ok(()),
            Losses { logs, spans } => Err(Error::delivery(format!(
                "{logs} log records and {spans} spans were lost since the last flush"
            ))),
        }
    }

    /// Delivers what is pending, stops, and reports the outcome of all records and spans.
    ///
    /// It returns by the deadline, whatever the transport does: what is not delivered by then is
    /// counted as dropped, even if the receiver gets it later. What is logged or ends afterwards is
    /// counted as dropped, too.
    pub fn shutdown(&self, deadline: Duration) -> PipelineReport {
        let is_complete = self.0.shut_down(deadline);
        PipelineReport { is_complete, stats: self.stats(), spans: self.span_stats() }
    }

    /// Reads the counters of log records.
    pub fn stats(&self) -> PipelineStats {
        self.0.logs.queue().counters.snapshot()
    }

    /// Reads the counters of spans. All are zero without a
    /// [`span_processor`](Self::span_processor).
    pub fn span_stats(&self) -> PipelineStats {
        self.0.traces.get().map(|traces| traces.queue().counters.snapshot()).unwrap_or_default()
    }
}

#[cfg(feature = "metrics")]
impl Pipeline {
    /// The `otel.component.type` of the signal's transport, the records of its requests, and its
    /// counters. `None` for spans without a processor.
    pub(crate) fn read(&self, signal: Signal) -> Option<(&'static str, Exports, PipelineStats)> {
        let lane = match signal {
            Signal::Logs => &self.0.logs,
            Signal::Traces => self.0.traces.get()?,
        };
        let (exports, stats) = lane.queue().control.exports(&lane.queue().counters);
        Some((lane.exporter, exports, stats))
    }

    /// Returns this pipeline for as long as another handle exists.
    pub(crate) fn downgrade(&self) -> impl Fn() -> Option<Self> + Send + Sync + Clone + 'static {
        let handle = Arc::downgrade(&self.0);
        move || handle.upgrade().map(Self)
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("exporter", &self.0.logs.exporter)
            .field("stats", &self.stats())
            .field("span_stats", &self.span_stats())
            .finish_non_exhaustive()
    }
}

impl Handle {
    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        [&self.logs].into_iter().chain(self.traces.get())
    }

    /// What was lost since this was last called.
    fn new_losses(&self) -> Losses {
        let lost = Losses { logs: self.logs.lost(), spans: self.traces.get().map_or(0, Lane::lost) };
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *reported, lost);
        Losses { logs: lost.logs.saturating_sub(before.logs), spans: lost.spans.saturating_sub(before.spans) }
    }

    /// True if the workers stopped in time.
    fn shut_down(&self, deadline: Duration) -> bool {
        let until = after(deadline);
        self.lanes().for_each(|lane| lane.begin_shutdown(until));
        // All of them, also after one that did not.
        let is_complete = self.lanes().filter(|lane| !lane.finish_shutdown(until)).count() == 0;
        // Workers that were abandoned may still send.
        let is_abandoned = self.lanes().any(Lane::is_abandoned);
        if let Some(spool) = self.spool.as_ref().filter(|_| is_complete && !is_abandoned) {
            spool.release();
        }
        is_complete
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Has no effect after a shutdown.
        self.shut_down(DROP_PATIENCE);
    }
}

/// The result of [`Pipeline::shutdown`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PipelineReport {
    /// The workers have ended in time. If not, they were abandoned with a transport that hangs.
    pub is_complete: bool,
    /// The outcome of all log records. Those still pending are being enqueued by another thread.
    pub stats: PipelineStats,
    /// The outcome of all spans.
    pub spans: PipelineStats,
}

impl fmt::Display for PipelineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        outcome(f, "", &self.stats)?;
        if self.spans.emitted > 0 {
            outcome(f, "; spans: ", &self.spans)?;
        }
        if self.is_complete {
            Ok(())
        } else {
            f.write_str("; the transport did not return in time")
        }
    }
}

fn outcome(f: &mut fmt::Formatter<'_>, of: &str, stats: &PipelineStats) -> fmt::Result {
    let PipelineStats { emitted, delivered, rejected, spooled, pending, .. } = stats;
    let dropped = stats.dropped();
    write!(
        f,
        "{of}{emitted} emitted, {delivered} delivered, {rejected} rejected, {dropped} dropped, {pending} pending"
    )?;
    match spooled {
        0 => Ok(()),
        _ => write!(f, ", {spooled} left in the spool"),
    }
}
