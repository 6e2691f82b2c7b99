//! Plain data of a record, on either road: read from the SDK's, or filled by a [`LogLayer`].

use std::fmt::Write;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::{Key, TraceFlags};
use opentelemetry_sdk::logs::SdkLogRecord;

use super::recorder::Recorder;
use crate::correlate::Ids;
use crate::graph::call::unix_nano;
use crate::graph::record::{Level, LogRecord};
use crate::inherit::Block;
use crate::layer::LogLayer;
use crate::record::{Record, Records, Target, Value};

/// `None` for one of a span that is not sampled: that span never comes.
pub(super) fn of_sdk(record: &SdkLogRecord) -> Option<LogRecord> {
    let ids = record.trace_context().filter(|ids| ids.span_id != opentelemetry::SpanId::INVALID);
    if ids.is_some_and(|ids| !ids.trace_flags.is_some_and(|flags| flags.is_sampled())) {
        return None;
    }
    let time = record.timestamp().or(record.observed_timestamp());
    Some(LogRecord {
        trace_id: ids.map(|ids| ids.trace_id),
        span_id: ids.map(|ids| ids.span_id),
        time_unix_nano: time.map_or(0, unix_nano),
        level: record.severity_number().map_or(Level::Unspecified, |number| Level::of_number(number as i64)),
        target: record.target().map_or_else(String::new, |target| target.to_string()),
        event_name: record.event_name().unwrap_or_default().to_owned(),
        body: record.body().map_or_else(String::new, text_of),
        attributes: record.attributes_iter().map(|(key, value)| (key.to_string(), text_of(value))).collect(),
    })
}

fn text_of(value: &AnyValue) -> String {
    let mut text = String::new();
    put(&mut text, Value::Any(value));
    text
}

fn put(text: &mut String, value: Value<'_>) {
    // Writing to a string does not fail.
    let _ = match value {
        Value::Bool(value) => write!(text, "{value}"),
        Value::I64(value) => write!(text, "{value}"),
        Value::F64(value) => write!(text, "{value}"),
        Value::Str(value) => text.write_str(value),
        Value::Bytes(value) => write!(text, "{}", value.escape_ascii()),
        Value::Any(AnyValue::Int(value)) => write!(text, "{value}"),
        Value::Any(AnyValue::Double(value)) => write!(text, "{value}"),
        Value::Any(AnyValue::String(value)) => text.write_str(value.as_str()),
        Value::Any(AnyValue::Boolean(value)) => write!(text, "{value}"),
        Value::Any(AnyValue::Bytes(value)) => write!(text, "{}", value.escape_ascii()),
        Value::Any(AnyValue::ListAny(values)) => {
            let values: Vec<_> = values.iter().map(text_of).collect();
            write!(text, "[{}]", values.join(","))
        }
        Value::Any(AnyValue::Map(values)) => {
            let mut values: Vec<_> =
                values.iter().map(|(key, value)| format!("{key}:{}", text_of(value))).collect();
            values.sort_unstable();
            write!(text, "{{{}}}", values.join(","))
        }
        Value::Any(_) => Ok(()),
    };
}

impl LogLayer<Recorder> {
    /// A layer that gives records to a recorder, and to nobody else.
    ///
    /// For where no logger provider is that could have the recorder as its processor, as beside a
    /// [direct](LogLayer::direct) layer: its records are bytes before anybody could see them. It costs what making
    /// one more record does. A recorder gets its records in one way only, or it has them twice.
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

/// A record being filled for a recorder.
#[derive(Debug, Default)]
pub struct Draft {
    record: LogRecord,
    flags: TraceFlags,
}

impl Records for Recorder {
    type Record<'a> = Draft;
    type Memory = ();

    fn is_enabled(&self, _: Severity, _: &str, _: impl FnOnce() -> Option<&'static str>) -> bool {
        true
    }

    fn memory(&self) {}

    fn open<'a>(&'a self, _memory: &'a mut (), target: Target<'a>) -> Draft {
        let (Target::Static(target) | Target::Short(target)) = target;
        let mut draft = Draft::default();
        target.clone_into(&mut draft.record.target);
        draft
    }

    fn add_block(&self, draft: &mut Draft, block: &Block) {
        for (key, value) in &block.attributes {
            draft.record.attributes.push((key.to_string(), text_of(value)));
        }
    }

    fn emit(&self, draft: Draft) {
        if draft.record.span_id.is_none() || draft.flags.is_sampled() {
            self.keep_record(draft.record);
        }
    }
}

impl Record for Draft {
    fn set_time(&mut self, time: SystemTime) {
        self.record.time_unix_nano = unix_nano(time);
    }

    fn set_severity(&mut self, severity: Severity) {
        self.record.level = Level::of_number(severity as i64);
    }

    fn set_event_name(&mut self, name: &'static str) {
        name.clone_into(&mut self.record.event_name);
    }

    fn set_trace_context(&mut self, ids: Option<&Ids>) {
        self.record.trace_id = ids.map(|ids| ids.trace_id);
        self.record.span_id = ids.map(|ids| ids.span_id);
        self.flags = ids.map_or_else(TraceFlags::default, |ids| ids.flags);
    }

    fn set_body(&mut self, body: Value<'_>) {
        self.record.body.clear();
        put(&mut self.record.body, body);
    }

    fn add_attribute(&mut self, key: Key, value: Value<'_>) {
        let mut text = String::new();
        put(&mut text, value);
        self.record.attributes.push((key.to_string(), text));
    }

    fn set_dropped_attributes(&mut self, _count: u32) {}
}
