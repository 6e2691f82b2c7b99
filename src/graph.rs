//! The tool-call graph: what a job's run looked like, from its finished spans.
//!
//! Beside the walk. [`Recorder`] listens to spans and records while the job runs; [`ToolCallGraph`]
//! is the tree that came of it.

mod text;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::logs::Severity;
use opentelemetry::trace::Status;
use opentelemetry::{Context, InstrumentationScope, SpanId, TraceId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, TraceContext};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use crate::keys::Keys;

pub use self::text::format_duration;

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
    spans: VecDeque<Node>,
    records: HashMap<(TraceId, SpanId), RecordCounts>,
    /// The keys of `records`, the oldest first.
    counted: VecDeque<(TraceId, SpanId)>,
    /// Spans that were let go for newer ones.
    forgotten: u64,
}

impl Kept {
    /// Counts a record. Spans that never end would collect counts for ever, so the oldest go.
    fn count(&mut self, span: (TraceId, SpanId), severity: Option<Severity>) {
        if !self.records.contains_key(&span) {
            if self.counted.len() == 2 * MOST_SPANS {
                if let Some(oldest) = self.counted.pop_front() {
                    self.records.remove(&oldest);
                }
            }
            self.counted.push_back(span);
        }
        self.records.entry(span).or_default().add(severity);
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
        let nodes = kept.spans.iter().map(|node| {
            let records = kept.records.get(&(node.trace_id, node.span_id)).copied();
            Node { records: records.unwrap_or_default(), ..node.clone() }
        });
        ToolCallGraph { forgotten: kept.forgotten, ..ToolCallGraph::of_nodes(nodes.collect()) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanProcessor for Recorder {
    fn on_start(&self, _span: &mut Span, _parent: &Context) {}

    fn on_end(&self, span: SpanData) {
        let node = Node::of_span(&span, &self.keys);
        let mut kept = self.kept();
        if kept.spans.len() == MOST_SPANS {
            kept.spans.pop_front();
            kept.forgotten += 1;
        }
        kept.spans.push_back(node);
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
        self.kept().count((ids.trace_id, ids.span_id), record.severity_number());
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// How many records a span has, by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Below WARN.
    pub quiet: u64,
    /// WARN.
    pub warnings: u64,
    /// ERROR and above.
    pub errors: u64,
}

impl RecordCounts {
    fn add(&mut self, severity: Option<Severity>) {
        match severity {
            Some(severity) if severity >= Severity::Error => self.errors += 1,
            Some(severity) if severity >= Severity::Warn => self.warnings += 1,
            _ => self.quiet += 1,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.quiet + self.warnings + self.errors
    }
}

/// How a span ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Without an error.
    Ok,
    /// With the status Error, and this description.
    Failed(String),
    /// Its op's future was dropped.
    Cancelled,
    /// Its op ran out of time.
    TimedOut,
    /// A panic went through its op.
    Panicked,
    /// Its op was dropped without an end.
    Dropped,
}

impl Outcome {
    fn of_span(span: &SpanData) -> Self {
        let outcome = span.attributes.iter().find(|attribute| attribute.key.as_str() == "op.outcome");
        match outcome.map(|outcome| outcome.value.as_str()).as_deref() {
            Some("cancelled") => Self::Cancelled,
            Some("timed_out") => Self::TimedOut,
            Some("panicked") => Self::Panicked,
            Some("dropped") => Self::Dropped,
            _ => match &span.status {
                Status::Error { description } => Self::Failed(description.to_string()),
                Status::Unset | Status::Ok => Self::Ok,
            },
        }
    }

    fn is_red(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::TimedOut | Self::Panicked)
    }
}

/// One span of the graph.
#[derive(Clone, Debug)]
struct Node {
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: SpanId,
    name: String,
    tool: Option<String>,
    operation: Option<String>,
    started: SystemTime,
    took: Option<Duration>,
    outcome: Outcome,
    records: RecordCounts,
}

impl Node {
    fn of_span(span: &SpanData, keys: &Keys) -> Self {
        let find = |key: &str| {
            let mut found = span.attributes.iter().filter(|attribute| attribute.key.as_str() == key);
            found.next_back().map(|attribute| attribute.value.as_str().into_owned())
        };
        Self {
            trace_id: span.span_context.trace_id(),
            span_id: span.span_context.span_id(),
            parent_id: span.parent_span_id,
            name: span.name.to_string(),
            tool: find(keys.tool()),
            operation: find(keys.operation()),
            started: span.start_time,
            took: span.end_time.duration_since(span.start_time).ok(),
            outcome: Outcome::of_span(span),
            records: RecordCounts::default(),
        }
    }
}

/// The tree of a job's execution: its root `job.*`, steps, ops, and the spans between them.
///
/// Siblings stand in the order of their start; a span whose parent is unknown is a root.
#[derive(Clone, Debug)]
pub struct ToolCallGraph {
    nodes: Vec<Node>,
    /// By index into `nodes`, in the order in which they are shown.
    roots: Vec<usize>,
    children: HashMap<usize, Vec<usize>>,
    /// A descendant is red.
    contains_red: HashSet<usize>,
    forgotten: u64,
}

impl ToolCallGraph {
    /// The graph of finished spans, without records.
    pub fn of_spans<'a>(spans: impl IntoIterator<Item = &'a SpanData>, keys: &Keys) -> Self {
        Self::of_nodes(spans.into_iter().map(|span| Node::of_span(span, keys)).collect())
    }

    fn of_nodes(mut nodes: Vec<Node>) -> Self {
        nodes.sort_by_key(|node| node.started);
        let index: HashMap<_, _> =
            nodes.iter().enumerate().map(|(index, node)| ((node.trace_id, node.span_id), index)).collect();
        let parent_of = |node: &Node| index.get(&(node.trace_id, node.parent_id)).copied();
        let mut roots = Vec::new();
        let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut contains_red = HashSet::new();
        for (own, node) in nodes.iter().enumerate() {
            match parent_of(node).filter(|parent| *parent != own) {
                Some(parent) => children.entry(parent).or_default().push(own),
                None => roots.push(own),
            }
            if node.outcome.is_red() {
                // Ends at a node that is marked already, so also in a circle.
                let mut above = parent_of(node);
                while let Some(parent) = above.filter(|parent| contains_red.insert(*parent)) {
                    above = parent_of(&nodes[parent]);
                }
            }
        }
        let mut graph = Self { nodes, roots, children, contains_red, forgotten: 0 };
        graph.break_circles();
        graph
    }

    /// Spans that are their own ancestors hang from no root: the first of each circle becomes one.
    fn break_circles(&mut self) {
        let mut reached = HashSet::new();
        for root in self.roots.clone() {
            self.reach(root, &mut reached);
        }
        for index in 0..self.nodes.len() {
            if !reached.contains(&index) {
                for siblings in self.children.values_mut() {
                    siblings.retain(|child| *child != index);
                }
                self.roots.push(index);
                self.reach(index, &mut reached);
            }
        }
    }

    fn reach(&self, from: usize, reached: &mut HashSet<usize>) {
        let mut open = vec![from];
        while let Some(index) = open.pop() {
            if reached.insert(index) {
                open.extend(self.children.get(&index).into_iter().flatten());
            }
        }
    }

    /// Whether anything in the graph failed, timed out or panicked.
    pub fn is_red(&self) -> bool {
        self.nodes.iter().any(|node| node.outcome.is_red())
    }

    /// Whether nothing is in the graph.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}
