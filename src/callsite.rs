//! Spans whose names are made at run time: a callsite for each name, so that every layer sees the name.
//!
//! Beside the walk. `tracing` keeps what it knows of a span for the life of the program, so the names are bounded.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::panic::Location;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

use tracing::{Level, Metadata};
use tracing_core::callsite::{Callsite, Identifier};
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::subscriber::Interest;

/// So many names of one target are kept for the life of the program. They are to be few: a name with an id
/// in it would be a mistake everywhere, but it must not fill the memory.
const MOST_NAMES: usize = 512;

/// By this name `tracing` knows a span whose own name is in the field `otel.name`, by which
/// tracing-opentelemetry calls it.
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

    /// The metadata of spans of this name, and whether the name is in it; if not, it has the field `otel.name`
    /// for it. Never registered: nobody is asked whether it is enabled. It has no location: ours would be the
    /// wrong one.
    pub(crate) fn metadata(&self, name: &str) -> (&'static Metadata<'static>, bool) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        if let Some(known) = known {
            return (known, true);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match known.get(name) {
            Some(known) => (known, true),
            None if known.len() == MOST_NAMES => {
                let unnamed = self.unnamed.get_or_init(|| leak(UNNAMED, self.target, &["otel.name"]));
                (unnamed, false)
            }
            None => {
                let name: &'static str = Box::leak(Box::from(name));
                let made = leak(name, self.target, &[]);
                known.insert(name, made);
                (made, true)
            }
        }
    }
}

fn leak(
    name: &'static str,
    target: &'static str,
    fields: &'static [&'static str],
) -> &'static Metadata<'static> {
    let made: &'static SpanCallsite = Box::leak(Box::default());
    made.0.get_or_init(|| {
        let fields = FieldSet::new(fields, Identifier(made));
        Metadata::new(name, target, Level::INFO, None, None, None, fields, Kind::SPAN)
    })
}

/// Its metadata is there before anybody has the callsite.
#[derive(Debug, Default)]
struct SpanCallsite(OnceLock<Metadata<'static>>);

impl Callsite for SpanCallsite {
    fn set_interest(&self, _interest: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0.get().unwrap_or_else(|| placeholder())
    }
}

/// What a callsite of ours would be without its metadata, which none is.
pub(crate) fn placeholder() -> &'static Metadata<'static> {
    static PLACEHOLDER: OnceLock<&'static Metadata<'static>> = OnceLock::new();
    PLACEHOLDER.get_or_init(|| leak(UNNAMED, "spanlog", &[]))
}

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

/// The metadata of op spans of this name, as all layers see it, and whether the name is in it.
pub(crate) fn op_metadata(name: &str) -> (&'static Metadata<'static>, bool) {
    static NAMES: SpanNames = SpanNames::new("spanlog::op");
    NAMES.metadata(name)
}

/// By this name the layer knows an entry.
pub(crate) const ENTRY: &str = "spanlog::trace entry";

/// Whether an event with this metadata is an entry: then something may lie beside it.
pub(crate) fn is_entry(metadata: &Metadata<'_>) -> bool {
    metadata.name() == ENTRY
}
