//! The handle of the direct road: settings in, counts out, flush and shutdown with the caller's deadline.

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

/// The smallest request beyond the resource: room for one record with a long scope name.
const MIN_REQUEST: usize = 4 * 1024;

/// Events on their way to a receiver of OTLP. Cheap to clone; the last one that is dropped delivers
/// what is pending, for at most 5 seconds.
///
/// Delivery happens on a thread of its own. Nothing here needs an async runtime, or minds one.
#[derive(Clone)]
pub struct Pipeline(Arc<Handle>);

struct Handle {
    queue: Arc<Queue>,
    limits: Limits,
    exporter: &'static str,
    /// A forked child has no worker.
    process: u32,
}

impl Pipeline {
    pub(crate) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(crate) fn start(settings: Config, transport: Box<dyn Transport>) -> Result<Self, Error> {
        Self::start_with(settings, vec![transport])
    }

    /// With as many requests on their way at once as there are transports.
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

    /// Where the layer leaves records.
    #[inline]
    pub(crate) fn queue(&self) -> &Queue {
        &self.0.queue
    }

    /// Waits until all that was logged before has its outcome, or `deadline` has passed.
    ///
    /// # Errors
    ///
    /// If the deadline passed, if the receiver did not take something meanwhile, or after
    /// [`shutdown`](Self::shutdown).
    pub fn flush(&self, deadline: Duration) -> Result<(), Error> {
        let before = self.stats().undelivered();
        let done = if self.0.is_forked() { None } else { self.0.queue.control.flush(after(deadline)) };
        match done {
            None => Err(Error::delivery("the pipeline was shut down already".into())),
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

    /// Delivers what is pending, stops, and says what became of everything.
    ///
    /// It returns by the deadline, whatever the transport does meanwhile: what has no outcome by then
    /// is dropped and counted, even if the receiver gets it later. What is logged afterwards is
    /// counted, and nothing else happens.
    pub fn shutdown(&self, deadline: Duration) -> Report {
        let is_complete = self.0.shut_down(deadline);
        Report { is_complete, stats: self.stats() }
    }

    /// What became of every event up to now.
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

    /// This pipeline for as long as somebody else keeps it.
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
        // Does nothing after a shutdown but to look.
        self.shut_down(DROP_PATIENCE);
    }
}

/// What [`Pipeline::shutdown`] could do.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The worker came to its end in time. If not, it was left behind with a transport that hangs.
    pub is_complete: bool,
    /// What became of every event. What is still pending is being handed over by another thread.
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
