//! A job scope: the metadata of one job, and the attributes that were added while it runs.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::logs::AnyValue;
use opentelemetry::{Context, Key, KeyValue};

use crate::job_account::Account;
use crate::keys;
use crate::keys::Keys;
use crate::metadata::JobMetadata;
use crate::value::any_value;

/// A job scope. The stack, the `Context` and every span started inside it share it.
#[derive(Debug)]
pub(crate) struct JobScope {
    /// Never zero, as 0 means no job, and never reused, as caches are keyed by it.
    pub(crate) id: u64,
    pub(crate) metadata: JobMetadata,
    /// The attributes beside the fixed ones, of the metadata and of `job::set`, in the order of first
    /// use. Keys are unique.
    added: RwLock<Vec<KeyValue>>,
    /// Counts changes of `added`. With the id, it is the key of caches.
    generation: AtomicU64,
    /// That of the whole job.
    pub(crate) account: Arc<Account>,
}

/// The job as a `Context` value. Its type is private, so only this crate can set it.
#[derive(Clone, Debug)]
pub(crate) struct JobScopeValue(pub(crate) Arc<JobScope>);

impl JobScope {
    pub(crate) fn new(metadata: JobMetadata) -> Arc<Self> {
        Self::of_account(metadata, Account::new())
    }

    fn of_account(metadata: JobMetadata, account: Arc<Account>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (added, generation) = (RwLock::new(metadata.further().collect()), AtomicU64::new(0));
        Arc::new(Self { id, metadata, added, generation, account })
    }

    /// A scope for one step of this job. It starts with the attributes added so far.
    pub(crate) fn with_step(&self, step: String) -> Arc<Self> {
        let scope = Self::of_account(self.metadata.clone().with_step(step), Arc::clone(&self.account));
        *scope.added.write().unwrap_or_else(PoisonError::into_inner) = self.added();
        scope
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Sets an attribute. Returns whether that changed anything.
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

    /// All stamps of this job, as attributes of a record.
    pub(crate) fn record_stamps(&self, keys: &Keys) -> Vec<(Key, AnyValue)> {
        let fixed = self.metadata.stamps(keys).map(|(name, value)| {
            let value = match value {
                Cow::Borrowed(value) => (*value).into(),
                // Clones of the value then share one allocation.
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

/// Which job, in which state. Part of the version of inherited attributes.
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
