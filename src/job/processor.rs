//! [`JobSpanProcessor`]: the job's stamps on every span, whoever started it.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::Span as _;
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::JobScope;
use crate::correlate;
use crate::keys::Keys;

/// Stamps each span, when it starts, with the job that it belongs to.
///
/// Span attributes do not inherit, so a store can find a job's spans only if each carries the job
/// itself: those of `#[instrument]`, of libraries, and of the OpenTelemetry API.
///
/// The job is that of the span being started, where a layer of this crate knows it, else that of
/// the parent `Context`; never that of whatever happens to be current on the starting thread. A
/// [`SpanLayer`](crate::SpanLayer) stamps its spans already when they are created, where samplers
/// see it; then this processor adds what [`job::set`](super::set) added.
///
/// ```
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use spanlog::JobSpanProcessor;
///
/// let provider = SdkTracerProvider::builder()
///     .with_span_processor(JobSpanProcessor::new()) // before the exporting processor
///     .build();
/// # drop(provider);
/// ```
#[derive(Debug, Default)]
pub struct JobSpanProcessor {
    keys: Keys,
}

impl JobSpanProcessor {
    /// A processor that stamps under the default [`Keys`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the names of the stamps.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys }
    }

    fn stamp(&self, span: &mut Span, scope: &JobScope, added: &[KeyValue]) {
        for (name, value) in scope.metadata.stamps(&self.keys) {
            span.set_attribute(KeyValue::new(name, value.clone()));
        }
        for stamp in added {
            span.set_attribute(stamp.clone());
        }
    }

    /// A span that is started behind our back, by the API or by `Span::context()`.
    fn stamp_from_context(&self, span: &mut Span, scope: &Arc<JobScope>) {
        if correlate::span_layer_exists() && self.is_stamped(span) {
            // Created through a `SpanLayer`, which saw the job at creation; the parent's may be another.
            return;
        }
        self.stamp(span, scope, &scope.added());
    }

    /// Copies the span's data: there is no other way to read an attribute. So this is asked only
    /// about spans that nobody announced, and only where a `SpanLayer` exists.
    fn is_stamped(&self, span: &Span) -> bool {
        span.exported_data().is_some_and(|data| {
            data.attributes.iter().any(|attribute| self.keys.job().contains(&attribute.key.as_str()))
        })
    }
}

impl SpanProcessor for JobSpanProcessor {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        match correlate::span_being_started() {
            Some(state) => match &state.job {
                // An op writes all its attributes itself, in their order.
                Some(_) if state.is_stamped() && state.op.is_some() => {}
                Some(_) if state.is_stamped() => {
                    for stamp in &state.job_added {
                        span.set_attribute(stamp.clone());
                    }
                }
                Some(scope) => self.stamp(span, scope, &state.job_added),
                None => {}
            },
            None => {
                if let Some(scope) = super::of_context(parent) {
                    self.stamp_from_context(span, scope);
                }
            }
        }
    }

    fn on_end(&self, _span: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
