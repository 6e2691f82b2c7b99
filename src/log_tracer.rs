//! [`LogTracer`]: turns records of the `log` facade into events, with their key-values.

use log::kv::{Key, Value, VisitSource};
use log::{kv, Log, Metadata, Record};
use opentelemetry::logs::AnyValue;

use crate::correlate::{ambient, sidecar};
use crate::error::Error;
use crate::format::{with_text, Limit};

/// Sends the records of the `log` crate through `tracing`, their key-values included.
///
/// Unlike tracing-log's own `LogTracer`, it keeps the key-values; otherwise the two are the same. A
/// [`LogLayer`](crate::LogLayer) treats the events of both alike: the record's real target is the
/// scope, and the `log.*` fields are metadata. Other layers do not see the key-values, as tracing's
/// fields have static names.
///
/// It drops what is logged while telemetry is suppressed: the lines of an exporter's client.
///
/// ```
/// spanlog::LogTracer::install(log::LevelFilter::Info).unwrap();
/// log::info!(user = "ann"; "logged in");
/// ```
#[derive(Debug, Default)]
pub struct LogTracer {
    inner: tracing_log::LogTracer,
}

impl LogTracer {
    /// A logger for `log::set_boxed_logger`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets it as the logger of the process, for records up to `level`.
    ///
    /// # Errors
    ///
    /// If the process already has a logger.
    pub fn install(level: log::LevelFilter) -> Result<(), Error> {
        log::set_boxed_logger(Box::new(Self::new()))
            .map_err(|_| Error::already_set("the logger of the `log` crate"))?;
        log::set_max_level(level);
        Ok(())
    }
}

impl Log for LogTracer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        // What an exporter's client logs is for no layer, whoever wrote it.
        if self.inner.enabled(record.metadata()) && !ambient::is_suppressed() {
            let mut pairs = Pairs(Vec::new());
            // If the source fails, the pairs before that are kept.
            let _ = record.key_values().visit(&mut pairs);
            sidecar::with_attributes(pairs.0, || self.inner.log(record));
        }
    }

    fn flush(&self) {}
}

/// Collects key-values. The last value of a key wins.
struct Pairs(Vec<(opentelemetry::Key, AnyValue)>);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let key = opentelemetry::Key::from(key.as_str().to_owned());
        self.0.retain(|(known, _)| *known != key);
        self.0.push((key, any_value(&value)));
        Ok(())
    }
}

/// Converts like [`Fields`](crate::fields::Fields): what fits keeps its type, the rest becomes
/// text.
fn any_value(value: &Value<'_>) -> AnyValue {
    if let Some(value) = value.to_bool() {
        AnyValue::Boolean(value)
    } else if let Some(value) = value.to_i64() {
        AnyValue::Int(value)
    } else if let Some(value) = value.to_borrowed_str() {
        AnyValue::String(value.to_owned().into())
    } else if let Some(value) =
        value.to_f64().filter(|_| value.to_u128().is_none() && value.to_i128().is_none())
    {
        AnyValue::Double(value)
    } else {
        let mut text = AnyValue::String("".into());
        with_text(Limit::NONE, format_args!("{value}"), |formatted| {
            text = AnyValue::String(formatted.to_owned().into());
        });
        text
    }
}
