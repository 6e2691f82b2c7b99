//! [`JobSpanProcessor`]: puts the job's stamps on every span, however it is started.

use std::time::Duration;

use opentelemetry::trace::Span as _;
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use crate::correlate::start_guard;
use crate::job_scope::{of_context, JobScope};
use crate::keys::Keys;

/// Stamps each span with the metadata of its job when it starts.
///
/// Spans do not inherit attributes, so a store finds all spans of a job only if each carries the
/// job itself: those of `#[instrument]`, of libraries, and of the OpenTelemetry API.
///
/// The job is that of the span being started, if a layer of this crate knows it, and otherwise that
/// of the parent `Context`. It is never the current job of the starting thread. A
/// [`SpanLayer`](crate::SpanLayer) already stamps spans when they are created, so that samplers see
/// the stamps; then this processor only adds the attributes of [`job::set`](super::set).
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

    /// Sets the attribute names of the stamps.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys }
    }

    /// Adds the job's stamps that the span lacks, unless it carries the ids of another job.
    ///
    /// Copies the span's data, as the SDK has no other way to read an attribute.
    fn stamp(&self, span: &mut Span, scope: &JobScope, added: &[KeyValue]) {
        let Some(data) = span.exported_data() else { return };
        let find = |key: &str| data.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        for (name, value) in scope.metadata.stamps(&self.keys).filter(|(name, _)| self.keys.is_id(name)) {
            if find(name).is_some_and(|own| own.value.as_str() != *value) {
                return;
            }
        }
        for (name, value) in scope.metadata.stamps(&self.keys) {
            let is_added = added.iter().any(|added| added.key.as_str() == name);
            if !is_added && find(name).is_none() {
                span.set_attribute(KeyValue::new(name, value.clone()));
            }
        }
        for stamp in added {
            if find(stamp.key.as_str()).is_none() {
                span.set_attribute(stamp.clone());
            }
        }
    }
}

impl SpanProcessor for JobSpanProcessor {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        let Some(state) = start_guard::span_being_started() else {
            // No guard named it: it was started through the OpenTelemetry API, or by
            // `Span::context()`.
            if let Some(scope) = of_context(parent) {
                self.stamp(span, scope, &scope.added());
            }
            return;
        };
        match (state.job(), of_context(parent)) {
            // An op writes all its attributes itself, in order.
            (Some(_), _) if state.is_stamped() && state.op.is_some() => {}
            (Some(_), _) if state.is_stamped() => {
                for stamp in state.added_stamps() {
                    span.set_attribute(stamp.clone());
                }
            }
            (Some(scope), _) => self.stamp(span, scope, &state.job_added),
            // It was created outside any job, and then got a parent inside one.
            (None, Some(scope)) => {
                state.set_parent_job(scope);
                self.stamp(span, scope, &scope.added());
            }
            (None, None) => {}
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
