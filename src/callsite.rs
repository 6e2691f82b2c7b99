//! Callsites made at run time, for spans whose names, callers or fields are not known at compile time.
//!
//! They are never registered, so no filter is asked about them. What `tracing` knows of a callsite is kept for the
//! life of the program, so whatever makes them bounds their number.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::panic::Location;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use tracing::{Level, Metadata};
use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::subscriber::Interest;

/// The field by which tracing-opentelemetry names a span, instead of by its metadata.
pub(crate) const NAME_FIELD: &[&str] = &["otel.name"];

/// The names of one target's spans that are kept at most. Few are expected: a name with an id in it would be a
/// mistake everywhere, but it must not exhaust the memory.
const MAX_NAMES: usize = 512;

/// The name in `tracing` of a span whose own name is in [`NAME_FIELD`].
const UNNAMED: &str = "span";

/// The names of one target's spans.
#[derive(Debug)]
pub(crate) struct SpanNames {
    target: &'static str,
    known: RwLock<BTreeMap<&'static str, &'static Metadata<'static>>>,
    unnamed: OnceLock<&'static Metadata<'static>>,
}

impl SpanNames {
    pub(crate) const fn new(target: &'static str) -> Self {
        Self { target, known: RwLock::new(BTreeMap::new()), unnamed: OnceLock::new() }
    }

    /// The metadata of spans of this name, and whether it has the name; if not, it has [`NAME_FIELD`]. It has no
    /// location: ours would be the wrong one.
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

/// The callsite of a span. Its metadata is set before it is shown to anybody.
#[derive(Debug, Default)]
struct SpanCallsite(OnceLock<Metadata<'static>>);

impl Callsite for SpanCallsite {
    fn set_interest(&self, _interest: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0.get().unwrap_or_else(|| placeholder())
    }
}

/// Metadata of a new callsite at INFO, which lives for the program. Only called under a cache.
pub(crate) fn span_metadata(
    name: &'static str,
    target: &'static str,
    fields: &'static [&'static str],
    caller: Option<&'static Location<'static>>,
) -> &'static Metadata<'static> {
    let callsite: &'static SpanCallsite = Box::leak(Box::default());
    callsite.0.get_or_init(|| {
        let fields = FieldSet::new(fields, Identifier(callsite));
        let (file, line) = (caller.map(Location::file), caller.map(Location::line));
        Metadata::new(name, target, Level::INFO, file, line, None, fields, Kind::SPAN)
    })
}

/// The metadata of a callsite that has none, which none of ours is.
pub(crate) fn placeholder() -> &'static Metadata<'static> {
    static PLACEHOLDER: OnceLock<&'static Metadata<'static>> = OnceLock::new();
    PLACEHOLDER.get_or_init(|| span_metadata(UNNAMED, "spanlog", &[], None))
}

/// A map from set-up values, of which a program has few, to what is leaked for each.
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

/// The event name that marks the entries of [`trace`](crate::trace).
pub(crate) const ENTRY: &str = "spanlog::trace entry";

/// Whether an event with this metadata is an entry, which may have a [sidecar](crate::correlate::sidecar).
pub(crate) fn is_entry(metadata: &Metadata<'_>) -> bool {
    metadata.name() == ENTRY
}
