//! What this crate knows of one span, kept in the span's extensions and shared by its layers.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use opentelemetry::logs::AnyValue;
use opentelemetry::{Key, KeyValue};
use tracing_core::dispatcher::WeakDispatch;
use tracing_core::span::Attributes;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::Traced;
use crate::fields::{self, Captured};
use crate::job::JobScope;

/// One span. Made when the span is, by whichever of our layers sees it first.
#[derive(Debug)]
pub(crate) struct SpanState {
    /// Set once: an OpenTelemetry span's ids never change, not even after its end.
    traced: OnceLock<Traced>,
    /// The job that the span was created in, or its explicit parent's.
    pub(crate) job: Option<Arc<JobScope>>,
    /// What `job::set` had added when the span was created.
    pub(crate) job_added: Vec<KeyValue>,
    /// Tool and operation, if the span is an op's.
    pub(crate) op: Option<OpNames>,
    /// The span's fields as they were at creation, each formatted once for all our layers.
    pub(crate) fields: Captured,
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

    /// The state of a span that is being created.
    ///
    /// Formats the span's fields, with no lock held.
    pub(crate) fn create<'a, R: LookupSpan<'a>>(
        span: &SpanRef<'a, R>,
        attributes: &Attributes<'_>,
    ) -> Arc<Self> {
        if let Some(state) = Self::find(span) {
            return state;
        }
        let explicit = attributes.parent().and(span.parent());
        let job = explicit.and_then(|parent| Self::find(&parent)?.job.clone()).or_else(super::ambient_job);
        let seed = next_op(attributes.metadata());
        let mut fields = fields::capture(attributes);
        let mut op = None;
        if let Some(seed) = &seed {
            op = Some(seed.names.clone());
            fields.append(&seed.attributes);
        }
        let state = Arc::new(Self {
            traced: OnceLock::new(),
            job_added: job.as_ref().map(|job| job.added()).unwrap_or_default(),
            job,
            op,
            fields,
            ..Self::unknown(span)
        });
        state.insert(span);
        if let Some(seed) = seed {
            seed.state.replace(Some(state.clone()));
        }
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
            traced: OnceLock::new(),
            job: None,
            job_added: Vec::new(),
            op: None,
            fields: Captured::default(),
            added: RwLock::default(),
            generation: AtomicU64::new(0),
            span_layer: OnceLock::new(),
            is_stamped: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(crate) fn traced(&self) -> Option<Traced> {
        self.traced.get().copied()
    }

    pub(crate) fn set_traced(&self, traced: Traced) {
        let _ = self.traced.set(traced);
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
        if fields::is_control(key.as_str()) {
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

    pub(crate) fn set_span_layer(&self, home: Option<&WeakDispatch>) {
        let _ = self.span_layer.set(home.cloned());
    }

    pub(crate) fn home(&self) -> Option<&WeakDispatch> {
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

static SPAN_LAYER_EXISTS: AtomicBool = AtomicBool::new(false);

/// Notes that this process has a `SpanLayer`, so that unannounced spans may be stamped already.
pub(crate) fn span_layer_made() {
    SPAN_LAYER_EXISTS.store(true, Ordering::Relaxed);
}

pub(crate) fn span_layer_exists() -> bool {
    SPAN_LAYER_EXISTS.load(Ordering::Relaxed)
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static BEHIND_OUR_BACK: Cell<bool> = const { Cell::new(false) };
    static BEING_STARTED: RefCell<Option<Arc<SpanState>>> = const { RefCell::new(None) };
    static OP: RefCell<Option<Arc<OpSeed>>> = const { RefCell::new(None) };
}

/// While this lives, a span is being started on this thread: by us, or by the span layer under a
/// call that we forwarded. It is where a span's mutex is held while user code runs.
#[derive(Debug)]
pub(crate) struct Starting {
    outer: Option<Arc<SpanState>>,
    counts: bool,
}

impl Starting {
    /// `state`: the span that may be started, where it is known.
    pub(crate) fn of(state: Option<Arc<SpanState>>) -> Self {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get() + 1));
        Self { outer: announce(state), counts: true }
    }

    /// Announces a span that is started without its mutex being held, as when a span closes.
    pub(crate) fn unlocked(state: Option<Arc<SpanState>>) -> Self {
        Self { outer: announce(state), counts: false }
    }

    pub(crate) fn is_under_way() -> bool {
        DEPTH.try_with(|depth| depth.get() > 0).unwrap_or(true)
            || BEHIND_OUR_BACK.try_with(Cell::get).unwrap_or(true)
    }

    /// Sets whether a start is under way that is not ours. Holds until it is set again.
    pub(crate) fn set_behind_our_back(is_under_way: bool) {
        let _ = BEHIND_OUR_BACK.try_with(|behind| behind.set(is_under_way));
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if self.counts {
            let _ = DEPTH.try_with(|depth| depth.set(depth.get() - 1));
        }
        drop(announce(self.outer.take()));
    }
}

fn announce(state: Option<Arc<SpanState>>) -> Option<Arc<SpanState>> {
    BEING_STARTED.try_with(|being| being.replace(state)).ok().flatten()
}

/// The span that is being started on this thread, if a layer of ours announced it.
pub(crate) fn span_being_started() -> Option<Arc<SpanState>> {
    BEING_STARTED.try_with(|being| being.borrow().clone()).ok().flatten()
}

/// What `op` wants to say about the span that it creates and that tracing's static fields cannot.
#[derive(Debug, Default)]
pub(crate) struct OpSeed {
    pub(crate) name: String,
    pub(crate) names: OpNames,
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) caller: Option<&'static std::panic::Location<'static>>,
    /// Given back: the state of the span that was created.
    pub(crate) state: StateSlot,
}

/// A slot for one state, written and read on one thread; `Sync` so that the seed can be shared.
#[derive(Debug, Default)]
pub(crate) struct StateSlot(std::sync::Mutex<Option<Arc<SpanState>>>);

impl StateSlot {
    pub(crate) fn replace(&self, state: Option<Arc<SpanState>>) -> Option<Arc<SpanState>> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), state)
    }
}

/// Runs `create`, which creates the one span that `seed` is about.
pub(crate) fn start_op<T>(seed: &Arc<OpSeed>, create: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<OpSeed>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = OP.try_with(|op| op.replace(self.0.take()));
        }
    }
    let _restore = Restore(OP.try_with(|op| op.replace(Some(seed.clone()))).ok().flatten());
    create()
}

/// The seed of the span that is being created, if it is an op's.
///
/// Another layer may create spans or log while an op's span is being created, so the callsite decides.
pub(crate) fn next_op(metadata: &'static tracing::Metadata<'static>) -> Option<Arc<OpSeed>> {
    if !crate::op::is_op(metadata) {
        return None;
    }
    OP.try_with(|op| op.borrow().clone()).ok().flatten()
}
