//! What is known of an event before its values are.
//!
//! A callsite's fields are looked at once in the life of the program: what each is for, and its key as
//! it is written. Whether they can be written straight behind what a record inherits depends on the
//! inherited keys, too; that is worked out once for each pair, and remembered by the thread.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::Metadata;
use tracing_core::field::Field;

use crate::callsite::is_entry;
use crate::keys::is_control;
use crate::record::inherited::InheritedAttributes;
use crate::wire::log_record::attribute_key;
use crate::wire::scalar::EncodedKey;

/// A callsite of events.
#[derive(Debug)]
pub(crate) struct CallsiteInfo {
    /// In the order of the callsite's field set.
    fields: Box<[FieldInfo]>,
    /// The name is one that the user gave.
    pub(crate) is_named: bool,
    /// Something may lie beside its events: they come from the `log` facade, or are entries of
    /// [`trace`](crate::trace).
    pub(crate) may_carry: bool,
    /// No two fields are attributes of the same key.
    is_unique: bool,
}

/// A field of a callsite. It fills a line of the processor's cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct FieldInfo {
    pub(crate) role: Role,
    pub(crate) key: EncodedKey,
}

/// What a field is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Attribute,
    Body,
    /// An attribute whose text is the body of an event without a message: `error` or `err`.
    ErrorText,
    /// It says something about the record.
    Control,
    /// What tracing-log says about a `log` record, which the record says otherwise.
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

impl CallsiteInfo {
    /// The site of `metadata`. It is kept for the life of the program, as the callsite itself is.
    fn of(metadata: &'static Metadata<'static>) -> &'static Self {
        static SITES: OnceLock<Mutex<HashMap<usize, &'static CallsiteInfo>>> = OnceLock::new();
        let mut sites = SITES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        sites.entry(address(metadata)).or_insert_with(|| Box::leak(Box::new(Self::new(metadata))))
    }

    fn new(metadata: &Metadata<'_>) -> Self {
        let is_log = is_log(metadata);
        let fields = metadata.fields().iter().map(|field| FieldInfo {
            role: Role::of(field.name(), is_log),
            key: attribute_key(field.name()),
        });
        let fields: Box<[_]> = fields.collect();
        let is_named = is_named(metadata, is_log);
        let site = Self { fields, is_named, may_carry: is_log || is_entry(metadata), is_unique: false };
        let mut names: Vec<_> = site.attribute_names(metadata).collect();
        names.sort_unstable();
        Self { is_unique: !names.windows(2).any(|pair| pair[0] == pair[1]), ..site }
    }

    #[inline]
    pub(crate) fn field(&self, field: &Field) -> &FieldInfo {
        /// Of a field that is not the callsite's, of which there is none.
        static UNKNOWN: FieldInfo = FieldInfo { role: Role::Control, key: EncodedKey::NONE };
        self.fields.get(field.index()).unwrap_or(&UNKNOWN)
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The names of the fields that are attributes.
    fn attribute_names<'a>(&'a self, metadata: &'a Metadata<'_>) -> impl Iterator<Item = &'static str> + 'a {
        let roles = self.fields.iter().map(|field| field.role);
        let fields = metadata.fields().iter().zip(roles);
        fields.filter(|(_, role)| role.is_attribute()).map(|(field, _)| field.name())
    }

    /// Whether no key can be there twice, behind `block` and with `extra` keys written last.
    fn can_append(
        &self,
        metadata: &Metadata<'_>,
        inherited: Option<&InheritedAttributes>,
        extra: &[&str],
    ) -> bool {
        let inherited: &[_] = inherited.map_or(&[], |inherited| &inherited.attributes);
        let is_inherited = |name: &str| inherited.iter().any(|(key, _)| key.as_str() == name);
        // Any field may hold an error, which is written under other keys than its own.
        let is_exception = |name: &str| name.starts_with("exception.");
        let mut inherited = inherited.iter().map(|(key, _)| key.as_str());
        let mut own = self.attribute_names(metadata);
        self.is_unique
            && !own.any(|name| is_inherited(name) || is_exception(name) || extra.contains(&name))
            && !inherited.any(|name| is_exception(name) || extra.contains(&name))
    }
}

/// How the attributes of one event are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) site: &'static CallsiteInfo,
    /// No key can be there twice.
    pub(crate) can_append: bool,
}

#[derive(Clone, Copy)]
struct Remembered {
    callsite: usize,
    key_set: u64,
    extra: &'static [&'static str],
    plan: Plan,
}

/// A power of two. Two pairs that share a place work their answers out more often, no worse.
const PLACES: usize = 64;

thread_local! {
    static REMEMBERED: [Cell<Option<Remembered>>; PLACES] = const { [const { Cell::new(None) }; PLACES] };
}

/// The plan for events of `metadata` behind `block`, with `extra` keys written last.
#[inline]
pub(crate) fn plan(
    metadata: &'static Metadata<'static>,
    inherited: Option<&InheritedAttributes>,
    extra: &'static [&'static str],
) -> Plan {
    let callsite = address(metadata);
    let key_set = inherited.map_or(0, |inherited| inherited.key_set);
    let place = ((callsite >> 4) ^ (key_set as usize)) % PLACES;
    let known = REMEMBERED.try_with(|places| places[place].get()).ok().flatten();
    match known {
        Some(known)
            if known.callsite == callsite && known.key_set == key_set && std::ptr::eq(known.extra, extra) =>
        {
            known.plan
        }
        _ => work_out(metadata, inherited, extra, place),
    }
}

#[cold]
fn work_out(
    metadata: &'static Metadata<'static>,
    inherited: Option<&InheritedAttributes>,
    extra: &'static [&'static str],
    place: usize,
) -> Plan {
    let site = CallsiteInfo::of(metadata);
    let plan = Plan { site, can_append: site.can_append(metadata, inherited, extra) };
    let key_set = inherited.map_or(0, |inherited| inherited.key_set);
    let remembered = Remembered { callsite: address(metadata), key_set, extra, plan };
    let _ = REMEMBERED.try_with(|places| places[place].set(Some(remembered)));
    plan
}

/// What tells callsites apart.
#[inline]
fn address(metadata: &'static Metadata<'static>) -> usize {
    std::ptr::from_ref(metadata) as usize
}

fn is_log(metadata: &Metadata<'_>) -> bool {
    use tracing_log::AsTrace;
    // tracing-log's callsites are private, but metadata of a `log` record carries their identity.
    metadata.name() == "log event"
        && metadata.target() == "log"
        && log::Level::iter().any(|level| {
            let probe = log::Metadata::builder().level(level).build();
            probe.as_trace().callsite() == metadata.callsite()
        })
}

/// tracing names an event `event FILE:LINE` if the user does not, and tracing-log `log event`.
fn is_named(metadata: &Metadata<'_>, is_log: bool) -> bool {
    let generated = || {
        let place = metadata.name().strip_prefix("event ")?;
        let (file, line) = place.rsplit_once(':')?;
        Some(metadata.file() == Some(file) && metadata.line() == line.parse().ok())
    };
    !is_log && !is_entry(metadata) && generated() != Some(true)
}
