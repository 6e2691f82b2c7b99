//! [`Pipeline`]: the handle with which callers flush, shut down and read counters.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::limits::Limits;
use crate::otlp::config::Config;
use crate::otlp::counters::Stats;
use crate::otlp::deliver::request::Batch;
use crate::otlp::deliver::worker;
#[cfg(feature = "metrics")]
use crate::otlp::queue::control::Exports;
use crate::otlp::queue::limits::{QueueLimits, MIN_MEMORY};
use crate::otlp::queue::Queue;
use crate::otlp::sync::after;
use crate::otlp::transport::Transport;

/// How long the last handle waits for delivery when it is dropped.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// The smallest request limit beyond the resource: enough for one record with a long scope name.
const MIN_REQUEST: usize = 4 * 1024;

/// Delivers log records to an OTLP receiver or a file. Cheap to clone; dropping the last clone
/// delivers what is pending, for at most 5 seconds.
///
/// Delivery happens on a thread of its own. It works with and without an async runtime.
#[derive(Clone)]
pub struct Pipeline(Arc<Handle>);

struct Handle {
    queue: Arc<Queue>,
    limits: Limits,
    /// The `otel.component.type` of the transport.
    exporter: &'static str,
    /// The process that has the worker: a forked child has none.
    process: u32,
}

impl Pipeline {
    pub(crate) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(crate) fn start(settings: Config, transport: Box<dyn Transport>) -> Result<Self, Error> {
        Self::start_with(settings, vec![transport])
    }

    /// Starts it with as many requests in flight at once as there are transports.
    pub(crate) fn start_with(settings: Config, transports: Vec<Box<dyn Transport>>) -> Result<Self, Error> {
        let empty = Batch::default().max_len_with(&settings.resource, "");
        let least = empty + MIN_REQUEST;
        if settings.max_request_bytes < least {
            let wanted = format_args!("at least {least}, as the resource takes a part of it");
            let value = settings.max_request_bytes.to_string();
            return Err(Error::setting("the largest request in bytes", &value, wanted));
        }
        if settings.memory_limit_bytes < MIN_MEMORY {
            let value = settings.memory_limit_bytes.to_string();
            let wanted = format_args!("at least {MIN_MEMORY}");
            return Err(Error::setting("the memory limit in bytes", &value, wanted));
        }
        if settings.max_batch_records == 0 {
            return Err(Error::setting("the largest batch", "0", "at least 1"));
        }
        let record = (settings.max_request_bytes - empty).min(settings.memory_limit_bytes / 2);
        let queue_limits = QueueLimits::new(settings.memory_limit_bytes, record, settings.max_batch_records);
        let queue = Arc::new(Queue::new(queue_limits, settings.overflow));
        let Config { limits, exporter, .. } = settings;
        worker::start(Arc::clone(&queue), settings, transports)?;
        Ok(Self(Arc::new(Handle { queue, limits, exporter, process: std::process::id() })))
    }

    /// The queue that the layer's records go to.
    #[inline]
    pub(crate) fn queue(&self) -> &Queue {
        &self.0.queue
    }

    /// Waits until all records that were logged before are delivered or dropped, for at most
    /// `deadline`.
    ///
    /// # Errors
    ///
    /// If the deadline passed, if records were rejected or dropped meanwhile, or after
    /// [`shutdown`](Self::shutdown).
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        let before = self.stats().undelivered();
        let done = if self.0.is_forked() { None } else { self.0.queue.control.flush(after(deadline)) };
        match done {
            None => Err(Error::delivery("the pipeline is shut down".into())),
            Some(false) => {
                let pending = self.stats().pending;
                Err(Error::delivery(format!("{pending} records are still pending after {deadline:?}")))
            }
            Some(true) => match self.stats().undelivered().saturating_sub(before) {
                0 => Ok(()),
                lost => Err(Error::delivery(format!("{lost} records were lost while flushing"))),
            },
        }
    }

    /// Delivers what is pending, stops, and reports the outcome of all records.
    ///
    /// It returns by the deadline, whatever the transport does: records that are not delivered by
    /// then are counted as dropped, even if the receiver gets them later. Records that are logged
    /// afterwards are counted as dropped, too.
    pub fn shutdown(&self, deadline: Duration) -> Report {
        let is_complete = self.0.shut_down(deadline);
        Report { is_complete, stats: self.stats() }
    }

    /// Reads the counters.
    pub fn stats(&self) -> Stats {
        self.0.queue.counters.snapshot()
    }
}

#[cfg(feature = "metrics")]
impl Pipeline {
    pub(crate) fn exporter(&self) -> &'static str {
        self.0.exporter
    }

    pub(crate) fn read(&self) -> (Exports, Stats) {
        self.0.queue.control.exports(&self.0.queue.counters)
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
            .field("exporter", &self.0.exporter)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Handle {
    fn is_forked(&self) -> bool {
        std::process::id() != self.process
    }

    /// True if the worker stopped in time.
    fn shut_down(&self, deadline: Duration) -> bool {
        let queue = &self.queue;
        queue.close();
        let ended = !self.is_forked() && queue.control.shut_down(after(deadline));
        if !ended {
            queue.control.abandon(&queue.counters);
            queue.drop_all();
        }
        ended
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
pub struct Report {
    /// The worker has ended in time. If not, it was abandoned with a transport that hangs.
    pub is_complete: bool,
    /// The outcome of all records. Those still pending are being enqueued by another thread.
    pub stats: Stats,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { emitted, delivered, rejected, pending, .. } = self.stats;
        let dropped = self.stats.dropped();
        write!(
            f,
            "{emitted} emitted, {delivered} delivered, {rejected} rejected, {dropped} dropped, {pending} pending"
        )?;
        if self.is_complete {
            Ok(())
        } else {
            f.write_str("; the transport did not return in time")
        }
    }
}
