//! Copies of log events as events of their span.

use std::time::SystemTime;

use opentelemetry::logs::Severity;
use opentelemetry::{Key, KeyValue};
use tracing::Event;
use tracing_log::NormalizeEvent;

use crate::correlate::sidecar;
use crate::correlate::sidecar::Sidecar;
use crate::event::callsite::CallsiteInfo;
use crate::event::visitor::EventVisitor;
use crate::fields::Fields;
use crate::format::Limit;
use crate::keys::is_control;
use crate::record::inherited::InheritedAttributes;
use crate::record::{Ids, Record};
use crate::stats::Counters;
use crate::value::{span_value, Value};

/// The name and the attributes that a span's event has in common with the event's record.
///
/// Filled by the same code as records, so that both show a value alike.
#[derive(Debug)]
pub(crate) struct SpanEvent {
    pub(crate) name: String,
    pub(crate) attributes: Vec<KeyValue>,
}

impl SpanEvent {
    /// Formats the event, which runs user code: no lock may be held.
    pub(crate) fn of(event: &Event<'_>, counters: &Counters) -> Self {
        let metadata = event.metadata();
        let (callsite, log) = (CallsiteInfo::of(metadata), event.normalized_metadata());
        let target = log.map_or(KeyValue::new("target", metadata.target()), |log| {
            KeyValue::new("target", log.target().to_owned())
        });
        // First, because the SDK drops the last attributes beyond its limit.
        let attributes = vec![KeyValue::new("level", metadata.level().as_str()), target];
        let mut own = Self { name: String::new(), attributes };
        let sidecar = if callsite.may_have_sidecar { sidecar::take() } else { None };
        // The SDK has no limit for the values of a span.
        let mut fields = Fields(EventVisitor::new(&mut own, None, callsite, Limit::NONE, counters));
        match sidecar.as_ref().and_then(Sidecar::message) {
            Some(message) => fields.0.message(message),
            None => event.record(&mut fields),
        }
        fields.0.finish();
        for (key, value) in
            sidecar.iter().flat_map(Sidecar::iter).filter(|(key, _)| !is_control(key.as_str()))
        {
            own.add_attribute(key.clone(), Value::Any(value));
        }
        if let Some(sidecar) = sidecar {
            sidecar::restore(sidecar);
        }
        if own.name.is_empty() {
            // OTLP does not allow an empty one.
            metadata.name().clone_into(&mut own.name);
        }
        own
    }
}

impl Record for SpanEvent {
    /// The span reads the clock when it gets the event.
    fn set_time(&mut self, _: SystemTime) {}

    /// The level is an attribute, as tracing-opentelemetry has it.
    fn set_severity(&mut self, _: Severity) {}

    /// It becomes the body of an event without a message.
    fn set_event_name(&mut self, _: &'static str) {}

    fn set_run_time_name(&mut self, _: &str) -> bool {
        true
    }

    fn set_trace_context(&mut self, _: Option<&Ids>) {}

    fn set_body(&mut self, body: Value<'_>) {
        self.name = span_value(body).to_string();
    }

    /// A field that is called `level` or `target` takes the place of ours: keys are unique.
    fn add_attribute(&mut self, key: Key, value: Value<'_>) {
        let value = span_value(value);
        match self.attributes.iter_mut().find(|known| known.key == key) {
            Some(known) => known.value = value,
            None => self.attributes.push(KeyValue::new(key, value)),
        }
    }

    /// They are attributes of the span, or of those around it.
    fn add_inherited(&mut self, _: &InheritedAttributes) {}

    fn set_dropped_attributes(&mut self, _: u32) {}
}
