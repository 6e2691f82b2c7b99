//! [`Lane`]: the queue of one signal, with the worker that delivers it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::otlp::config::Config;
use crate::otlp::deliver::reporter::Reporter;
use crate::otlp::deliver::request::Batch;
use crate::otlp::deliver::worker;
use crate::otlp::queue::budget::Memory;
use crate::otlp::queue::control::Phase;
use crate::otlp::queue::limits::{QueueLimits, MIN_MEMORY};
use crate::otlp::queue::{Overflow, Queue};
use crate::otlp::signal::Signal;
use crate::otlp::spool::signal::SignalSpool;
use crate::otlp::sync::after;
use crate::otlp::transport::Transport;

/// The smallest request limit beyond the resource: enough for one record with a long scope name.
const MIN_REQUEST: usize = 4 * 1024;

/// The queue of one signal, whose worker delivers it.
#[derive(Clone)]
pub(crate) struct Lane {
    queue: Arc<Queue>,
    /// `None` without a worker.
    reporter: Option<Arc<Reporter>>,
    /// The `otel.component.type` of the transport.
    pub(crate) exporter: &'static str,
}

impl Lane {
    /// Starts it with as many requests in flight at once as there are transports.
    pub(crate) fn start(
        mut settings: Config,
        transports: Vec<Box<dyn Transport>>,
        memory: &Arc<Memory>,
    ) -> Result<Self, Error> {
        let empty = Batch::default().max_len_with(&settings.resource, b"");
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
        if settings.spool.is_some() {
            // What the worker has cannot be unmapped: most of the memory must stay for what waits.
            settings.batch_bytes = settings.batch_bytes.min(settings.memory_limit_bytes / 8);
        }
        let record = (settings.max_request_bytes - empty).min(settings.memory_limit_bytes / 2);
        let limits = QueueLimits::new(settings.memory_limit_bytes, record, settings.max_batch_records)
            .with_wake_bytes(settings.batch_bytes);
        // Without a transport, what another process left would be taken over and never sent.
        let spool = settings.spool.as_ref().filter(|_| !transports.is_empty());
        let spool = spool
            .map(|spool| SignalSpool::new(Arc::clone(spool), settings.signal, settings.resource.bytes()));
        let limits = limits.with_spool(spool.is_some());
        let queue = Queue::in_memory(limits, settings.overflow, settings.signal, Arc::clone(memory), spool);
        let (queue, exporter) = (Arc::new(queue), settings.exporter);
        let reporter = worker::start(Arc::clone(&queue), settings, transports)?;
        Ok(Self { queue, reporter: Some(reporter), exporter })
    }

    /// A lane of spans that could not be started. It counts what it gets as dropped.
    pub(crate) fn closed(memory: &Arc<Memory>) -> Self {
        let limits = QueueLimits::new(MIN_MEMORY, MIN_MEMORY / 2, 1);
        let queue = Queue::in_memory(limits, Overflow::DropNewest, Signal::Traces, Arc::clone(memory), None);
        queue.close();
        queue.control.worker_ended(&queue.counters);
        Self { queue: Arc::new(queue), reporter: None, exporter: "none" }
    }

    #[inline]
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Waits until what was emitted before is delivered or dropped. False if that is not so by
    /// `deadline`, `None` after shutdown.
    pub(crate) fn flush(&self, deadline: Duration) -> Option<bool> {
        let flush = self.begin_flush()?;
        Some(self.queue.control.wait_for_flush(flush, after(deadline)))
    }

    pub(crate) fn begin_flush(&self) -> Option<u64> {
        if self.is_forked() {
            None
        } else {
            self.queue.control.begin_flush()
        }
    }

    pub(crate) fn is_forked(&self) -> bool {
        std::process::id() != self.queue.process
    }

    /// A shutdown did not wait for the worker's end. A transport may still be sending.
    pub(crate) fn is_abandoned(&self) -> bool {
        !self.is_forked() && self.queue.control.phase() == Phase::Abandoned
    }

    /// `None` without a worker.
    pub(crate) fn reporter(&self) -> Option<&Reporter> {
        self.reporter.as_deref()
    }

    pub(crate) fn lost(&self) -> u64 {
        self.queue.counters.snapshot().lost()
    }

    /// A forked child only closes the queue: it has no worker, and must not wait for locks.
    pub(crate) fn begin_shutdown(&self, until: Instant) {
        if self.is_forked() {
            self.queue.close_in_child();
        } else {
            self.queue.close();
            self.queue.control.begin_shutdown(until);
        }
    }

    /// True if the worker stopped in time.
    pub(crate) fn finish_shutdown(&self, until: Instant) -> bool {
        if self.is_forked() {
            return false;
        }
        let ended = self.queue.control.wait_for_end(until);
        if !ended {
            self.queue.control.abandon(&self.queue.counters);
            self.queue.drop_all();
        }
        self.queue.pool.close();
        if let Some(reporter) = &self.reporter {
            reporter.finish(&self.queue.counters.snapshot());
        }
        ended
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("exporter", &self.exporter).finish_non_exhaustive()
    }
}
