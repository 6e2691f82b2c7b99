//! Job metadata: which job, execution and step the code on this thread works for.
//!
//! Beside the walk: [`layer`](crate::LogLayer) asks this module for the stamps of a record,
//! [`SpanLayer`](crate::SpanLayer) and [`JobSpanProcessor`] for those of a span.
//!
//! A job is carried twice: as a value in the OpenTelemetry `Context`, so that everything that hands
//! a `Context` on hands the job on; and on a thread-local stack of scopes and entered spans (in
//! `correlate`), because the `Context` alone loses the job where a span from outside the scope is
//! entered inside it.

mod carry;
mod execution;
mod processor;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, Key, KeyValue, Value};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::correlate;
use crate::keys::{self, Keys, JOB_KEYS};

pub use self::carry::{carry, thread, FutureExt, WithJob};
#[cfg(feature = "tokio")]
pub use self::carry::{spawn, spawn_blocking};
pub use self::execution::{execution, Execution};
pub use self::processor::JobSpanProcessor;

/// What a job is known by: two ids that it must have, and names that it may have.
///
/// An empty value is an absent one: it stamps nothing.
///
/// ```
/// use spanlog::{job, JobMetadata};
///
/// let metadata = JobMetadata::new("job-1", "exec-1").with_group("deploys").with_org_id("org-7");
/// job::scope(metadata, || {
///     assert_eq!(job::current().unwrap().execution_id(), "exec-1");
///     tracing::info!("this record, and every span started here, carries the job");
/// });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JobMetadata {
    /// In the order of [`Keys::job`].
    values: [Cow<'static, str>; JOB_KEYS],
}

impl JobMetadata {
    /// The metadata of one execution of a job.
    pub fn new(job_id: impl Into<Cow<'static, str>>, execution_id: impl Into<Cow<'static, str>>) -> Self {
        let mut metadata = Self::default();
        metadata.values[0] = job_id.into();
        metadata.values[1] = execution_id.into();
        metadata
    }

    /// The value at an index of [`Keys::job`]; empty if there is none.
    pub(crate) fn value(&self, index: usize) -> &str {
        &self.values[index]
    }

    /// Name and value of everything that is not empty, under `keys`.
    pub(crate) fn stamps(
        &self,
        keys: &Keys,
    ) -> impl Iterator<Item = (&'static str, &Cow<'static, str>)> + '_ {
        let names: [&'static str; JOB_KEYS] = std::array::from_fn(|index| keys.job()[index]);
        names.into_iter().zip(&self.values).filter(|(_, value)| !value.is_empty())
    }
}

macro_rules! values {
    ($($index:literal, $get:ident, $with:ident, $what:literal;)*) => {
        impl JobMetadata {
            $(
                #[doc = concat!("The ", $what, "; empty if there is none.")]
                pub fn $get(&self) -> &str {
                    &self.values[$index]
                }

                #[doc = concat!("Sets the ", $what, ".")]
                #[must_use]
                pub fn $with(mut self, value: impl Into<Cow<'static, str>>) -> Self {
                    self.values[$index] = value.into();
                    self
                }
            )*
        }
    };
}

values! {
    0, job_id, with_job_id, "job id";
    1, execution_id, with_execution_id, "execution id";
    2, step, with_step, "step name";
    3, group, with_group, "job's group";
    4, operation, with_operation, "job's operation";
    5, executor, with_executor, "executor";
    6, org_id, with_org_id, "organisation id";
    7, install_id, with_install_id, "install id";
    8, log_stream_id, with_log_stream_id, "log stream id";
}

/// Runs `work` inside the job: records logged and spans started in it carry `metadata`.
///
/// An inner scope replaces the whole value of an outer one; nothing is merged
/// ([`JobMetadata::with_step`] derives a value). There is no guard type on purpose: a guard held
/// across an `.await` would stamp other tasks. For futures there is [`FutureExt::with_job`].
pub fn scope<T>(metadata: JobMetadata, work: impl FnOnce() -> T) -> T {
    JobScope::new(metadata).run(work)
}

/// The metadata of the job that the calling code runs in, if it runs in one.
pub fn current() -> Option<JobMetadata> {
    correlate::ambient_job().map(|scope| scope.metadata.clone())
}

/// Adds a stamp while the job runs: on the current span, on every later record of this scope, and
/// on every span started later in it.
///
/// The last value of a key wins. Outside any job only the current span gets it.
///
/// The current span is the innermost active one. The SDK appends where the specification says
/// overwrite, so a key that is set to two different values on one span is there twice.
pub fn set(key: impl Into<Key>, value: impl Into<Value>) {
    let (key, value) = (key.into(), value.into());
    let added = KeyValue::new(key, value);
    let fresh = match correlate::ambient_job() {
        Some(scope) => scope.set(added.clone()),
        None => true,
    };
    correlate::on_current_span(
        |span, state| {
            // Each span remembers what it was told; another one may have been told the same.
            if state.is_none_or(|state| state.note_set(&added)) {
                span.set_attribute(added.key.clone(), added.value.clone());
            }
        },
        |cx| {
            if fresh {
                cx.span().set_attribute(added.clone());
            }
        },
    );
}

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
pub(crate) struct JobValue(pub(crate) Arc<JobScope>);

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

    /// Runs `work` with this job as the innermost one, on the stack and in the `Context`.
    pub(crate) fn run<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        // Order matters on the way out: the guards drop in reverse.
        let _context = correlate::attach_job(self);
        let _entered = correlate::enter_scope(self);
        work()
    }

    /// Returns whether the value is new or changed.
    fn set(&self, added: KeyValue) -> bool {
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
        let added = self.added().into_iter().filter(|added| !crate::fields::is_control(added.key.as_str()));
        let added = added.map(|added| (added.key, crate::fields::any_value(added.value)));
        fixed.chain(added).collect()
    }
}

/// `cx` with the job that the calling code runs in, unless it carries one.
pub(crate) fn with_ambient(cx: &Context) -> Context {
    let ambient = if of_context(cx).is_none() { correlate::ambient_job() } else { None };
    ambient.map_or_else(|| cx.clone(), |scope| cx.with_value(JobValue(scope)))
}

/// The job that a `Context` carries.
pub(crate) fn of_context(cx: &Context) -> Option<&Arc<JobScope>> {
    cx.get::<JobValue>().map(|value| &value.0)
}
