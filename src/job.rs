//! Job metadata: which job, execution and step the code on this thread works for.
//!
//! [`LogLayer`](crate::LogLayer) stamps records with the current job,
//! [`SpanLayer`](crate::SpanLayer) and [`JobSpanProcessor`] stamp spans.
//!
//! A job is carried in two ways: as a value in the OpenTelemetry `Context`, so that it goes
//! wherever a `Context` is passed; and on a thread-local stack of job scopes and entered spans,
//! because the `Context` alone loses the job when a span from outside the scope is
//! entered inside it.

pub(crate) mod log_processor;
pub(crate) mod processor;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Key, KeyValue, Value};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::correlate::{ambient, current};
use crate::job_scope::JobScope;

pub use self::log_processor::JobLogProcessor;
pub use self::processor::JobSpanProcessor;
pub use crate::correlate::with_job::{FutureExt, WithJob};
pub use crate::job_account::Tally;
pub use crate::metadata::JobMetadata;
pub use crate::op::execution::{execution, step, Execution};
pub use crate::op::receipt::{close, Receipt};
pub use crate::task::{carry, handle, thread, Handle};
#[cfg(feature = "tokio")]
pub use crate::task::{spawn, spawn_blocking};

/// Runs `work` inside the job: records logged and spans started in it carry `metadata`.
///
/// An inner scope replaces the metadata of an outer one; the two are not merged. There is
/// deliberately no guard type: a guard held across an `.await` would stamp other tasks. For futures
/// there is [`FutureExt::with_job`].
pub fn scope<T>(metadata: JobMetadata, work: impl FnOnce() -> T) -> T {
    JobScope::new(metadata).run(work)
}

/// The metadata of the current job, if the calling code runs in one.
pub fn current() -> Option<JobMetadata> {
    ambient::ambient_job().map(|scope| scope.metadata.clone())
}

/// Adds an attribute to the running job: to the current span, to every later record of this job
/// scope, and to every span started later in it.
///
/// The last value of a key wins. Outside any job, only the current span gets it.
///
/// The current span is the innermost active one. It does not get the attribute if no layer of this
/// crate has entered it, nor while a span is being started on this thread, as in a sampler or a
/// processor's `on_start`: the span's lock is held then.
///
/// The SDK appends attributes where the specification says that they are overwritten, so a key that
/// is set to two different values appears twice on the span.
pub fn set(key: impl Into<Key>, value: impl Into<Value>) {
    let (key, value) = (key.into(), value.into());
    let added = KeyValue::new(key, value);
    let is_new = match ambient::ambient_job() {
        Some(scope) => scope.set(added.clone()),
        None => true,
    };
    current::on_current_span(
        |span, state| {
            // The span tracks what is set on it: the same value may have been set on another span
            // only.
            if state.insert_set_stamp(&added) {
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
