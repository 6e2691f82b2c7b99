//! Job metadata: which job, execution and step the code on this thread works for.
//!
//! Beside the walk: [`layer`](crate::LogLayer) asks this module for the stamps of a record,
//! [`SpanLayer`](crate::SpanLayer) and [`JobSpanProcessor`] for those of a span.
//!
//! A job is carried twice: as a value in the OpenTelemetry `Context`, so that everything that hands
//! a `Context` on hands the job on; and on a thread-local stack of scopes and entered spans (in
//! `correlate`), because the `Context` alone loses the job where a span from outside the scope is
//! entered inside it.

pub(crate) mod processor;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Key, KeyValue, Value};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::correlate::{ambient, current};
use crate::job_scope::JobScope;

pub use self::processor::JobSpanProcessor;
pub use crate::correlate::carry::{carry, thread, FutureExt, WithJob};
#[cfg(feature = "tokio")]
pub use crate::correlate::carry::{spawn, spawn_blocking};
pub use crate::metadata::JobMetadata;
pub use crate::op::execution::{execution, Execution};

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
    ambient::ambient_job().map(|scope| scope.metadata.clone())
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
    let is_new = match ambient::ambient_job() {
        Some(scope) => scope.set(added.clone()),
        None => true,
    };
    current::on_current_span(
        |span, state| {
            // Each span remembers what it was told; another one may have been told the same.
            if state.is_none_or(|state| state.insert_set_stamp(&added)) {
                span.set_attribute(added.key.clone(), added.value.clone());
            }
        },
        |cx| {
            if is_new {
                cx.span().set_attribute(added.clone());
            }
        },
    );
}
