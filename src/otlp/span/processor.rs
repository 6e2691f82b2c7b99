//! [`PipelineSpanProcessor`]: finished spans into a pipeline.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::trace::Span as _;
use opentelemetry::{Context, SpanId};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use crate::otlp::lane::Lane;
use crate::otlp::queue::chunk::{Encoded, MAX_HEADER};
use crate::otlp::queue::importance::severity_of_span;
use crate::otlp::queue::{Item, Queue};
use crate::otlp::span::{put_span, scope};
use crate::span_moments::{Ending, StartingOp};
use crate::stats::Thread;
use crate::wire::put::put_bytes;

/// How long a flush through the tracer provider waits: as long as the SDK's own processors.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// A larger buffer is freed rather than kept for this thread's next span.
const MAX_KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    // Taken while in use.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Puts finished spans into a [`Pipeline`](super::super::Pipeline), which delivers them like log
/// records. Made by [`Pipeline::span_processor`](super::super::Pipeline::span_processor).
///
/// A span is encoded on the thread that ends it, and only if it is sampled.
#[derive(Debug)]
pub struct PipelineSpanProcessor {
    lane: Lane,
    is_shut_down: AtomicBool,
}

impl PipelineSpanProcessor {
    pub(crate) fn new(lane: Lane) -> Self {
        Self { lane, is_shut_down: AtomicBool::new(false) }
    }

    fn flush(&self, deadline: Duration) -> OTelSdkResult {
        match self.lane.flush(deadline) {
            // After a shutdown of the pipeline there is nothing to wait for.
            None | Some(true) => Ok(()),
            Some(false) => Err(OTelSdkError::Timeout(deadline)),
        }
    }
}

/// Removes from the spool what was kept of the span when it started.
struct Ended<'a> {
    queue: &'a Queue,
    id: SpanId,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if let Some(spool) = self.queue.pool.spool() {
            spool.span_ended(self.id);
        }
    }
}

impl SpanProcessor for PipelineSpanProcessor {
    /// With a spool, the spans of ops are kept from their start on, for the case that nobody ends them.
    fn on_start(&self, span: &mut Span, _parent: &Context) {
        let Some(spool) = self.lane.queue().pool.spool() else { return };
        if !StartingOp::is_under_way() || !span.span_context().is_sampled() || self.lane.queue().is_closed() {
            return;
        }
        let Some(data) = span.exported_data() else { return };
        let (id, scope) = (data.span_context.span_id(), data.instrumentation_scope.clone());
        let (mut encoded, mut framed) = (Vec::new(), Vec::new());
        // Until it has ended.
        put_span(&mut encoded, &SpanData { end_time: UNIX_EPOCH, ..data });
        put_bytes(&mut framed, 2, &encoded);
        scope::with_key(&scope, |key| spool.span_started(id, key.key(), &framed));
    }

    fn on_end(&self, span: SpanData) {
        // Recorded, but not sampled: for other processors only.
        if !span.span_context.is_sampled() {
            return;
        }
        let severity = severity_of_span(&span);
        let (queue, job) = (self.lane.queue(), Ending::job());
        // At the end: then it is in the spool in any case, or counted as lost.
        let _ended = Ended { queue, id: span.span_context.span_id() };
        let Some(permit) = queue.reserve(Thread::current(), severity) else {
            return queue.count_refused(job);
        };
        let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(&[0; MAX_HEADER]);
        put_span(&mut buffer, &span);
        scope::with_key(&span.instrumentation_scope, |scope| {
            let item = Item { scope, job, severity };
            permit.enqueue(item, &Encoded::new(&mut buffer, MAX_HEADER, &[]));
        });
        if buffer.capacity() <= MAX_KEPT_BYTES {
            let _ = BUFFER.try_with(|kept| kept.set(buffer));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.flush(FLUSH_PATIENCE)
    }

    /// Delivers what is pending. The pipeline goes on, as it may have log records.
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        match self.is_shut_down.swap(true, Ordering::AcqRel) {
            true => Err(OTelSdkError::AlreadyShutdown),
            false => self.flush(timeout),
        }
    }
}
