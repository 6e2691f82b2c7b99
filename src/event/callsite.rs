//! What is known about an event from its callsite alone.
//!
//! A callsite's fields are inspected once per process: the role of each field, and its encoded key.
//! Each thread caches the callsites that it logs from, so an event usually finds its own with one
//! comparison.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;

use tracing::Metadata;
use tracing_core::field::Field;

use crate::callsite::is_entry;
use crate::forked::ForkedMutex;
use crate::keys::is_control;
use crate::record::inherited::InheritedAttributes;
use crate::wire::log_record::attribute_key;
use crate::wire::scalar::EncodedKey;

/// A callsite of events, inspected.
#[derive(Debug)]
pub(crate) struct CallsiteInfo {
    metadata: &'static Metadata<'static>,
    /// In the order of the callsite's field set.
    fields: Box<[FieldInfo]>,
    /// The name of its events, if the user gave them one.
    pub(crate) event_name: Option<&'static str>,
    /// Whether its events may have a [sidecar](crate::correlate::sidecar): they come from the `log`
    /// facade, or are entries of [`trace`](crate::trace).
    pub(crate) may_have_sidecar: bool,
    /// No two fields are attributes with the same key.
    is_unique: bool,
    /// Cached results of [`can_append`](Self::can_append): a key set, with the result as its lowest
    /// bit. All threads share them, and rarely write: one callsite meets few key sets.
    appends: [AtomicU64; CACHED_KEY_SETS],
}

/// A power of two. Key sets that share a slot are computed more often, that is all.
const CACHED_KEY_SETS: usize = 4;

/// A field of a callsite. It fills one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct FieldInfo {
    pub(crate) role: Role,
    pub(crate) key: EncodedKey,
}

/// What a field becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Attribute,
    Body,
    /// An attribute whose text is the body of an event without a message: `error` or `err`.
    ErrorText,
    /// Says something about the record and is no attribute, such as `otel.severity_number`.
    Control,
    /// tracing-log's `log.*` fields. The record has them in other places: its scope and its
    /// location.
    LogMetadata,
}

impl Role {
    fn of(name: &str, is_log: bool) -> Self {
        match name {
            "message" => Self::Body,
            name if is_control(name) => Self::Control,
            name if is_log && name.starts_with("log.") => Self::LogMetadata,
            "error" | "err" => Self::ErrorText,
            _ => Self::Attribute,
        }
    }

    fn is_attribute(self) -> bool {
        matches!(self, Self::Attribute | Self::ErrorText)
    }
}

/// A power of two. Callsites that share a slot are looked up in the map more often, that is all.
const CACHED_CALLSITES: usize = 64;

thread_local! {
    static CACHED: [Cell<Option<&'static CallsiteInfo>>; CACHED_CALLSITES] =
        const { [const { Cell::new(None) }; CACHED_CALLSITES] };
}

impl CallsiteInfo {
    /// The callsite of `metadata`.
    #[inline]
    pub(crate) fn of(metadata: &'static Metadata<'static>) -> &'static Self {
        let slot = (address(metadata) >> 4) % CACHED_CALLSITES;
        match CACHED.try_with(|slots| slots[slot].get()) {
            Ok(Some(known)) if std::ptr::eq(known.metadata, metadata) => known,
            _ => Self::find(metadata, slot),
        }
    }

    /// Looks the callsite up in the map, or inspects it. It is never freed, nor is the callsite
    /// itself.
    #[cold]
    fn find(metadata: &'static Metadata<'static>, slot: usize) -> &'static Self {
        static ALL: OnceLock<ForkedMutex<HashMap<usize, &'static CallsiteInfo>>> = OnceLock::new();
        let inspect = || -> &'static Self { Box::leak(Box::new(Self::new(metadata))) };
        let info = match ALL.get_or_init(ForkedMutex::default).lock() {
            Some(mut all) => *all.entry(address(metadata)).or_insert_with(inspect),
            None => inspect(),
        };
        let _ = CACHED.try_with(|slots| slots[slot].set(Some(info)));
        info
    }

    fn new(metadata: &'static Metadata<'static>) -> Self {
        let is_log = is_log(metadata);
        let fields = metadata.fields().iter().map(|field| FieldInfo {
            role: Role::of(field.name(), is_log),
            key: attribute_key(field.name()),
        });
        let info = Self {
            metadata,
            fields: fields.collect(),
            event_name: is_named(metadata, is_log).then(|| metadata.name()),
            may_have_sidecar: is_log || is_entry(metadata),
            is_unique: false,
            appends: Default::default(),
        };
        let mut names: Vec<_> = info.attribute_names().collect();
        names.sort_unstable();
        Self { is_unique: !names.windows(2).any(|pair| pair[0] == pair[1]), ..info }
    }

    #[inline]
    pub(crate) fn field(&self, field: &Field) -> &FieldInfo {
        /// For a field of another callsite, which tracing never passes.
        static UNKNOWN: FieldInfo = FieldInfo { role: Role::Control, key: EncodedKey::NONE };
        self.fields.get(field.index()).unwrap_or(&UNKNOWN)
    }

    /// The most fields that an event of this callsite has.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The names of the fields that are attributes.
    fn attribute_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        let roles = self.fields.iter().map(|field| field.role);
        let fields = self.metadata.fields().iter().zip(roles);
        fields.filter(|(_, role)| role.is_attribute()).map(|(field, _)| field.name())
    }

    /// Whether the fields can be appended to the inherited attributes as they are visited, because
    /// no key can appear twice.
    #[inline]
    pub(crate) fn can_append(&self, inherited: &InheritedAttributes) -> bool {
        let key_set = inherited.key_set & !1;
        let known = self.appends[slot_of(key_set)].load(Ordering::Relaxed);
        match known & !1 == key_set {
            true => known & 1 == 1,
            false => self.compute_can_append(inherited),
        }
    }

    #[cold]
    fn compute_can_append(&self, inherited: &InheritedAttributes) -> bool {
        let extra = inherited.extra_keys;
        let inherits = |name: &str| inherited.attributes.iter().any(|(key, _)| key.as_str() == name);
        // Any field may hold an error, which is written as `exception.*`.
        let is_exception = |name: &str| name.starts_with("exception.");
        let mut keys = inherited.attributes.iter().map(|(key, _)| key.as_str());
        let can_append = self.is_unique
            && !self
                .attribute_names()
                .any(|name| inherits(name) || is_exception(name) || extra.contains(&name))
            && !keys.any(|name| is_exception(name) || extra.contains(&name));
        let key_set = inherited.key_set & !1;
        self.appends[slot_of(key_set)].store(key_set | u64::from(can_append), Ordering::Relaxed);
        can_append
    }
}

#[inline]
fn slot_of(key_set: u64) -> usize {
    (key_set >> 1) as usize % CACHED_KEY_SETS
}

/// Identifies the callsite: its metadata lives as long as the program.
#[inline]
fn address(metadata: &'static Metadata<'static>) -> usize {
    std::ptr::from_ref(metadata) as usize
}

fn is_log(metadata: &Metadata<'_>) -> bool {
    use tracing_log::AsTrace;
    // tracing-log's callsites are private, but the metadata of a `log` record carries their
    // identifier.
    metadata.name() == "log event"
        && metadata.target() == "log"
        && log::Level::iter().any(|level| {
            let probe = log::Metadata::builder().level(level).build();
            probe.as_trace().callsite() == metadata.callsite()
        })
}

/// Whether the user named the event. Otherwise tracing names it `event FILE:LINE`, and tracing-log
/// `log event`.
fn is_named(metadata: &Metadata<'_>, is_log: bool) -> bool {
    let generated = || {
        let location = metadata.name().strip_prefix("event ")?;
        let (file, line) = location.rsplit_once(':')?;
        Some(metadata.file() == Some(file) && metadata.line() == line.parse().ok())
    };
    !is_log && !is_entry(metadata) && generated() != Some(true)
}
