//! How much of a record is kept, and what goes first when it is too much.

use std::cell::OnceCell;
use std::env;
use std::sync::Arc;

use opentelemetry::logs::AnyValue;
use opentelemetry::Key;
use opentelemetry_semantic_conventions::attribute as semconv;
use tracing::Metadata;

use crate::diagnostics;
use crate::fields::{cut, Gathered, Limit};
use crate::inherit::Block;
use crate::keys;
use crate::record::{Record, Value};
use crate::stats::Counters;

/// Limits of one record, as the specification has them for [attributes]. They never touch the body.
///
/// When the count bites, inherited fields go first, those of the outermost span before all, then
/// the event's last ones. Stamps of the job and op stay. What goes is counted in [`Stats`](crate::Stats).
///
/// [attributes]: https://opentelemetry.io/docs/specs/otel/common/#attribute-limits
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    attribute_count: usize,
    value_length: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { attribute_count: 128, value_length: None }
    }
}

impl Limits {
    /// The limits that `OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT`, `OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT`
    /// and their general forms (`OTEL_ATTRIBUTE_…`) set; the record's own form goes first.
    ///
    /// An unusable value is reported once through the diagnostics and ignored.
    pub fn from_env() -> Self {
        let default = Self::default();
        Self {
            attribute_count: number("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT")
                .or_else(|| number("OTEL_ATTRIBUTE_COUNT_LIMIT"))
                .unwrap_or(default.attribute_count),
            value_length: number("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT")
                .or_else(|| number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")),
        }
    }

    /// Sets the most attributes that a record has. Default: 128.
    #[must_use]
    pub fn with_attribute_count(self, attribute_count: usize) -> Self {
        Self { attribute_count, ..self }
    }

    /// Sets the most bytes that a string value has. Default: unlimited.
    ///
    /// A longer string ends on the last character boundary before.
    #[must_use]
    pub fn with_value_length(self, bytes: usize) -> Self {
        Self { value_length: Some(bytes), ..self }
    }

    #[inline]
    pub(crate) fn attribute_count(&self) -> usize {
        self.attribute_count
    }

    #[inline]
    pub(crate) fn value_length(&self) -> Limit {
        self.value_length.map_or(Limit::NONE, Limit)
    }

    /// Cuts the strings of a value that came ready-made, where they are too long.
    pub(crate) fn cut(&self, value: AnyValue) -> AnyValue {
        match value {
            AnyValue::String(text) if text.as_str().len() > self.value_length().0 => {
                let kept: Arc<str> = cut(text.as_str(), self.value_length()).into();
                AnyValue::String(kept.into())
            }
            AnyValue::ListAny(values) => values.into_iter().map(|value| self.cut(value)).collect(),
            value => value,
        }
    }
}

/// An environment variable that is a number; empty is unset.
fn number(name: &str) -> Option<usize> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    let number = value.to_str().and_then(|value| value.trim().parse().ok());
    if number.is_none() {
        diagnostics::report_once(format_args!(
            "{name} is {value:?}, which is no number of at least 0; it is ignored"
        ));
    }
    number
}

/// Writes inherited and own attributes where their keys may meet or the count limit may bite.
pub(crate) fn write_gathered<R: Record>(
    record: &mut R,
    block: &Block,
    own: Gathered,
    limits: Limits,
    counters: &Counters,
) {
    let overridden = |key: &Key| own.0.iter().any(|(known, _)| known == key);
    let (stamps, fields) = block.attributes.split_at(block.stamps);
    let stamps: Vec<_> = stamps.iter().filter(|(key, _)| !overridden(key)).collect();
    let fields: Vec<_> = fields.iter().filter(|(key, _)| !overridden(key)).collect();

    let room = limits.attribute_count.saturating_sub(stamps.len());
    let kept_own = own.0.len().min(room);
    let kept_fields = fields.len().min(room - kept_own);
    let dropped = own.0.len() - kept_own + fields.len() - kept_fields;

    for (key, value) in stamps.into_iter().chain(fields[fields.len() - kept_fields..].iter().copied()) {
        record.add_attribute(key.clone(), Value::Any(value));
    }
    for (key, value) in &own.0[..kept_own] {
        record.add_attribute(key.clone(), Value::Any(value));
    }
    if dropped > 0 {
        counters.dropped_attributes(dropped as u64);
        record.set_dropped_attributes(u32::try_from(dropped).unwrap_or(u32::MAX));
    }
}

/// Attributes that a layer adds on request, behind the event's own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extras {
    location: bool,
    threads: bool,
    /// Every key that may be written.
    pub(crate) keys: &'static [&'static str],
}

const ALL: [&str; 5] = [
    semconv::CODE_FILE_PATH,
    semconv::CODE_LINE_NUMBER,
    // Superseded in the conventions by `code.function.name`, which a module is not; it is also what
    // tracing-opentelemetry calls the module of a span.
    "code.module.name",
    semconv::THREAD_ID,
    semconv::THREAD_NAME,
];

impl Extras {
    pub(crate) fn with_location(self, location: bool) -> Self {
        Self::new(location, self.threads)
    }

    pub(crate) fn with_threads(self, threads: bool) -> Self {
        Self::new(self.location, threads)
    }

    fn new(location: bool, threads: bool) -> Self {
        const LOCATION: &[&str] = ALL.split_at(3).0;
        const THREADS: &[&str] = ALL.split_at(3).1;
        let keys = match (location, threads) {
            (false, false) => &[],
            (true, false) => LOCATION,
            (false, true) => THREADS,
            (true, true) => &ALL,
        };
        Self { location, threads, keys }
    }

    pub(crate) fn write(&self, metadata: &Metadata<'_>, mut write: impl FnMut(Key, Value<'_>)) {
        if self.location {
            if let Some(file) = metadata.file() {
                write(keys::key(ALL[0]), Value::Str(file));
            }
            if let Some(line) = metadata.line() {
                write(keys::key(ALL[1]), Value::I64(line.into()));
            }
            if let Some(module) = metadata.module_path() {
                write(keys::key(ALL[2]), Value::Str(module));
            }
        }
        if self.threads {
            if let Some(id) = thread_id() {
                write(keys::key(ALL[3]), Value::I64(id));
            }
            if let Some(name) = std::thread::current().name() {
                write(keys::key(ALL[4]), Value::Str(name));
            }
        }
    }
}

/// The number of this thread. The standard library shows it only as text, so it is read once a thread.
fn thread_id() -> Option<i64> {
    thread_local! {
        static ID: OnceCell<Option<i64>> = const { OnceCell::new() };
    }
    ID.try_with(|id| {
        *id.get_or_init(|| {
            let text = format!("{:?}", std::thread::current().id());
            text.trim_start_matches("ThreadId(").trim_end_matches(')').parse().ok()
        })
    })
    .ok()
    .flatten()
}
