//! The callsites of op spans: one for each name, which all layers see, one for each caller that the span
//! layer sees instead, and the field sets of stamps.

use std::collections::HashMap;
use std::hash::Hash;
use std::panic::Location;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::{Level, Metadata};
use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::{FieldSet, Value};
use tracing_core::metadata::Kind;
use tracing_core::span::{Attributes, Record};
use tracing_core::subscriber::Interest;

use crate::correlate::{OpSeed, SpanState};
use crate::keys::{Keys, JOB_KEYS};
use crate::named::{placeholder, SpanNames};
use crate::spans;

/// The name of an op span reaches the span layer in this field; tracing-opentelemetry names the span by it.
const NAME_FIELDS: &[&str] = &["otel.name"];

/// A callsite made at run time. It is never registered: nobody is asked whether it is enabled.
struct MadeCallsite {
    metadata: OnceLock<Metadata<'static>>,
}

impl Callsite for MadeCallsite {
    fn set_interest(&self, _interest: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().unwrap_or_else(|| placeholder())
    }
}

/// Makes a callsite that lives for the program. Only called under a cache.
pub(crate) fn make(
    fields: &'static [&'static str],
    target: &'static str,
    caller: Option<&'static Location<'static>>,
) -> &'static Metadata<'static> {
    let made: &'static MadeCallsite = Box::leak(Box::new(MadeCallsite { metadata: OnceLock::new() }));
    made.metadata.get_or_init(|| {
        Metadata::new(
            "op",
            target,
            Level::INFO,
            caller.map(|caller| caller.file()),
            caller.map(|caller| caller.line()),
            None,
            FieldSet::new(fields, Identifier(made)),
            Kind::SPAN,
        )
    })
}

/// A map from set-up values, of which a program has few, to what is leaked for each.
struct Cache<K, V: 'static>(Mutex<Option<HashMap<K, &'static V>>>);

impl<K: Hash + Eq, V> Cache<K, V> {
    const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn get(&self, key: K, make: impl FnOnce() -> &'static V) -> &'static V {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.get_or_insert_default().entry(key).or_insert_with(make)
    }
}

/// The metadata of op spans of this name, as all layers see it, and whether the name is in it.
pub(crate) fn op_metadata(name: &str) -> (&'static Metadata<'static>, bool) {
    static NAMES: SpanNames = SpanNames::new("spanlog::op");
    NAMES.metadata(name)
}

/// Shows `forward` the attributes of an op span as if its callsite were the caller's, so that location and
/// target name the caller. The module path cannot be known at run time; the file stands for it as the target.
pub(crate) fn with_caller(
    seed: &Arc<OpSeed>,
    original: &Attributes<'_>,
    forward: impl FnOnce(&Attributes<'_>),
) {
    static CALLERS: Cache<(&'static str, u32), Metadata<'static>> = Cache::new();
    let Some(caller) = seed.caller else { return forward(original) };
    let metadata =
        CALLERS.get((caller.file(), caller.line()), || make(NAME_FIELDS, caller.file(), Some(caller)));
    let name = Some(&seed.name as &dyn Value);
    let values = [name];
    let values = metadata.fields().value_set_all(&values);
    forward(&spans::like(original, metadata, &values));
}

const STAMPS: usize = 2 + JOB_KEYS;

/// The stamps of spans under one set of keys, as fields that can be recorded.
#[derive(Debug)]
pub(crate) struct StampFields {
    /// Tool, operation, and the job's.
    names: [&'static str; STAMPS],
    fields: &'static FieldSet,
}

impl StampFields {
    pub(crate) fn of(keys: Keys) -> &'static Self {
        static SETS: Cache<Keys, StampFields> = Cache::new();
        SETS.get(keys, || {
            let names = std::array::from_fn(|index| match index {
                0 => keys.tool(),
                1 => keys.operation(),
                _ => keys.job()[index - 2],
            });
            let metadata = make(Box::leak(Box::new(names)), "spanlog::stamps", None);
            Box::leak(Box::new(StampFields { names, fields: metadata.fields() }))
        })
    }

    /// Shows `forward` tool, operation and the job's fixed stamps as one record, in this order. What
    /// the span has a field of its own for is left out: the caller wins.
    pub(crate) fn with_record(&self, state: &SpanState, forward: impl FnOnce(&Record<'_>)) {
        let own = |name: &str| {
            state.fields.iter().any(|(key, _)| key.as_str() == name)
                || state.job_added.iter().any(|added| added.key.as_str() == name)
        };
        let op = state.op.as_ref();
        let job = state.job();
        // Arrays, not vectors: four allocations less for every span that has stamps.
        let texts: [Option<&str>; STAMPS] = std::array::from_fn(|index| {
            let text = match index {
                0 => op.and_then(|op| op.tool.as_deref()),
                1 => op.and_then(|op| op.operation.as_deref()),
                _ => job.map(|job| job.metadata.value(index - 2)).filter(|value| !value.is_empty()),
            };
            text.filter(|_| !own(self.names[index]))
        });
        let values: [Option<&dyn Value>; STAMPS] =
            std::array::from_fn(|index| texts[index].as_ref().map(|text| text as &dyn Value));
        let values = self.fields.value_set_all(&values);
        forward(&Record::new(&values));
    }
}
