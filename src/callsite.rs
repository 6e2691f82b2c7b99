//! Callsites made at run time, for spans whose names, callers or fields are unknown at compile
//! time.
//!
//! They are not registered with `tracing`, so no filter is consulted. They are never freed, so
//! their number has to be bounded.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::panic::Location;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use tracing::{Level, Metadata};
use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::subscriber::Interest;

/// The field that overrides a span's name for tracing-opentelemetry.
pub(crate) const NAME_FIELD: &[&str] = &["otel.name"];

/// The most span names of one target. Few are expected, but a program that puts an id into span
/// names must not exhaust the memory.
const MAX_NAMES: usize = 512;

/// The name in `tracing` of a span that has its own name in [`NAME_FIELD`].
const UNNAMED: &str = "span";

/// The callsites of one target's spans, by name.
#[derive(Debug)]
pub(crate) struct SpanNames {
    target: &'static str,
    known: RwLock<BTreeMap<&'static str, &'static Metadata<'static>>>,
    /// The callsite of all spans beyond [`MAX_NAMES`].
    unnamed: OnceLock<&'static Metadata<'static>>,
}

impl SpanNames {
    pub(crate) const fn new(target: &'static str) -> Self {
        Self { target, known: RwLock::new(BTreeMap::new()), unnamed: OnceLock::new() }
    }

    /// The metadata of spans with this name, and whether the name is in it. If not, it has the
    /// field [`NAME_FIELD`]. It has no location, as that would be one in this crate.
    pub(crate) fn metadata(&self, name: &str) -> (&'static Metadata<'static>, bool) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        if let Some(known) = known {
            return (known, true);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match known.get(name) {
            Some(known) => (known, true),
            None if known.len() == MAX_NAMES => {
                let unnamed = || span_metadata(UNNAMED, self.target, NAME_FIELD, None);
                (self.unnamed.get_or_init(unnamed), false)
            }
            None => {
                let name: &'static str = Box::leak(Box::from(name));
                let metadata = span_metadata(name, self.target, &[], None);
                known.insert(name, metadata);
                (metadata, true)
            }
        }
    }
}

/// A callsite. Its metadata is set before it is used.
#[derive(Debug, Default)]
struct RunTimeCallsite(OnceLock<Metadata<'static>>);

impl Callsite for RunTimeCallsite {
    fn set_interest(&self, _interest: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0.get().unwrap_or_else(|| placeholder())
    }
}

/// The metadata of a new callsite of spans at level INFO. It is leaked, so callers cache it.
pub(crate) fn span_metadata(
    name: &'static str,
    target: &'static str,
    fields: &'static [&'static str],
    caller: Option<&'static Location<'static>>,
) -> &'static Metadata<'static> {
    let (file, line) = (caller.map(Location::file), caller.map(Location::line));
    new_metadata(|callsite| {
        let fields = FieldSet::new(fields, callsite);
        Metadata::new(name, target, Level::INFO, file, line, None, fields, Kind::SPAN)
    })
}

/// The metadata of a new callsite, which `make` returns. It is leaked, so callers cache it.
pub(crate) fn new_metadata(make: impl FnOnce(Identifier) -> Metadata<'static>) -> &'static Metadata<'static> {
    let callsite: &'static RunTimeCallsite = Box::leak(Box::default());
    callsite.0.get_or_init(|| make(Identifier(callsite)))
}

/// The metadata of a callsite whose own is not set yet. It is never seen.
pub(crate) fn placeholder() -> &'static Metadata<'static> {
    static PLACEHOLDER: OnceLock<&'static Metadata<'static>> = OnceLock::new();
    PLACEHOLDER.get_or_init(|| span_metadata(UNNAMED, "spanlog", &[], None))
}

/// A map from configuration values, of which a program has few, to what is leaked for each.
pub(crate) struct Cache<K, V: 'static>(Mutex<Option<HashMap<K, &'static V>>>);

impl<K: Hash + Eq, V> Cache<K, V> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> &'static V) -> &'static V {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.get_or_insert_default().entry(key).or_insert_with(make)
    }
}

/// The event name that marks entries of [`trace`](crate::trace).
pub(crate) const ENTRY: &str = "spanlog::trace entry";

/// Whether an event with this metadata is a `trace` entry, which has a
/// [sidecar](crate::correlate::sidecar).
pub(crate) fn is_entry(metadata: &Metadata<'_>) -> bool {
    metadata.name() == ENTRY
}
