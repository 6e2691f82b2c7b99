//! What this crate knows of one span, kept in the span's extensions and shared by its layers.

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

/// What is known of a span's ids, once anything is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtelSpan {
    /// The span has an OpenTelemetry span, with these ids, or with invalid ones.
    Known(Option<Ids>),
    /// No layer makes an OpenTelemetry span of it: its nearest ancestor that has one counts.
    Absent,
}

/// One span. Made when the span is, by whichever of our layers sees it first.
#[derive(Debug)]
pub(crate) struct SpanState {
    /// Set once: an OpenTelemetry span's ids never change, not even after its end.
    otel_span: OnceLock<OtelSpan>,
    /// The job that the span was created in, or its explicit parent's.
    job: Option<Arc<JobScope>>,
    /// The job of the `Context` that was set as its parent later.
    parent_job: OnceLock<Arc<JobScope>>,
    /// What `job::set` had added when the span was created.
    pub(crate) job_added: Vec<KeyValue>,
    /// What `job::set` set on the span itself. Each key once.
    set_stamps: Mutex<Vec<KeyValue>>,
    /// Tool and operation, if the span is an op's.
    pub(crate) op: Option<OpNames>,
    /// The span's fields as they were at creation, each formatted once for all our layers.
    pub(crate) fields: SpanFieldValues,
    /// Attributes with run-time keys, added later (`op.set`). Each key once.
    added: RwLock<Vec<(Key, AnyValue)>>,
    /// Counts changes of what records inherit from this span.
    generation: AtomicU64,
    /// Counts those changes of all spans of the tree that have children: they outdate what
    /// descendants inherit, too. A leaf's changes concern nobody else, so they do not count here.
    tree: Arc<AtomicU64>,
    has_children: AtomicBool,
    /// Set where a `SpanLayer` forwards the span: it is then started by its first record at the
    /// earliest. Holds the dispatcher of that layer.
    span_layer: OnceLock<Option<WeakDispatch>>,
    /// The OpenTelemetry span carries the job's stamps since before it was started.
    is_stamped: AtomicBool,
    /// The span is gone: a stack entry that still names it is stale. A layer can miss that a span
    /// was left, while it was reloaded away.
    is_closed: AtomicBool,
    /// A sampler or the like panicked while the wrapped layer held the span's lock.
    is_broken: AtomicBool,
    /// How often the span is entered without the wrapped layer having been told.
    skipped_enters: AtomicUsize,
}

/// What an op is of. Either may be absent: the runner's own spans have no operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpNames {
    pub(crate) tool: Option<Arc<str>>,
    pub(crate) operation: Option<Arc<str>>,
}

/// The extension: a private type, so that nobody else's code can meet it.
#[derive(Debug)]
struct Extension(Arc<SpanState>);

impl Drop for Extension {
    /// The registry has let go of the span.
    fn drop(&mut self) {
        self.0.is_closed.store(true, Ordering::Relaxed);
    }
}

impl SpanState {
    /// The state of a span, if one of our layers saw it being created, or made one since.
    pub(crate) fn find<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Option<Arc<Self>> {
        span.extensions().get::<Extension>().map(|state| state.0.clone())
    }

    /// The state of a span that is being created. `ambient`: the job that the code runs in. `op`: names and
    /// attributes, if the span is an op's.
    ///
    /// Formats the span's fields, with no lock held.
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

    /// The state of a span that was created before any of our layers was there to see it.
    pub(crate) fn find_or_unknown<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>) -> Arc<Self> {
        Self::find(span).unwrap_or_else(|| {
            let state = Arc::new(Self::unknown(span));
            state.insert(span);
            state
        })
    }

    fn insert<'a, R: LookupSpan<'a>>(self: &Arc<Self>, span: &SpanRef<'a, R>) {
        let replaced = span.extensions_mut().replace(Extension(self.clone()));
        // Dropped after the lock: two layers on two threads may have raced to make the state.
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

    /// What `job::set` had added, but for what the span has a field of its own for.
    pub(crate) fn added_stamps(&self) -> impl Iterator<Item = &KeyValue> {
        self.job_added.iter().filter(|stamp| !self.fields.iter().any(|(key, _)| *key == stamp.key))
    }

    /// Notes that `job::set` sets this on the span. False if it has it already.
    pub(crate) fn insert_set_stamp(&self, added: &KeyValue) -> bool {
        let mut set_stamps = self.set_stamps.lock().unwrap_or_else(PoisonError::into_inner);
        if self.added_stamps().chain(set_stamps.iter()).any(|known| known == added) {
            return false;
        }
        set_stamps.retain(|known| known.key != added.key);
        set_stamps.push(added.clone());
        true
    }

    /// Takes the span, which was made outside any job, into that of its parent.
    pub(crate) fn set_parent_job(&self, job: &Arc<JobScope>) {
        let _ = self.parent_job.set(job.clone());
    }

    /// Whether the wrapped layer must not be told of the span any more: it would panic, with a lock of the
    /// registry in its hands, which would stay poisoned for whatever span has the place next.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    /// The wrapped layer was not told that the span is entered, and must not be told that it is left.
    pub(crate) fn add_skipped_enter(&self) {
        self.skipped_enters.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the span is left as untold as it was entered.
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

    /// What records inherit from this span has changed. To be called after the change.
    pub(crate) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
        if self.has_children.load(Ordering::Acquire) {
            self.tree.fetch_add(1, Ordering::Release);
        }
    }

    /// Adds an attribute to what later records of the span and its descendants carry.
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
