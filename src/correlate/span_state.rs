//! What this crate knows about one span, kept in the span's extensions and shared by all its
//! layers.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, KeyValue};
use tracing_core::dispatcher::WeakDispatch;
use tracing_core::span::Attributes;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use crate::fields::span::{capture, SpanFieldValues};
use crate::job_scope::JobScope;
use crate::keys;
use crate::record::Ids;

/// Whether a span has an OpenTelemetry span, once that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtelSpan {
    /// It has one, with these ids. `None`: with invalid ids.
    Known(Option<Ids>),
    /// It has none. Its nearest ancestor that has one counts.
    Absent,
}

/// The state of one span. Whichever layer of this crate sees the span first makes it.
#[derive(Debug)]
pub(crate) struct SpanState {
    /// Set once: the ids of an OpenTelemetry span never change, not even after its end.
    otel_span: OnceLock<OtelSpan>,
    /// The job that the span was created in, or its explicit parent's.
    job: Option<Arc<JobScope>>,
    /// The job of the `Context` that became its parent later, for a span created outside any job.
    parent_job: OnceLock<Arc<JobScope>>,
    /// The attributes that `job::set` had added to the job when the span was created.
    pub(crate) job_added: Vec<KeyValue>,
    /// The attributes that `job::set` has set on the span itself. Keys are unique.
    set_stamps: Mutex<Vec<KeyValue>>,
    /// Tool and operation, if it is the span of an op.
    pub(crate) op: Option<OpNames>,
    /// The fields that the span was created with, formatted once for all layers of this crate.
    pub(crate) fields: SpanFieldValues,
    /// Attributes added later by `op.set`, whose keys are made at run time. Keys are unique.
    added: RwLock<Vec<(Key, AnyValue)>>,
    /// Counts changes of what records inherit from this span.
    generation: AtomicU64,
    /// Counts such changes of all spans in the tree that have children, because descendants inherit
    /// them, too. A leaf's changes affect only itself.
    tree: Arc<AtomicU64>,
    /// Set when the state of a child is made.
    has_children: AtomicBool,
    /// Set if a `SpanLayer` forwards the span, which announces each start. Holds that layer's
    /// dispatcher, if it is known.
    span_layer: OnceLock<Option<WeakDispatch>>,
    /// The job's stamps were put on the OpenTelemetry span before it was started.
    is_stamped: AtomicBool,
    /// The registry has closed the span, so a stack entry that still names it is stale. A layer
    /// misses `on_exit` while it is reloaded away.
    is_closed: AtomicBool,
    /// A sampler or other user code panicked while the wrapped layer held the span's lock.
    is_broken: AtomicBool,
    /// How many current enters of the span were not forwarded to the wrapped layer.
    skipped_enters: AtomicUsize,
}

/// The tool and operation of an op. Spans of executions and steps have no operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpNames {
    pub(crate) tool: Option<Arc<str>>,
    pub(crate) operation: Option<Arc<str>>,
}

/// The span extension. Its type is private, so no other code can access it.
#[derive(Debug)]
struct Extension(Arc<SpanState>);

impl Drop for Extension {
    /// The registry has closed the span.
    fn drop(&mut self) {
        self.0.is_closed.store(true, Ordering::Relaxed);
    }
}

impl SpanState {
    /// The state of a span, if a layer of this crate has made one.
    pub(crate) fn find<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Option<Arc<Self>> {
        span.extensions().get::<Extension>().map(|state| state.0.clone())
    }

    /// Makes the state of a span that is being created. `ambient` finds the current job. `op`:
    /// names and attributes, if it is the span of an op.
    ///
    /// Formats the span's fields while no lock is held.
    pub(crate) fn create<'a, R: LookupSpan<'a>>(
        span: &SpanRef<'a, R>,
        attributes: &Attributes<'_>,
        ambient: impl FnOnce() -> Option<Arc<JobScope>>,
        op: Option<(&OpNames, &[KeyValue])>,
    ) -> Arc<Self> {
        let explicit = attributes.parent().and(span.parent());
        let job = explicit.and_then(|parent| Self::find(&parent)?.job().cloned()).or_else(ambient);
        let mut fields = capture(attributes);
        if let Some((_, attributes)) = op {
            fields.append(attributes);
        }
        let state = Arc::new(Self {
            otel_span: OnceLock::new(),
            job_added: job.as_ref().map(|job| job.added()).unwrap_or_default(),
            job,
            op: op.map(|(names, _)| names.clone()),
            fields,
            ..Self::unknown(span)
        });
        state.insert(span);
        state
    }

    /// The state of a span, made now, with what little is known, if no layer of this crate saw its
    /// creation.
    pub(crate) fn find_or_unknown<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Arc<Self> {
        Self::find(span).unwrap_or_else(|| {
            let state = Arc::new(Self::unknown(span));
            state.insert(span);
            state
        })
    }

    fn insert<'a, R: LookupSpan<'a>>(self: &Arc<Self>, span: &SpanRef<'a, R>) {
        let replaced = span.extensions_mut().replace(Extension(self.clone()));
        // Dropped after the lock is released. Two threads may have raced to make the state.
        drop(replaced);
    }

    fn unknown<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Self {
        let parent = span.parent().map(|parent| Self::find_or_unknown(&parent));
        if let Some(parent) = &parent {
            parent.has_children.store(true, Ordering::Release);
        }
        Self {
            tree: parent.map_or_else(Arc::default, |parent| parent.tree.clone()),
            has_children: AtomicBool::new(false),
            otel_span: OnceLock::new(),
            job: None,
            parent_job: OnceLock::new(),
            job_added: Vec::new(),
            set_stamps: Mutex::default(),
            op: None,
            fields: SpanFieldValues::default(),
            added: RwLock::default(),
            generation: AtomicU64::new(0),
            span_layer: OnceLock::new(),
            is_stamped: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            skipped_enters: AtomicUsize::new(0),
        }
    }

    /// The job that the span belongs to.
    pub(crate) fn job(&self) -> Option<&Arc<JobScope>> {
        self.job.as_ref().or_else(|| self.parent_job.get())
    }

    /// The attributes that `job::set` had added at creation, except those that the span has a field
    /// for.
    pub(crate) fn added_stamps(&self) -> impl Iterator<Item = &KeyValue> {
        self.job_added.iter().filter(|stamp| !self.fields.iter().any(|(key, _)| *key == stamp.key))
    }

    /// Records that `job::set` sets `added` on the span. False if the span has it already.
    pub(crate) fn insert_set_stamp(&self, added: &KeyValue) -> bool {
        let mut set_stamps = self.set_stamps.lock().unwrap_or_else(PoisonError::into_inner);
        if self.added_stamps().chain(set_stamps.iter()).any(|known| known == added) {
            return false;
        }
        set_stamps.retain(|known| known.key != added.key);
        set_stamps.push(added.clone());
        true
    }

    /// Assigns the span, which was created outside any job, to the job of its parent.
    pub(crate) fn set_parent_job(&self, job: &Arc<JobScope>) {
        let _ = self.parent_job.set(job.clone());
    }

    /// Whether hooks must no longer be forwarded for the span: the wrapped layer would panic while
    /// it holds a lock of the registry, which would stay poisoned for the span that reuses the
    /// slot.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    /// Records that an enter was not forwarded to the wrapped layer, so that the exit is not
    /// either.
    pub(crate) fn add_skipped_enter(&self) {
        self.skipped_enters.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the enter that matches this exit was not forwarded.
    pub(crate) fn take_skipped_enter(&self) -> bool {
        let less = |count: usize| count.checked_sub(1);
        self.skipped_enters.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    pub(crate) fn set_broken(&self) {
        self.is_broken.store(true, Ordering::Relaxed);
        self.set_otel_span(OtelSpan::Absent);
    }

    #[inline]
    pub(crate) fn otel_span(&self) -> Option<&OtelSpan> {
        self.otel_span.get()
    }

    pub(crate) fn set_otel_span(&self, otel_span: OtelSpan) {
        let _ = self.otel_span.set(otel_span);
    }

    /// Changes whenever what records inherit from this span or its ancestors does.
    #[inline]
    pub(crate) fn version(&self) -> (u64, u64) {
        (self.tree.load(Ordering::Acquire), self.generation.load(Ordering::Acquire))
    }

    /// Must be called after a change of what records inherit from this span.
    pub(crate) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
        if self.has_children.load(Ordering::Acquire) {
            self.tree.fetch_add(1, Ordering::Release);
        }
    }

    /// Adds an attribute that later records of the span and its descendants inherit.
    pub(crate) fn add(&self, key: Key, value: AnyValue) {
        if keys::is_control(key.as_str()) {
            return;
        }
        let mut added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        match added.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => added.push((key, value)),
        }
        drop(added);
        self.changed();
    }

    pub(crate) fn added(&self) -> Vec<(Key, AnyValue)> {
        self.added.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn has_span_layer(&self) -> bool {
        self.span_layer.get().is_some()
    }

    pub(crate) fn set_span_layer(&self, dispatch: Option<&WeakDispatch>) {
        let _ = self.span_layer.set(dispatch.cloned());
    }

    pub(crate) fn dispatch(&self) -> Option<&WeakDispatch> {
        self.span_layer.get()?.as_ref()
    }

    pub(crate) fn is_stamped(&self) -> bool {
        self.is_stamped.load(Ordering::Relaxed)
    }

    pub(crate) fn set_stamped(&self) {
        self.is_stamped.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }
}
