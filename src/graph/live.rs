//! Listening to spans and records while a job runs.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, TraceContext};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::call::Call;
use super::record::{Level, RecordCounts};
use super::tree::{Ids, Parts};
use super::ToolCallGraph;
use crate::keys::Keys;

/// Listens to finished spans and to records, and keeps what a graph needs of them.
///
/// A recorder is a cheap handle: one clone goes onto the tracer provider, one onto the logger
/// provider, one stays with whoever wants the graph. It keeps a bounded number of spans, by default
/// [`MOST_SPANS`]; beyond that the oldest go, and the graph says how many.
///
/// ```
/// use opentelemetry::trace::{Tracer, TracerProvider};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use spanlog::graph::Recorder;
///
/// let recorder = Recorder::default();
/// let provider = SdkTracerProvider::builder().with_span_processor(recorder.clone()).build();
/// drop(provider.tracer("app").start("job.deploy"));
/// assert!(recorder.graph().to_text().contains("job.deploy"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    kept: Arc<Mutex<Kept>>,
    keys: Keys,
}

/// The most spans that a [`Recorder`] keeps: a long job's, at about a kilobyte each.
pub const MOST_SPANS: usize = 10_000;

#[derive(Debug, Default)]
struct Kept {
    calls: VecDeque<Call>,
    records: HashMap<Ids, RecordCounts>,
    /// The keys of `records`, the oldest first.
    counted: VecDeque<Ids>,
    /// Spans that were let go for newer ones.
    forgotten: u64,
}

impl Kept {
    /// Counts a record. Spans that never end would collect counts for ever, so the oldest go.
    fn count(&mut self, span: Ids, level: Level) {
        if !self.records.contains_key(&span) {
            if self.counted.len() == 2 * MOST_SPANS {
                if let Some(oldest) = self.counted.pop_front() {
                    self.records.remove(&oldest);
                }
            }
            self.counted.push_back(span);
        }
        self.records.entry(span).or_default().add(level);
    }
}

impl Recorder {
    /// Sets under which names tool and operation are found.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// The graph of everything that is kept now.
    pub fn graph(&self) -> ToolCallGraph {
        let kept = self.kept();
        let mut parts = Parts {
            calls: kept.calls.iter().cloned().collect(),
            counted: kept.records.clone(),
            ..Parts::default()
        };
        if kept.forgotten > 0 {
            parts.notes.push(format!("{} older spans were let go", kept.forgotten));
        }
        drop(kept);
        ToolCallGraph::of_parts(parts)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanProcessor for Recorder {
    fn on_start(&self, _span: &mut Span, _parent: &Context) {}

    fn on_end(&self, span: SpanData) {
        let call = Call::of_span(&span, false, &self.keys);
        let mut kept = self.kept();
        if kept.calls.len() == MOST_SPANS {
            kept.calls.pop_front();
            kept.forgotten += 1;
        }
        kept.calls.push_back(call);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl LogProcessor for Recorder {
    fn emit(&self, record: &mut SdkLogRecord, _scope: &InstrumentationScope) {
        // A span that is not sampled never ends for a recorder.
        let sampled = |ids: &&TraceContext| ids.trace_flags.is_some_and(|flags| flags.is_sampled());
        let Some(ids) = record.trace_context().filter(sampled) else { return };
        let level =
            record.severity_number().map_or(Level::Unspecified, |number| Level::of_number(number as i64));
        self.kept().count((ids.trace_id, ids.span_id), level);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
