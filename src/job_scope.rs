//! One job scope: what the stack, the `Context` and every span started inside it point to.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::logs::AnyValue;
use opentelemetry::{Context, Key, KeyValue};

use crate::keys;
use crate::keys::Keys;
use crate::metadata::JobMetadata;
use crate::value::any_value;

/// One job scope: what the stack, the `Context` and every span started inside it point to.
#[derive(Debug)]
pub(crate) struct JobScope {
    /// Never zero, never reused: caches of stamps are keyed by it.
    pub(crate) id: u64,
    pub(crate) metadata: JobMetadata,
    /// What [`set`] added, in the order of first use. Each key once.
    added: RwLock<Vec<KeyValue>>,
    /// Counts changes of `added`; the other half of the cache key.
    generation: AtomicU64,
}

/// The job as a `Context` value. The type is private, so the value cannot be forged or lost track of.
#[derive(Clone, Debug)]
pub(crate) struct JobScopeValue(pub(crate) Arc<JobScope>);

impl JobScope {
    pub(crate) fn new(metadata: JobMetadata) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            metadata,
            added: RwLock::default(),
            generation: AtomicU64::new(0),
        })
    }

    /// A scope for one step of this job. What was added to this one so far is in it, too.
    pub(crate) fn with_step(&self, step: String) -> Arc<Self> {
        let scope = Self::new(self.metadata.clone().with_step(step));
        *scope.added.write().unwrap_or_else(PoisonError::into_inner) = self.added();
        scope
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns whether the value is new or changed.
    pub(crate) fn set(&self, added: KeyValue) -> bool {
        let mut all = self.added.write().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|known| known.key == added.key) {
            Some(known) if known.value == added.value => return false,
            Some(known) => known.value = added.value,
            None => all.push(added),
        }
        drop(all);
        self.generation.fetch_add(1, Ordering::Release);
        true
    }

    pub(crate) fn added(&self) -> Vec<KeyValue> {
        self.added.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every stamp of this job as attributes of a record.
    pub(crate) fn record_stamps(&self, keys: &Keys) -> Vec<(Key, AnyValue)> {
        let fixed = self.metadata.stamps(keys).map(|(name, value)| {
            let value = match value {
                Cow::Borrowed(value) => (*value).into(),
                // The clones of a string value share one allocation.
                Cow::Owned(value) => Arc::<str>::from(value.as_str()).into(),
            };
            (keys::key(name), AnyValue::String(value))
        });
        let added = self.added().into_iter().filter(|added| !keys::is_control(added.key.as_str()));
        let added = added.map(|added| (added.key, any_value(added.value)));
        fixed.chain(added).collect()
    }
}

/// The job that a `Context` carries.
pub(crate) fn of_context(cx: &Context) -> Option<&Arc<JobScope>> {
    cx.get::<JobScopeValue>().map(|value| &value.0)
}

/// Which job, in which state: the half of a block's cache key that the stack knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobVersion {
    pub(crate) id: u64,
    pub(crate) generation: u64,
}

impl JobVersion {
    #[inline]
    pub(crate) fn of(scope: Option<&Arc<JobScope>>) -> Self {
        scope.map_or_else(Self::default, |scope| Self { id: scope.id, generation: scope.generation() })
    }
}
