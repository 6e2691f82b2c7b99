//! The span processor that gives each span to the capture that it belongs to.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span as SdkSpan, SpanData, SpanProcessor};

use crate::correlate::start_guard;
use crate::testing::route;
use crate::testing::span::Span;

#[derive(Debug)]
pub(crate) struct CaptureProcessor;

impl SpanProcessor for CaptureProcessor {
    fn on_start(&self, span: &mut SdkSpan, _parent: &Context) {
        let Some(data) = span.exported_data() else { return };
        let created = start_guard::span_being_started().map(|state| Arc::as_ptr(&state) as usize);
        match route::of_span(data.span_context.span_id(), data.parent_span_id, created) {
            Some(kept) => kept.put_span(Span::of(data)),
            None => route::stray_span(data.span_context.span_id(), &data.name),
        }
    }

    fn on_end(&self, span: SpanData) {
        if let Some(kept) = route::of_ended_span(span.span_context.span_id()) {
            kept.put_span(Span::ended(span));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
