//! [`LogLayer::recording`]: a layer whose records go to a [`Recorder`].
//!
//! The only file that uses both the layer and the graph.

use std::time::SystemTime;

use opentelemetry::logs::Severity;
use opentelemetry::{Key, TraceFlags};

use crate::graph::moment::unix_nano;
use crate::graph::record::{LogRecord, RecordLevel};
use crate::graph::value::ValueText;
use crate::layer::LogLayer;
use crate::record::inherited::InheritedAttributes;
use crate::record::{Ids, Record, Records, Target};
use crate::stats::Thread;
use crate::value::Value;

pub(crate) use crate::graph::live::recorder::Recorder;

impl LogLayer<Recorder> {
    /// A layer that only feeds a recorder.
    ///
    /// For set-ups without a logger provider to which the recorder could be added as a processor,
    /// such as a [direct](LogLayer::direct) layer. Each event is then recorded a second time, for
    /// the graph. Use either this or the processor: with both, the recorder has every record twice.
    ///
    /// ```
    /// use opentelemetry::trace::TracerProvider;
    /// use opentelemetry_sdk::trace::SdkTracerProvider;
    /// use spanlog::{graph::Recorder, LogLayer, SpanLayer};
    /// use tracing_subscriber::layer::SubscriberExt;
    ///
    /// let recorder = Recorder::default();
    /// let traces = SdkTracerProvider::builder().with_span_processor(recorder.clone()).build();
    /// let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("app"));
    /// let subscriber = tracing_subscriber::registry()
    ///     .with(SpanLayer::new(spans))
    ///     .with(LogLayer::recording(recorder.clone()));
    /// tracing::subscriber::with_default(subscriber, || {
    ///     tracing::info_span!("deploy").in_scope(|| tracing::info!("under way"));
    /// });
    /// let graph = recorder.graph();
    /// assert_eq!(graph.roots().next().unwrap().records()[0].body, "under way");
    /// ```
    pub fn recording(recorder: Recorder) -> Self {
        let keys = recorder.keys();
        Self::of_records(recorder).with_keys(keys)
    }
}

/// A record being filled for a [`Recorder`].
#[derive(Debug, Default)]
pub struct Draft {
    record: LogRecord,
    /// To drop records of spans that are not sampled, as the graph has no such spans.
    flags: TraceFlags,
}

impl Records for Recorder {
    type Record<'a> = Draft;
    type Permit<'a> = ();

    fn reserve(&self, _: Thread, _: Severity) -> Option<()> {
        Some(())
    }

    fn open<'a>(&'a self, _: (), target: Target<'a>) -> Draft {
        let (Target::Static(target) | Target::Borrowed(target)) = target;
        let mut draft = Draft::default();
        target.clone_into(&mut draft.record.target);
        draft
    }

    fn emit(&self, draft: Draft) -> bool {
        if draft.record.span_id.is_none() || draft.flags.is_sampled() {
            self.add_record(draft.record);
        }
        true
    }
}

impl Record for Draft {
    fn set_time(&mut self, time: SystemTime) {
        self.record.time_unix_nano = unix_nano(time);
    }

    fn set_severity(&mut self, severity: Severity) {
        self.record.level = RecordLevel::of_number(severity as i64);
    }

    fn set_event_name(&mut self, name: &'static str) {
        name.clone_into(&mut self.record.event_name);
    }

    fn set_run_time_name(&mut self, name: &str) -> bool {
        name.clone_into(&mut self.record.event_name);
        true
    }

    fn set_trace_context(&mut self, ids: Option<&Ids>) {
        self.record.trace_id = ids.map(|ids| ids.trace_id);
        self.record.span_id = ids.map(|ids| ids.span_id);
        self.flags = ids.map_or_else(TraceFlags::default, |ids| ids.flags);
    }

    fn set_body(&mut self, body: Value<'_>) {
        self.record.body = text(body);
    }

    fn add_attribute(&mut self, key: Key, value: Value<'_>) {
        self.record.attributes.push((key.to_string(), text(value)));
    }

    fn add_inherited(&mut self, inherited: &InheritedAttributes) {
        for (key, value) in &inherited.attributes {
            self.record.attributes.push((key.to_string(), ValueText::from(value).text));
        }
    }

    fn set_dropped_attributes(&mut self, _count: u32) {}
}

fn text(value: Value<'_>) -> String {
    let value = match value {
        Value::Bool(value) => ValueText::literal(value),
        Value::I64(value) => ValueText::literal(value),
        Value::F64(value) => ValueText::double(value),
        Value::Str(value) => ValueText::string(value),
        Value::Bytes(value) => ValueText::bytes(value),
        Value::Any(value) => ValueText::from(value),
    };
    value.text
}
